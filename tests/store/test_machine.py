"""Long random lives of an account, beside a model of plain dictionaries that knows what must come out."""

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from mailserver.base.errors import AlreadyExists, Cannot, OverQuota
from mailserver.base.ids import MailboxId, ModSeq, Uid
from mailserver.store import flags as bits
from mailserver.store.spool import body_of
from store.world import NOW, World, derived

QUOTA = 400
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # nothing here is about the disk
KEYWORDS = ["$Work", "$WORK", "a", "b"]


def folded(words: Iterable[str]) -> frozenset[str]:
    """Keywords as the model compares them: case means nothing."""
    return frozenset(word.lower() for word in words)


@dataclass
class Message:
    """A message as the model sees it; copies share it."""

    raw: bytes


@dataclass(frozen=True)
class Place:
    message: Message
    flags: int
    keywords: frozenset[str]

    def __hash__(self) -> int:
        return hash((id(self.message), self.flags, self.keywords))


@dataclass
class Box:
    id: MailboxId
    uidvalidity: int
    places: dict[int, Place] = field(default_factory=dict)
    given: int = 0  # the highest UID ever
    selectable: bool = True


class Life(RuleBasedStateMachine):
    """Rules do the same to the store and to the model; invariants compare them."""

    seen = Bundle("seen")  # (mailbox id, modseq, its places): what a client remembers

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        self.world = World(Path(self.folder.name))
        self.alice = self.world.alice.id
        self.store = self.world.store
        self.store.write_now(lambda tx: tx.accounts.set(self.alice, quota=QUOTA))
        self.boxes = {
            m.name: Box(m.id, m.uidvalidity)
            for m in self.store.read_now(lambda tx: tx.mailboxes.all(self.alice))
        }
        self.validities: dict[str, int] = {n: b.uidvalidity for n, b in self.boxes.items()}
        self.modseqs: dict[MailboxId, int] = {}

    def teardown(self) -> None:
        self.world.close()
        self.folder.cleanup()

    # what the model knows

    def used(self) -> int:
        return sum(len(m.raw) for m in self.messages())

    def messages(self) -> list[Message]:
        found = {id(p.message): p.message for b in self.boxes.values() for p in b.places.values()}
        return list(found.values())

    def pick(self, data: st.DataObject) -> tuple[str, Box]:
        name = data.draw(st.sampled_from(sorted(n for n, b in self.boxes.items() if b.selectable)))
        return name, self.boxes[name]

    def some_uids(self, data: st.DataObject, box: Box) -> list[Uid]:
        """UIDs that are there, were there, and never were."""
        return sorted(data.draw(st.sets(st.integers(1, box.given + 2), max_size=6)))  # type: ignore[return-value]

    # rules

    @rule(
        data=st.data(),
        raw=st.sampled_from([b"", b"one", b"two two", b"x" * 60, b"y" * 150]),
        flags=st.integers(0, 31),
        words=st.sets(st.sampled_from(KEYWORDS)),
        is_file=st.booleans(),
        keys=st.lists(st.integers(-3, 3), max_size=3, unique=True),
    )
    def add(self, data, raw, flags, words, is_file, keys) -> None:
        _, box = self.pick(data)
        prepared = self.store.prepare(body_of(raw), 50 if is_file else 1000)

        def job(tx):
            return tx.messages.add(
                self.alice,
                box.id,
                tx.blobs.put(prepared),
                derived(*keys),
                flags=flags,
                keywords=words,
                internal_at=NOW,
            )

        try:
            placed = self.store.write_now(job)
        except OverQuota:
            prepared.discard()
            assert self.used() + len(raw) > QUOTA
            return
        assert self.used() + len(raw) <= QUOTA
        assert placed.uid > box.given
        box.given = placed.uid
        box.places[placed.uid] = Place(Message(raw), flags, folded(words))

    @rule(data=st.data(), is_move=st.booleans())
    def copy_or_move(self, data, is_move) -> None:
        _, source = self.pick(data)
        _, target = self.pick(data)
        uids = self.some_uids(data, source)
        pairs = self.store.write_now(
            lambda tx: (tx.messages.move if is_move else tx.messages.copy)(
                source.id, uids, target.id
            )
        )
        there = [u for u in uids if u in source.places]
        assert [old for old, _ in pairs] == there
        new = [n for _, n in pairs]
        assert new == sorted(new)
        assert all(n > target.given for n in new)
        taken = {old: source.places[old] for old in there}
        for old, uid in pairs:
            if is_move:
                del source.places[old]
            target.places[uid] = taken[old]
        target.given = max([target.given, *new])

    @rule(
        data=st.data(),
        how=st.sampled_from(["add", "remove", "replace"]),
        flags=st.integers(0, 31),
        words=st.sets(st.sampled_from(KEYWORDS), max_size=2),
    )
    def flag(self, data, how, flags, words) -> None:
        _, box = self.pick(data)
        uids = self.some_uids(data, box)
        rows = self.store.write_now(
            lambda tx: tx.messages.change_flags(box.id, uids, how, flags, sorted(words))
        )
        given = folded(words)
        for uid in uids:
            if uid not in box.places:
                continue
            old = box.places[uid]
            have = old.keywords
            now = {"add": have | given, "remove": have - given, "replace": given}[how]
            bit = {"add": old.flags | flags, "remove": old.flags & ~flags, "replace": flags}[how]
            box.places[uid] = replace(old, flags=bit, keywords=now)
        assert [(r.uid, r.flags) for r in rows] == [
            (u, box.places[u].flags) for u in uids if u in box.places
        ]

    @rule(data=st.data(), is_all=st.booleans())
    def expunge(self, data, is_all) -> None:
        _, box = self.pick(data)
        uids = None if is_all else self.some_uids(data, box)
        gone = self.store.write_now(lambda tx: tx.messages.expunge(box.id, uids))
        expected = [
            u
            for u, p in sorted(box.places.items())
            if p.flags & bits.DELETED and (uids is None or u in uids)
        ]
        assert gone == expected
        for uid in gone:
            del box.places[uid]

    @rule(data=st.data(), name=st.sampled_from(["A", "A/B", "A/B/C", "D", "Sent", "INBOX/E"]))
    def create(self, data, name) -> None:
        try:
            made = self.store.write_now(lambda tx: tx.mailboxes.create(self.alice, name))
        except AlreadyExists:
            assert self.boxes[name].selectable
            return
        assert name not in self.boxes or not self.boxes[name].selectable
        self.note_new_names()
        assert self.boxes[name].id == made.id

    @rule(data=st.data())
    def delete(self, data) -> None:
        name = data.draw(st.sampled_from(sorted(self.boxes)))
        has_inferiors = any(n.startswith(name + "/") for n in self.boxes)
        try:
            self.store.write_now(lambda tx: tx.mailboxes.delete(self.alice, name))
        except Cannot:
            assert name == "INBOX" or (has_inferiors and not self.boxes[name].selectable)
            return
        assert name != "INBOX"
        del self.boxes[name]
        if has_inferiors:
            self.note_new_names()
            assert not self.boxes[name].selectable

    @rule(data=st.data(), new=st.sampled_from(["A", "A/B", "D", "F/G", "Trash"]))
    def rename(self, data, new) -> None:
        name = data.draw(st.sampled_from(sorted(self.boxes)))
        try:
            self.store.write_now(lambda tx: tx.mailboxes.rename(self.alice, name, new))
        except AlreadyExists:
            assert new in self.boxes
            return
        except Cannot:
            assert new.startswith(name + "/")
            return
        assert new not in self.boxes
        if name == "INBOX":
            inbox = self.boxes[name]
            self.note_new_names()
            target = self.boxes[new]
            for uid, (_, place) in enumerate(sorted(inbox.places.items()), 1):
                target.places[uid] = place
                target.given = uid
            inbox.places.clear()
            return
        for old in [n for n in self.boxes if n == name or n.startswith(name + "/")]:
            self.boxes[new + old[len(name) :]] = self.boxes.pop(old)
        self.note_new_names()

    def note_new_names(self) -> None:
        """Superior names that were made, and UIDVALIDITY, which must not go back under any name."""
        for m in self.store.read_now(lambda tx: tx.mailboxes.all(self.alice)):
            box = self.boxes.get(m.name)
            if box is None or box.id != m.id:
                self.boxes[m.name] = box = Box(m.id, m.uidvalidity)
            if m.is_selectable and not box.selectable:
                box.given, box.places = 0, {}
            box.selectable = m.is_selectable
            before = self.validities.get(m.name, 0)
            assert m.uidvalidity >= before
            if m.uidvalidity != before and box.uidvalidity == m.uidvalidity:
                assert m.uidvalidity > before
            box.uidvalidity = m.uidvalidity
            self.validities[m.name] = m.uidvalidity

    # what a client that was away is told

    @rule(data=st.data(), target=seen)
    def look(self, data):
        _, box = self.pick(data)
        modseq = self.world.by_id(box.id).modseq
        return box.id, modseq, dict(box.places)

    @rule(memory=consumes(seen))
    def catch_up(self, memory) -> None:
        mailbox, since, places = memory
        box = next((b for b in self.boxes.values() if b.id == mailbox), None)
        if box is None or not box.selectable or not places.keys() <= set(range(box.given + 1)):
            return
        delta = self.store.read_now(lambda tx: tx.messages.changes(mailbox, ModSeq(since)))
        assert delta.expunged == sorted(places.keys() - box.places.keys())
        assert {r.uid for r in delta.flags if r.is_new} == box.places.keys() - places.keys()
        told = {r.uid: (r.flags, folded(r.keywords.split())) for r in delta.flags}
        differ = {
            u
            for u in places.keys() & box.places.keys()
            if (places[u].flags, places[u].keywords)
            != (box.places[u].flags, box.places[u].keywords)
        }
        assert differ <= told.keys()
        for uid, state in told.items():
            assert state == (box.places[uid].flags, box.places[uid].keywords)
        assert delta.uidnext == box.given + 1

    # what holds at all times

    @invariant()
    def the_names_are_the_same(self) -> None:
        found = self.store.read_now(lambda tx: tx.mailboxes.all(self.alice))
        assert {m.name: (m.id, m.is_selectable) for m in found} == {
            n: (b.id, b.selectable) for n, b in self.boxes.items()
        }

    @invariant()
    def mailboxes_hold_what_they_should(self) -> None:
        def job(tx):
            return {
                box.id: list(
                    tx.messages.rows(box.id, [(1, 2**32)], "uid", "flags", "keywords", "blob")
                )
                for box in self.boxes.values()
            }

        rows = self.store.read_now(job)
        for box in self.boxes.values():
            assert {u: (f, folded(k.split())) for u, f, k, _ in rows[box.id]} == {
                u: (p.flags, p.keywords) for u, p in box.places.items()
            }
            for uid, _, _, blob in rows[box.id]:
                raw = self.store.read_now(lambda tx, blob=blob: tx.blobs.read(blob))
                assert raw == box.places[uid].message.raw

    @invariant()
    def counters_are_right(self) -> None:
        for box in self.boxes.values():
            m = self.world.by_id(box.id)
            places = list(box.places.values())
            assert (m.exists, m.unseen, m.deleted, m.size) == (
                len(places),
                sum(1 for p in places if not p.flags & bits.SEEN),
                sum(1 for p in places if p.flags & bits.DELETED),
                sum(len(p.message.raw) for p in places),
            )
            assert m.uidnext == box.given + 1
            assert m.modseq >= self.modseqs.get(box.id, 0)
            self.modseqs[box.id] = m.modseq
            unseen = [u for u, p in sorted(box.places.items()) if not p.flags & bits.SEEN]
            first = self.store.read_now(lambda tx, box=box: tx.messages.first_unseen(box.id))
            assert first == (unseen[0] if unseen else None)

    @invariant()
    def usage_is_right(self) -> None:
        account = self.world.account()
        assert (account.used, account.messages) == (self.used(), len(self.messages()))

    @invariant()
    def everything_fits_together(self) -> None:
        assert self.store.read_now(lambda tx: tx.verify.problems()) == []

    @invariant()
    def files_are_those_of_rows(self) -> None:
        large = {m.raw for m in self.messages() if len(m.raw) > 50}
        files = [p for p in self.store.blob_folder.rglob("*") if p.is_file()]
        assert len(files) <= len(large)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=40)
