"""SORT and THREAD of the same messages in Dovecot and in our server.

Where the two differ and the RFC is on our side, the difference stands beside the test with its clause.
"""

import random  # noqa: TID251 - seeded, so that the mail is the same each time
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise

import pytest

from interop.test_same_as_dovecot import DATE, Both, both, is_known
from mailserver.base.numset import compress
from outside.corpus import Sample
from outside.wire import Imap

__all__ = ["both"]

CRITERIA = ("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO")


def numbers(imap: Imap, command: str) -> list[int]:
    reply = imap.ok(command)
    (line,) = [u for u in reply.untagged if re.match(rb"SORT", u)]
    return [int(n) for n in line.split()[1:]]


def threads(imap: Imap, command: str) -> list[object]:
    reply = imap.ok(command)
    (line,) = [u for u in reply.untagged if re.match(rb"THREAD", u)]
    return tree(line[len(b"THREAD") :].strip().decode())


def tree(text: str) -> list[object]:
    """Nested lists, as the parentheses are."""
    stack: list[list[object]] = [[]]
    for token in re.findall(r"[()]|\d+", text):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(int(token))
    (out,) = stack
    return out


def letters(count: int, seed: int) -> Iterator[Sample]:
    """Conversations: replies with whole, short, missing and wrong references, subjects that changed, loops, copies."""
    dice = random.Random(seed)
    known: list[tuple[str, list[str], str]] = []
    words = [
        "Lunch",
        "Budget 2026",
        "Ärger",
        "[list] News",
        "Отпуск",
        "",
        "ümlaut",
        "Zebra",
        "a_b",
        "aBc",
    ]
    for n in range(count):
        own, references, subject = f"<{n}.{seed}@example.org>", [], dice.choice(words)
        if known and dice.random() < 0.7:
            parent, before, subject = dice.choice(known[-12:])
            references = [*before, parent]
            draw = dice.random()
            if draw < 0.15:
                references = references[-1:]
            elif draw < 0.25:
                dice.shuffle(references)
            elif draw < 0.3:
                references.append(f"<gone{dice.randrange(9)}@example.org>")
            elif draw < 0.33:
                references.append(own)
            subject = dice.choice(
                [f"Re: {subject}", f"re: {subject}", f"Fwd: {subject}", f"{subject} (fwd)", f"[fwd: {subject}]",
                 f"Re: [list] {subject}", f"Re[2]: {subject}", subject, subject.upper(), "Re: Re: " + subject]
            )  # fmt: skip
        draw = dice.random()
        if draw < 0.05 and known:
            own = dice.choice(known)[0]  # a copy
        known.append((own, references, re.sub(r"^(?i:re: )+", "", subject)))
        fields = [f"Subject: {subject}"] if subject or dice.random() < 0.5 else []
        if draw > 0.04:
            fields.append(f"Message-ID: {own}")
        if references:
            if dice.random() < 0.2:
                fields.append(f"In-Reply-To: {references[-1]}")
            else:
                fields.append("References: " + "\r\n ".join(references))
        if dice.random() < 0.9:
            zone = dice.choice(["+0000", "-0800", "+0530"])
            fields.append(
                f"Date: {dice.randrange(1, 29)} {dice.choice(['Jan', 'Feb', 'Mar'])} 2026 "
                f"{dice.randrange(24):02d}:{dice.randrange(60):02d}:00 {zone}"
            )
        who = [
            "Ann <ann@example.org>", "bob@example.org", '"Zoë" <zoe@example.org>', "=?utf-8?q?=C3=84nne?= <x@y.org>",
            "team: a@b.org, c@d.org;", "undisclosed-recipients:;", "Ann_B <A_B@example.org>", "ann <ANN@b.org>",
        ]  # fmt: skip
        for name in ("From", "To", "Cc"):
            if dice.random() < 0.8:
                fields.append(f"{name}: " + ", ".join(dice.sample(who, dice.randrange(1, 3))))
        raw = "\r\n".join(fields) + "\r\n\r\n" + "x" * dice.randrange(40) + "\r\n"
        yield Sample(f"letter-{n}", f"letter {n}", raw.encode())


ADDRESS = rb"(?>[\w .\"=?/+-]*<[\w.=+-]+@[\w.-]+>|[\w.=+-]+@[\w.-]+)(?: \([\w .-]+\))?"
PEOPLE = re.compile(rb"(?:%b(?:,\s*+%b)*+)?" % (ADDRESS, ADDRESS))
FIELD = re.compile(rb"(?mi)^([!-9;-~]+)[ \t]*:(.*(?:\r?\n[ \t].*)*)")

#: criterion -> the field that it looks at
LOOKS_AT = {
    "CC": b"cc", "DATE": b"date", "FROM": b"from", "SUBJECT": b"subject", "TO": b"to",
    "DISPLAYFROM": b"from", "DISPLAYTO": b"to",
}  # fmt: skip


@cache
def fields_of(raw: bytes) -> list[tuple[bytes, bytes]]:
    return FIELD.findall(re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0] + b"\r\n")


def is_read_alike(raw: bytes, name: bytes) -> bool:
    """Whether both servers read the same out of the field *name*.

    They do not where it comes twice (ENVELOPE and SORT of ours take the last one), is 8-bit (each guesses the charset),
    or damaged: addresses; dates of other forms or years than usual; white space beside a fold in the subject (RFC 5256
    §2.1 (1) makes one space of it; Dovecot two).
    """
    values = [value.strip() for field, value in fields_of(raw) if field.lower() == name]
    if not values:
        return (
            name != b"date"
        )  # which both take from elsewhere; but what is beside it may be broken
    (value, *more) = values
    if more or not value.isascii():
        return False
    if name == b"date":
        year = DATE.match(value.decode())
        return year is not None and 1970 < int(year[1]) < 2037
    if name == b"subject":
        return not re.search(rb"[ \t]\r?\n|\t|=\?.*=\?", value, re.S)
    return name in (b"message-id", b"references", b"in-reply-to") or bool(PEOPLE.fullmatch(value))


def compare_sorts(ours: Imap, theirs: Imap, samples: list[Sample], *, is_clean: bool) -> None:
    """Messages of which the two read different values are left out of what is compared, unless *is_clean*."""
    different = []
    single = [((c,), f"({how}{c})") for c in CRITERIA for how in ("", "REVERSE ")]
    pairs = [((a, b), f"({a} REVERSE {b})") for a, b in pairwise(CRITERIA)]
    for names, criteria in single + pairs:
        looked_at = [LOOKS_AT[name] for name in names if name in LOOKS_AT]
        alike = {
            n
            for n, sample in enumerate(samples, 1)
            if is_clean or all(is_read_alike(sample.raw, field) for field in looked_at)
        }
        assert len(alike) >= 500 or is_clean, criteria
        command = f"SORT {criteria} UTF-8 ALL"
        one, two = ([n for n in numbers(imap, command) if n in alike] for imap in (ours, theirs))
        if one != two:
            at = next(n for n, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
            texts = [samples[n - 1].raw[:400] for n in (one[at], two[at])]
            different.append(
                f"{command}: at {at} {one[at]} {two[at]}\n  {texts[0]!r}\n  {texts[1]!r}"
            )
    assert not different, "\n".join(different)


def compare_threads(ours: Imap, theirs: Imap, chosen: list[int]) -> None:
    among = compress(chosen)
    for algorithm in ("ORDEREDSUBJECT", "REFERENCES", "REFS"):
        for more in ("", f"{chosen[len(chosen) // 3]}:{chosen[len(chosen) // 2]}", "UNSEEN"):
            keys = f"{among} {more}".strip()
            command = f"THREAD {algorithm} UTF-8 {keys}"
            one, two = threads(ours, command), threads(theirs, command)
            if (
                algorithm == "REFS"
            ):  # nothing says which of two threads with the same last date is first
                same = sum(a == b for a, b in zip(one, two, strict=True))
                assert same >= 0.9 * len(one), command
                one, two = sorted(one, key=repr), sorted(two, key=repr)
            assert one == two, command


@pytest.mark.rfc(5256, "3")
@pytest.mark.rfc(5957, "4")
@pytest.mark.needs("dovecot", "dovecot-imap")
@pytest.mark.parametrize("seed", range(3))
def test_letters(both: Both, full: Callable[[int, int], int], seed: int) -> None:
    samples = list(letters(full(200, 2_000), seed))
    ours, theirs = both(samples)
    compare_sorts(ours, theirs, samples, is_clean=True)
    compare_threads(ours, theirs, list(range(1, len(samples) + 1)))


@pytest.mark.rfc(5256, "3")
@pytest.mark.needs("dovecot", "dovecot-imap")
def test_real_mail(both: Both, samples: list[Sample]) -> None:
    """Also what ESEARCH and SORT with result options say of it."""
    chosen = [s for s in samples if s.is_clean and not is_known(s)]
    assert len(chosen) > 800
    ours, theirs = both(chosen)
    compare_sorts(ours, theirs, chosen, is_clean=False)
    fields = (b"date", b"subject", b"message-id", b"references", b"in-reply-to")
    threaded = [
        n for n, s in enumerate(chosen, 1) if all(is_read_alike(s.raw, field) for field in fields)
    ]
    assert len(threaded) > 500
    compare_threads(ours, theirs, threaded)
    for command in (
        "SEARCH RETURN (MIN MAX COUNT) SUBJECT re",
        "SEARCH RETURN () SEEN",
        "UID SEARCH RETURN (ALL COUNT) NOT SUBJECT re",
        "SEARCH RETURN (COUNT) OLDER 600 YOUNGER 99999999",
        "SEARCH RETURN (MIN) SUBJECT nowhere",
        "UID SORT RETURN (COUNT MIN MAX) (SUBJECT) UTF-8 ALL",
        "UID SORT RETURN (PARTIAL 3:9) (REVERSE SIZE) UTF-8 SEEN",
        "SEARCH RETURN (PARTIAL 9000:9100) ALL",
    ):
        one, two = (data_of(imap, command) for imap in (ours, theirs))
        assert one == two, command


def data_of(imap: Imap, command: str) -> dict[bytes, bytes]:
    """The data of an ESEARCH response, by name: their order is free (RFC 4466 §2.6.2)."""
    reply = imap.ok(command)
    (line,) = [u for u in reply.untagged if u.startswith(b"ESEARCH")]
    data = re.sub(rb'^ESEARCH \(TAG "\w+"\)( UID)?', rb"", line)
    return dict(re.findall(rb" ([A-Z]+) (\([^)]*\)|\S+)", data))
