"""The same random sessions with Dovecot and with our server: answers and what is left are the same."""

import random  # noqa: TID251 - seeded: a session that differs can be played again
import re
from collections.abc import Callable

import pytest

from outside.debian import Debian
from outside.mail import message
from outside.server import Server
from outside.wire import Imap, Reply

FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Work", "Custom")
KEYS = ("SEEN", "UNDELETED", "KEYWORD $work", "UNKEYWORD Custom", "NOT DRAFT", "OR FLAGGED SEEN")
DATE = "02-Mar-2026 10:00:00 +0000"
BOXES = ("INBOX", "One", "Two/deep", "&AOQ-pfel")


def sequence_set(dice: random.Random, count: int) -> str:
    """Numbers within 1..count."""
    low, high = sorted(dice.randrange(1, count + 1) for _ in range(2))
    return dice.choice(
        (f"{low}", f"{low}:{high}", f"{high}:{low}", f"{low},{high}", f"{low}:*", "*", "1:*")
    )


def uid_set(dice: random.Random) -> str:
    """UIDs of which some exist, some did, some never will."""
    return f"{dice.randrange(1, 40)}:{dice.randrange(1, 60)}"


def command(dice: random.Random, count: int) -> str:
    """A command that any session may give, of *count* messages."""
    flags = " ".join(dice.sample(FLAGS, dice.randrange(1, 4)))
    how = dice.choice(("+FLAGS", "-FLAGS", "FLAGS", "+FLAGS.SILENT"))
    box = dice.choice(BOXES)
    kinds = [
        "EXPUNGE",
        f"UID EXPUNGE {uid_set(dice)}",
        f"UID STORE {uid_set(dice)} {how} ({flags})",
        f"UID COPY {uid_set(dice)} {box}",
        f"UID MOVE {uid_set(dice)} {box}",
        f"SELECT {box}",
        f"STATUS {box} (MESSAGES UNSEEN UIDNEXT)",
        f'LIST "" {dice.choice(("*", "%", "T*", "Two/%", "%/%", "o%", "INBOX", "inbox", "&AOQ-*"))}',
        dice.choice(("CLOSE", "UNSELECT", "CHECK", "NOOP")),
        f"SEARCH {dice.choice(KEYS)}",
        f"SELECT {dice.choice(('INBOX', 'INBOX', 'nosuch'))}",
        f"APPEND {box}",
    ]
    if count:
        numbers = sequence_set(dice, count)
        kinds += [
            f"STORE {numbers} {how} ({flags})",
            f"COPY {numbers} {box}",
            f"MOVE {numbers} {box}",
            f"FETCH {numbers} (UID FLAGS RFC822.SIZE)",
            f"FETCH {numbers} (BODY[TEXT] UID)",
            f"UID SEARCH {numbers}",
            f"SEARCH NOT {numbers}",
        ]
    return dice.choice(kinds)


def said(reply: Reply, count: int) -> tuple[bytes, list[bytes], list[int]]:
    """What both servers must say alike: status, data, and which of *count* messages went (in any order).

    Left out: UIDVALIDITY, free text, and what is each server's own.
    """
    lines: list[bytes] = []
    there, gone = list(range(count)), []
    own = rb"(OK|NO) |CAPABILITY|FLAGS|\d+ RECENT|LIST .*(Drafts|Sent|Trash|Junk|Archive)"
    for line in reply.untagged:
        number = re.match(rb"(\d+) (EXPUNGE|EXISTS)$", line)
        if number and number.group(2) == b"EXPUNGE":
            gone.append(there.pop(int(number.group(1)) - 1))
            continue
        if number:
            there += range(len(there), int(number.group(1)))
        if not re.match(own, line):
            line = re.sub(rb" ?\\Recent", b"", line).replace(b"( ", b"(")
            line = re.sub(rb"^LIST \([^)]*\)", b"LIST", line)
            lines.append(b" ".join(sorted(re.split(rb"[ ()\"]+", line))))
    return reply.status, sorted(lines), sorted(gone)


def after(reply: Reply, count: int) -> int:
    """How many messages the session sees after *reply*, *count* before."""
    for line in reply.untagged:
        exists = re.fullmatch(rb"(\d+) EXISTS", line)
        count = int(exists.group(1)) if exists else count - line.endswith(b" EXPUNGE")
    return count


@pytest.mark.rfc(3501, "6.4", "7")
@pytest.mark.needs("dovecot", "dovecot-imap")
@pytest.mark.parametrize("seed", range(4))
def test_random_session(
    server: Server, dovecot: Debian, seed: int, full: Callable[[int, int], int]
) -> None:
    with Imap(server, server.account()) as ours, Imap(dovecot, dovecot.account()) as theirs:
        for imap in (ours, theirs):
            for box in BOXES[1:]:
                imap.do(f"CREATE {box}")
            for n in range(20):
                imap.append("INBOX", message(f"number {n}"), FLAGS[n % len(FLAGS)], DATE)
            imap.select("INBOX")
        count, selected = 20, "INBOX"
        dice, played, expunged = random.Random(seed), ["SELECT INBOX"], 0
        for turn in range(full(300, 3_000)):
            text = command(dice, count)
            if not selected and not text.startswith(("SELECT", "STATUS", "LIST", "NOOP", "APPEND")):
                continue
            if " MOVE " in f" {text} " and text.endswith(f" {selected}"):
                continue  # RFC 6851 leaves open what becomes of a message that is moved to where it is
            played.append(text)
            if text.startswith("APPEND"):
                words = (f"{text} ", message(f"later {turn}"), "")
                mine, yours = ours.do(*words), theirs.do(*words)
            else:
                mine, yours = ours.do(text), theirs.do(text)
            if "STORE" in text:  # RFC 3501 §6.4.6 lets a server leave out what did not change
                mine, yours = (
                    imap.do("FETCH 1:* (UID FLAGS)") if count else imap.do("NOOP")
                    for imap in (ours, theirs)
                )
            assert said(mine, count) == said(yours, count), "\n".join(played[-12:])
            if text.startswith("SELECT"):
                selected, count = (text.split()[1] if mine.status == b"OK" else ""), 0
            elif text in ("CLOSE", "UNSELECT"):
                selected, count = "", 0
            expunged += sum(line.endswith(b" EXPUNGE") for line in mine.untagged)
            count = after(mine, count)
            if (
                count > 60 and selected
            ):  # COPY makes many of few: back to a size at which much happens
                for imap in (ours, theirs):
                    imap.ok("STORE 31:* +FLAGS.SILENT (\\Deleted)")
                    imap.ok("CLOSE")
                selected, count = "", 0
        assert len(played) > 150
        assert expunged > 5
