"""Several clients on one mailbox, at random: each of them, believing what it is told, ends up with the truth.

RFC 3501 §5.2, §7.3, §7.4.1; RFC 9051 §5.5.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.engine import Client, House, logged_in

FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "blue")
NO_EXPUNGE = ("FETCH", "STORE", "SEARCH")
LINE = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|RECENT|FETCH)(?: \((.*)\))?")
FETCHED = re.compile(rb"(?:UID (\d+) )?FLAGS \(([^)]*)\)")

_numbers = itertools.count()


class Believer:
    """A client that knows only what the server says."""

    def __init__(self, house: House, mailbox: str) -> None:
        self.client: Client = logged_in(house)
        self.mailbox = mailbox
        self.messages: list[dict] = []
        self.recent = 0
        self.is_idling = False
        self.say(f"SELECT {mailbox}")
        self.say("FETCH 1:* (UID FLAGS)" if self.messages else "NOOP")

    def say(self, command: str) -> bytes:
        if command.startswith("SELECT"):
            self.messages = []
        said = self.client(b"x " + command.encode() + b"\r\n")
        assert b"SERVERBUG" not in said
        self.hear(said, expunges=not command.startswith(NO_EXPUNGE))
        return said

    def hear(self, said: bytes, *, expunges: bool = True) -> None:
        for line in said.splitlines():
            m = LINE.match(line)
            if m is None:
                continue
            number, what = int(m[1]), m[2]
            if what == b"EXISTS":
                assert number >= len(self.messages), (
                    "EXISTS never shrinks a mailbox (RFC 3501 §5.2)"
                )
                self.messages += [{} for _ in range(number - len(self.messages))]
            elif what == b"RECENT":
                self.recent = number
            elif what == b"EXPUNGE":
                assert expunges, "RFC 3501 §7.4.1"
                del self.messages[number - 1]
            else:
                found = FETCHED.search(m[3])
                assert found, line
                message = self.messages[number - 1]
                if found[1]:
                    assert message.get("uid") in (None, int(found[1])), (
                        "a number means another message"
                    )
                    message["uid"] = int(found[1])
                message["flags"] = {f for f in found[2].decode().split() if f != "\\Recent"}
                message["recent"] = "\\Recent" in found[2].decode()

    def act(self, what: str, number: int, flag: str) -> None:
        """One command; *number* picks a message by what this client believes."""
        if self.is_idling:
            self.hear(self.client(b"DONE\r\n"))
            self.is_idling = False
        seq = number % len(self.messages) + 1 if self.messages else 0
        if what in ("NOOP", "EXPUNGE"):
            self.say(what)
        elif what == "IDLE":
            self.hear(self.client(b"x IDLE\r\n"))
            self.is_idling = True
        elif what == "SELECT":
            self.say(f"SELECT {self.mailbox}")
            self.say("FETCH 1:* (UID FLAGS)" if self.messages else "NOOP")
        elif what == "APPEND":
            self.say(f"APPEND {self.mailbox} ({flag}) {{3+}}\r\nabc")
        elif seq and what in ("COPY", "MOVE"):
            self.say(f"{what} {seq}:* {self.mailbox}")
        elif seq and what == "FETCH":
            self.say(f"FETCH {seq} (UID FLAGS)")
        elif seq and what == "SEARCH":
            self.say(f"SEARCH {seq} NOT DELETED")
        elif seq and what.startswith("UID "):
            uid = self.messages[seq - 1].get("uid")
            if uid:
                self.say(f"{what} {uid} +FLAGS ({flag})" if "STORE" in what else f"{what} {uid}")
        elif seq:  # a STORE of some kind
            believed = self.messages[seq - 1].get("flags")
            self.say(f"STORE {seq} {what} ({flag})")
            message = self.messages[seq - 1]
            if what.endswith("SILENT") and believed is not None and message["flags"] is believed:
                own = {"+": believed | {flag}, "-": believed - {flag}}.get(what[0], {flag})
                message["flags"] = own


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(Path(tmp_path_factory.mktemp("many")))
    yield house
    house.close()


ACTS = st.sampled_from(
    [
        *("NOOP", "EXPUNGE", "IDLE", "SELECT", "APPEND", "COPY", "MOVE", "FETCH", "SEARCH"),
        *("+FLAGS", "-FLAGS", "FLAGS", "+FLAGS.SILENT", "-FLAGS.SILENT", "FLAGS.SILENT"),
        *("UID EXPUNGE", "UID STORE"),
    ]
)
STEPS = st.lists(
    st.tuples(st.integers(0, 2), ACTS, st.integers(0, 9), st.sampled_from(FLAGS)), max_size=40
)


@settings(max_examples=60)
@given(steps=STEPS)
@pytest.mark.rfc(3501, "5.2", "7.3.1", "7.4.1", "2.3.2")
def test_everybody_ends_up_with_the_truth(
    shared_house: House, steps: list[tuple[int, str, int, str]]
) -> None:
    house, mailbox = shared_house, f"box{next(_numbers)}"
    logged_in(house)(f"x CREATE {mailbox}\r\n".encode())
    for _ in range(3):
        house.deliver(mailbox=mailbox)
    believers = [Believer(house, mailbox) for _ in range(3)]
    for who, what, number, flag in steps:
        believers[who].act(what, number, flag)
        for other in believers:
            other.hear(other.client(b""))
    for believer in believers:
        believer.act("NOOP", 0, "")
    for believer in believers:
        believer.act("NOOP", 0, "")
    owner = house.accounts["alice"].id

    def truth(tx):
        found = tx.mailboxes.get(owner, mailbox)
        return {row.uid: row for row in tx.messages.flags(found.id, [(1, 4_294_967_295)])}

    rows = house.store.read_now(truth)
    for believer in believers:
        assert len(believer.messages) == len(rows)
        for message, (uid, row) in zip(believer.messages, rows.items(), strict=True):
            assert message.get("uid") in (None, uid)
            if "flags" in message:
                told = {flag.lower() for flag in message["flags"]}
                names = {"\\seen": 1, "\\flagged": 4, "\\deleted": 8}
                assert told == {n for n, bit in names.items() if row.flags & bit} | set(
                    row.keywords.split()
                )
        believer.say("FETCH 1:* (UID FLAGS)" if believer.messages else "NOOP")
        assert sum(m["recent"] for m in believer.messages) == believer.recent
    for uid in rows:
        owners = [m for b in believers for m in b.messages if m["uid"] == uid and m["recent"]]
        assert len(owners) <= 1, "\\Recent in two sessions"
    for believer in believers:
        believer.client.close()
        house.clients.remove(believer.client)
