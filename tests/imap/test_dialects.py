"""Clients of every dialect on one mailbox, model-checked: what each believes, what it could come back with, the truth.

RFC 3501 §5.2, §7.3, §7.4.1; RFC 9051 Appendix E; RFC 7162 §3.1, §3.2, §6; RFC 9586 §3.
"""

import itertools
import re
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from imap.believer import DIALECTS, Believer, Saved, unrolled
from imap.engine import Client, House, logged_in

NAMES = {1: "\\Seen", 2: "\\Answered", 4: "\\Flagged", 8: "\\Deleted", 16: "\\Draft"}
FLAGS = st.sampled_from(["\\Seen", "\\Flagged", "\\Deleted", "\\Deleted", "blue"])
WHO = st.integers(0, 2)
NUMBER = st.integers(0, 9)
_numbers = itertools.count()


class Person:
    """One client and its beliefs."""

    def __init__(self, house: House, mailbox: str, dialect: str) -> None:
        self.house = house
        self.client: Client = logged_in(house)
        self.believer = Believer(self.client, mailbox, dialect)
        self.is_idling = False

    def leave(self) -> None:
        self.client.close()
        self.house.clients.remove(self.client)

    def wake(self) -> None:
        if self.is_idling:
            self.believer.hear(self.client(b"DONE\r\n"))
            self.is_idling = False

    def uids(self, low: int, high: int) -> list[int]:
        """The UIDs of the messages *low* to *high*, as the client counts."""
        return list(self.client.session.view.uids[low - 1 : high])


class Mailbox(RuleBasedStateMachine):
    """truth: flags by UID, as the commands must have left them."""

    house: ClassVar[House]

    def __init__(self) -> None:
        super().__init__()
        self.name = f"box{next(_numbers)}"
        self.truth: dict[int, set[str]] = {}
        self.people: list[Person] = []
        self.away: list[tuple[Saved, str]] = []
        admin = logged_in(self.house)
        admin(f"x CREATE {self.name}\r\n".encode())
        admin.close()
        self.house.clients.remove(admin)
        owner = self.house.accounts["alice"].id
        self.id = self.house.store.read_now(lambda tx: tx.mailboxes.get(owner, self.name).id)

    @initialize(
        first=st.sampled_from(["qresync", "rev2 qresync", "uidonly qresync"]),
        others=st.lists(st.sampled_from(sorted(DIALECTS)), min_size=2, max_size=2),
    )
    def begin(self, first: str, others: list[str]) -> None:
        for _ in range(4):
            self.truth[self.house.deliver(mailbox=self.name).uid] = set()
        for dialect in (first, *others):
            self.people.append(Person(self.house, self.name, dialect))
            self.people[-1].believer.open()

    def teardown(self) -> None:
        while self.away:
            self.come_back(names_uids=False)
        for person in self.people:
            person.wake()
            believer = person.believer
            believer.say("NOOP")
            believer.say("NOOP")
            assert len(believer.messages) == len(self.truth)
            for message in believer.messages:
                if message.uid and message.flags is not None:
                    assert message.flags == self.truth[message.uid], believer.dialect
            if believer.messages:
                believer.fetch("1:*")
            assert {m.uid for m in believer.messages} == set(self.truth)
            assert not believer.is_rev2 or believer.recent == 0
            person.leave()
        rows = self.house.store.read_now(
            lambda tx: tx.messages.flags(self.id, [(1, 4_294_967_295)])
        )
        kept = {
            r.uid: {n for bit, n in NAMES.items() if r.flags & bit} | set(r.keywords.split())
            for r in rows
        }
        assert kept == self.truth

    # what somebody does

    def person(self, who: int) -> Person:
        person = self.people[who % len(self.people)]
        person.wake()
        return person

    def chosen(self, person: Person, number: int) -> tuple[str, list[int]]:
        """A range of messages as a command names it, and the UIDs it means; ("", []) where there are none."""
        count = len(person.believer.messages)
        if not count:
            return "", []
        low = number % count + 1
        high = min(low + number // 4, count)
        uids = person.uids(low, high)
        if person.believer.is_uid_only:
            return ",".join(map(str, uids)), uids
        return f"{low}:{high}", uids

    def prefix(self, person: Person) -> str:
        return "UID " if person.believer.is_uid_only else ""

    @rule(
        who=WHO,
        number=NUMBER,
        flag=FLAGS,
        sign=st.sampled_from(["+", "-", ""]),
        silent=st.booleans(),
    )
    def store(self, who: int, number: int, flag: str, sign: str, silent: bool) -> None:
        person = self.person(who)
        named, uids = self.chosen(person, number)
        if uids:
            self._store(person, named, uids, flag, sign, silent, "")

    @rule(
        who=WHO,
        number=NUMBER,
        flag=FLAGS,
        sign=st.sampled_from(["+", "-", ""]),
        silent=st.booleans(),
    )
    def store_unchanged(self, who: int, number: int, flag: str, sign: str, silent: bool) -> None:
        person = self.person(who)
        named, uids = self.chosen(person, number)
        if uids and person.believer.has_modseq:
            since = max(person.believer.highest, 1)
            modseqs = self.modseqs()
            may = [uid for uid in uids if modseqs.get(uid, 0) <= since]
            failed = [uid for uid in uids if modseqs.get(uid, 0) > since]
            said = self._store(person, named, may, flag, sign, silent, f" (UNCHANGEDSINCE {since})")
            m = re.search(rb"MODIFIED ([0-9,:]+)", said)
            numbers = unrolled(m[1]) if m else []
            if not person.believer.is_uid_only:
                numbers = [uid for n in numbers for uid in person.uids(n, n)]
            assert numbers == failed, "RFC 7162 §3.1.3"

    def _store(
        self,
        person: Person,
        named: str,
        uids: list[int],
        flag: str,
        sign: str,
        silent: bool,
        modifier: str,
    ) -> bytes:
        suffix = ".SILENT" if silent else ""
        before = {m.uid: m.flags for m in person.believer.messages}
        said = person.believer.say(
            f"{self.prefix(person)}STORE {named}{modifier} {sign}FLAGS{suffix} ({flag})"
        )
        for uid in uids:
            if uid in self.truth:
                new = {"+": self.truth[uid] | {flag}, "-": self.truth[uid] - {flag}}
                self.truth[uid] = new.get(sign, {flag})
        for message in person.believer.messages:
            old = before.get(message.uid)
            if silent and message.uid in uids and old is not None and message.flags is old:
                new = {"+": old | {flag}, "-": old - {flag}}
                message.flags = new.get(sign, {flag})
        return said

    @rule(who=WHO, number=NUMBER)
    def see(self, who: int, number: int) -> None:
        person = self.person(who)
        named, uids = self.chosen(person, number)
        if uids:
            items = "UID MODSEQ BODY[TEXT]<5000.1>"
            if not person.believer.has_modseq:
                items = items.replace("MODSEQ ", "")
            person.believer.say(f"{self.prefix(person)}FETCH {named} ({items})")
            for uid in uids:
                if uid in self.truth:
                    self.truth[uid] |= {"\\Seen"}

    @rule(who=WHO, number=NUMBER)
    def fetch(self, who: int, number: int) -> None:
        person = self.person(who)
        named, uids = self.chosen(person, number)
        if uids:
            person.believer.fetch(named)

    @rule(who=WHO, since=st.integers(0, 3), vanished=st.booleans())
    def fetch_changes(self, who: int, since: int, vanished: bool) -> None:
        person = self.person(who)
        believer = person.believer
        if believer.has_modseq and believer.messages:
            modifier = f"CHANGEDSINCE {max(believer.highest - since, 1)}"
            if vanished and believer.has_qresync:
                believer.earlier = set()
                counted = {m.uid for m in believer.messages}
                believer.say(f"UID FETCH 1:* (UID FLAGS) ({modifier} VANISHED)")
                assert not believer.earlier & set(self.truth), "these are still there"
                assert not believer.earlier & counted, "RFC 7162 §3.2.10.2"
            else:
                named, _ = self.chosen(person, 0)
                believer.fetch(named, f" ({modifier})")

    @rule(who=WHO)
    def expunge(self, who: int) -> None:
        self.person(who).believer.say("EXPUNGE")
        self.truth = {uid: f for uid, f in self.truth.items() if "\\Deleted" not in f}

    @rule(who=WHO, number=NUMBER)
    def uid_expunge(self, who: int, number: int) -> None:
        person = self.person(who)
        _, uids = self.chosen(person, number)
        if uids:
            person.believer.say(f"UID EXPUNGE {','.join(map(str, uids))}")
            for uid in uids:
                if "\\Deleted" in self.truth.get(uid, ()):
                    del self.truth[uid]

    @rule(who=WHO, flag=FLAGS)
    def append(self, who: int, flag: str) -> None:
        said = self.person(who).believer.say(f"APPEND {self.name} ({flag}) {{3+}}\r\nabc")
        uid = re.search(rb"APPENDUID \d+ (\d+)", said)
        assert uid
        self.truth[int(uid[1])] = {flag}

    @rule()
    def deliver(self) -> None:
        self.truth[self.house.deliver(mailbox=self.name).uid] = set()

    @rule(who=WHO, number=NUMBER, verb=st.sampled_from(["COPY", "MOVE"]))
    def copy(self, who: int, number: int, verb: str) -> None:
        person = self.person(who)
        named, uids = self.chosen(person, number)
        if uids and len(self.truth) < 30:
            said = person.believer.say(f"{self.prefix(person)}{verb} {named} {self.name}")
            pairs = re.search(rb"COPYUID \d+ ([0-9,:]+) ([0-9,:]+)", said)
            if pairs:
                for old, new in zip(unrolled(pairs[1]), unrolled(pairs[2]), strict=True):
                    self.truth[new] = set(self.truth[old])
                    if verb == "MOVE":
                        del self.truth[old]

    @rule(who=WHO, what=st.sampled_from(["NOOP", "SEARCH 1:* NOT DELETED", "UID SEARCH ALL"]))
    def ask(self, who: int, what: str) -> None:
        believer = self.person(who).believer
        if not (what.startswith("SEARCH") and (believer.is_uid_only or not believer.messages)):
            believer.say(what)

    @rule(who=WHO)
    def idle(self, who: int) -> None:
        person = self.person(who)
        person.believer.say("IDLE")
        person.is_idling = True

    @rule(who=WHO)
    def reopen(self, who: int) -> None:
        self.person(who).believer.open()

    @rule(who=WHO, number=NUMBER, flag=FLAGS)
    def behind_the_others(self, who: int, number: int, flag: str) -> None:
        """One message is removed, then another one changes."""
        for step in (self._doom, self.expunge_one, self._touch):
            step(who, number, flag)

    def _doom(self, who: int, number: int, flag: str) -> None:
        person = self.person(who)
        named, uids = self.chosen(person, number % 4)
        if uids:
            self._store(person, named, uids, "\\Deleted", "+", True, "")

    def expunge_one(self, who: int, number: int, flag: str) -> None:
        self.expunge(who)

    def _touch(self, who: int, number: int, flag: str) -> None:
        person = self.person(who)
        named, uids = self.chosen(person, number // 2)
        if uids:
            self._store(person, named, uids, flag, "+", False, "")

    @rule(who=WHO, number=NUMBER, then_leaves=st.booleans())
    def glance(self, who: int, number: int, then_leaves: bool) -> None:
        """A look by numbers, during which nothing may vanish; perhaps the last one before the connection breaks."""
        self.fetch(who, number)
        if then_leaves:
            self.go_away(who)

    @rule(who=WHO)
    def go_away(self, who: int) -> None:
        """The connection breaks."""
        person = self.person(who)
        if person.believer.has_qresync and len(self.people) > 1:
            self.people.remove(person)
            self.away.append((person.believer.saved(), person.believer.dialect))
            person.leave()

    @rule(names_uids=st.booleans())
    @precondition(lambda self: self.away)
    def come_back(self, names_uids: bool) -> None:
        """What the client has kept, brought up to date, is the truth."""
        saved, dialect = self.away.pop(0)
        person = Person(self.house, self.name, dialect)
        self.people.append(person)
        person.believer.resync(saved, names_uids=names_uids)
        assert len(person.believer.messages) == len(self.truth)
        for uid, flags in person.believer.cache.items():
            assert self.truth.get(uid) == flags, f"{dialect}: UID {uid} since {saved.highest}"
        assert not person.believer.earlier & set(self.truth)
        if person.believer.messages:
            person.believer.fetch("1:*")

    @rule(keep=st.integers(0, 1))
    @precondition(lambda self: self.truth)
    def forget(self, keep: int) -> None:
        """The server forgets what was expunged long ago, also while clients have not heard of it."""
        self.house.store.write_now(lambda tx: tx.tombstones.forget(self.id, keep, 100))

    @invariant()
    def everybody_hears(self) -> None:
        for person in self.people:
            person.believer.hear(person.client(b""))

    def modseqs(self) -> dict[int, int]:
        return self.house.store.read_now(
            lambda tx: dict(tx.messages.rows(self.id, [(1, 4_294_967_295)], "uid", "modseq"))
        )


@pytest.mark.rfc(7162, "3.1.3", "3.1.4.1", "3.2.4", "3.2.5.1", "3.2.6", "3.2.10.2", "6")
@pytest.mark.rfc(9586, "3.3", "3.4", "3.6")
def test_everybody_ends_up_with_the_truth_in_his_dialect() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Mailbox.house = House(Path(folder))
        try:
            run_state_machine_as_test(
                Mailbox,
                settings=settings(
                    max_examples=50, stateful_step_count=25, database=None, deadline=None
                ),
            )
        finally:
            Mailbox.house.close()
