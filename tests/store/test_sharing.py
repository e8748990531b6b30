r"""Messages in mailboxes of others: \Seen for each reader, rights, and messages that change hands.

A state machine holds the store against a model: who sees which flags in which mailbox.  What `changes` tells a reader
must lead from what he saw before to what he sees now, with modseqs that grow.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mailserver.base.errors import NotAllowed, OverQuota
from mailserver.base.ids import AccountId, MailboxId, Uid
from mailserver.directory.rights import ALL
from mailserver.store import adopting, sharing
from mailserver.store import flags as bits
from mailserver.store.messages import Messages
from mailserver.store.values import FlagRow
from store.world import NOW, World, derived

WHO = ("alice", "bob", "carol")
BOXES = (("alice", "INBOX"), ("alice", "Archive"), ("bob", "INBOX"))
RIGHTS = ("lr", "lrs", "lrw", "lrst", "lrswite", ALL)


class Shared:
    """A world with bob and carol beside alice, and what each is let to do in mailboxes of others."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.store = self.world.store

        def people(tx: Any) -> dict[str, AccountId]:
            domain = tx.domains.by_name("example.test").id
            return {name: tx.accounts.add(domain, name, "hash").id for name in WHO[1:]}

        self.accounts = {"alice": self.world.alice.id, **self.store.write_now(people)}
        self.boxes: dict[tuple[str, str], MailboxId] = {
            (owner, name): self.store.read_now(
                lambda tx, owner=owner, name=name: tx.mailboxes.get(self.accounts[owner], name).id
            )
            for owner, name in BOXES
        }
        self.rights: dict[tuple[str, str], str] = {}

    def enter(self, tx: Any, who: str) -> None:
        """*tx* is *who*'s from here on."""
        for (owner, name), box in self.boxes.items():
            if owner != who:
                tx.enter(box, self.accounts[who], self.rights.get((who, f"{owner}/{name}"), ALL))

    def read(self, who: str, job: Callable[[Any], Any]) -> Any:
        def as_who(tx: Any) -> Any:
            self.enter(tx, who)
            return job(tx)

        return self.store.read_now(as_who)

    def write(self, who: str, job: Callable[[Any], Any]) -> Any:
        def as_who(tx: Any) -> Any:
            self.enter(tx, who)
            return job(tx)

        return self.store.write_now(as_who)

    def add(self, who: str, place: tuple[str, str], raw: bytes, flags: int = 0) -> Uid:
        owner, box = self.accounts[place[0]], self.boxes[place]
        prepared = self.store.prepare(sharing_body(raw), 10)

        def job(tx: Any) -> Uid:
            blob = tx.blobs.put(prepared)
            return tx.messages.add(owner, box, blob, derived(7), flags=flags, internal_at=NOW).uid

        return self.write(who, job)

    def rows(self, who: str, place: tuple[str, str]) -> list[FlagRow]:
        return self.read(who, lambda tx: tx.messages.flags(self.boxes[place], [(1, 2**31)]))


def sharing_body(raw: bytes) -> Any:
    from mailserver.store.spool import body_of

    return body_of(raw)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Shared]:
    shared = Shared(tmp_path)
    yield shared
    shared.world.close()


INBOX, ARCHIVE, OTHER = BOXES


class Machine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.shared = Shared(Path(self.folder.name))
        self.model: dict[tuple[str, str], dict[int, dict[str, Any]]] = {box: {} for box in BOXES}
        self.told: dict[tuple[str, tuple[str, str]], tuple[int, dict[int, tuple[int, str]]]] = {
            (who, box): (1, {}) for who in WHO for box in BOXES
        }
        self.count = 0

    def teardown(self) -> None:
        if hasattr(self, "shared"):
            self.shared.world.close()
            self.folder.cleanup()

    def rights(self, who: str, box: tuple[str, str]) -> str:
        if box[0] == who:
            return ALL
        return self.shared.rights.get((who, "/".join(box)), ALL)

    def may(self, who: str, box: tuple[str, str]) -> int:
        rights = self.rights(who, box)
        return (
            (bits.SEEN if "s" in rights else 0)
            | (bits.DELETED if "t" in rights else 0)
            | (bits.ANSWERED | bits.FLAGGED | bits.DRAFT if "w" in rights else 0)
        )

    @rule(who=st.sampled_from(WHO), box=st.sampled_from(BOXES), rights=st.sampled_from(RIGHTS))
    def grant(self, who: str, box: tuple[str, str], rights: str) -> None:
        self.shared.rights[who, "/".join(box)] = rights

    @rule(who=st.sampled_from(WHO), box=st.sampled_from(BOXES), flags=st.integers(0, bits.ALL))
    def add(self, who: str, box: tuple[str, str], flags: int) -> None:
        self.count += 1
        if "i" not in self.rights(who, box):
            with pytest.raises(NotAllowed):
                self.shared.add(who, box, b"x", flags)
            return
        uid = self.shared.add(who, box, b"message %d" % (self.count % 3), flags)
        kept = flags & self.may(who, box)
        seen = {who} if kept & bits.SEEN else set()
        self.model[box][uid] = {"flags": kept & ~bits.SEEN, "words": "", "seen": seen}

    @rule(
        who=st.sampled_from(WHO),
        box=st.sampled_from(BOXES),
        how=st.sampled_from(["add", "remove", "replace"]),
        flags=st.integers(0, bits.ALL),
        word=st.sampled_from(["", "Work"]),
        nth=st.sets(st.integers(0, 5), max_size=4),
    )
    def change(
        self, who: str, box: tuple[str, str], how: Any, flags: int, word: str, nth: set[int]
    ) -> None:
        messages = self.model[box]
        uids = [uid for n, uid in enumerate(sorted(messages)) if n in nth]
        words = [word] if word else []
        may, has_words = self.may(who, box), "w" in self.rights(who, box)

        def job(tx: Any) -> Any:
            return tx.messages.change_flags(self.shared.boxes[box], uids, how, flags, words)

        asked = may if how == "replace" else may & flags
        if who != box[0] and not asked and not (words and has_words):
            with pytest.raises(NotAllowed):
                self.shared.write(who, job)
            return
        self.shared.write(who, job)
        for uid in uids:
            message = messages[uid]
            shared = may & ~bits.SEEN
            if how == "add":
                message["flags"] |= flags & shared
            elif how == "remove":
                message["flags"] &= ~(flags & shared)
            else:
                message["flags"] = message["flags"] & ~shared | flags & shared
            if has_words and how != "remove":
                if word or how == "replace":
                    message["words"] = word
            elif has_words and word:
                message["words"] = ""
            if may & bits.SEEN and (how == "replace" or flags & bits.SEEN):
                if how != "remove" and flags & bits.SEEN:
                    message["seen"].add(who)
                else:
                    message["seen"].discard(who)

    @rule(
        who=st.sampled_from(WHO),
        origin=st.sampled_from(BOXES),
        goal=st.sampled_from(BOXES),
        nth=st.sets(st.integers(0, 5), max_size=4),
        is_move=st.booleans(),
    )
    def carry(
        self,
        who: str,
        origin: tuple[str, str],
        goal: tuple[str, str],
        nth: set[int],
        is_move: bool,
    ) -> None:
        uids = [uid for n, uid in enumerate(sorted(self.model[origin])) if n in nth]
        a, b = self.shared.boxes[origin], self.shared.boxes[goal]

        def job(tx: Any) -> Any:
            return (tx.messages.move if is_move else tx.messages.copy)(a, uids, b)

        needs = set("rte" if is_move else "r")
        if not needs <= set(self.rights(who, origin)) or "i" not in self.rights(who, goal):
            with pytest.raises(NotAllowed):
                self.shared.write(who, job)
            return
        pairs = self.shared.write(who, job)
        assert [old for old, _ in pairs] == uids
        may, has_words = self.may(who, goal), "w" in self.rights(who, goal)
        for old, new in pairs:
            message = self.model[origin][old]
            seen = set(message["seen"]) - {who} if origin[0] == goal[0] else set()
            if may & bits.SEEN and who in message["seen"]:
                seen.add(who)
            self.model[goal][new] = {
                "flags": message["flags"] & may,
                "words": message["words"] if has_words else "",
                "seen": seen,
            }
        if is_move:
            for old, _ in pairs:
                del self.model[origin][old]

    @rule(who=st.sampled_from(WHO), box=st.sampled_from(BOXES))
    def expunge(self, who: str, box: tuple[str, str]) -> None:
        def job(tx: Any) -> Any:
            return tx.messages.expunge(self.shared.boxes[box])

        if "e" not in self.rights(who, box):
            with pytest.raises(NotAllowed):
                self.shared.write(who, job)
            return
        gone = self.shared.write(who, job)
        doomed = [uid for uid, m in sorted(self.model[box].items()) if m["flags"] & bits.DELETED]
        assert gone == doomed
        for uid in doomed:
            del self.model[box][uid]

    @invariant()
    def everybody_sees_his_own(self) -> None:
        if not hasattr(self, "shared"):
            return
        for who in WHO:
            for box in BOXES:
                self.check(who, box)
        assert self.shared.store.read_now(lambda tx: tx.verify.problems()) == []

    def check(self, who: str, box: tuple[str, str]) -> None:
        since, before = self.told[who, box]
        mailbox = self.shared.boxes[box]

        def look(tx: Any) -> Any:
            found = tx.mailboxes.by_id(mailbox)
            return (
                tx.messages.flags(mailbox, [(1, 2**31)]),
                tx.messages.changes(mailbox, since),
                tx.messages.unseen(mailbox),
                tx.messages.first_unseen(mailbox),
                tx.messages.unseen_count(found),
            )

        rows, delta, unseen, first, count = self.shared.read(who, look)
        now = {row.uid: (row.flags, row.keywords) for row in rows}
        assert now == {
            uid: (m["flags"] | (bits.SEEN if who in m["seen"] else 0), m["words"])
            for uid, m in self.model[box].items()
        }
        expected = [uid for uid, m in sorted(self.model[box].items()) if who not in m["seen"]]
        assert (unseen, first, count) == (expected, min(expected, default=None), len(expected))
        assert all(row.modseq <= delta.modseq for row in rows)
        moved = {uid: value for uid, value in before.items() if uid not in set(delta.expunged)}
        moved |= {row.uid: (row.flags, row.keywords) for row in delta.flags}
        assert moved == now
        assert {row.uid for row in delta.flags if row.is_new} == now.keys() - before.keys()
        self.told[who, box] = (delta.modseq, now)


Machine.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestMachine = Machine.TestCase


#: of `Messages`, what gives away no flags, modseqs or contents, or is only for the store itself
SAME_FOR_ALL = {
    "uids", "keywords", "places", "places_above", "places_of", "reclaimable",
    "drain", "flags", "keep_previews", "keep_ancestry",
}  # fmt: skip


def test_nothing_goes_past_the_guest() -> None:
    r"""Whatever else reads or changes messages knows of guests; `flags` asks `rows`."""
    methods = {name for name in dir(Messages) if not name.startswith("_")}
    assert methods - SAME_FOR_ALL == {
        name for name in vars(sharing.SharedMessages) if name in methods
    }


@pytest.mark.rfc(9051, "6.4.7")
def test_a_message_changes_hands(shared: Shared) -> None:
    """The other account gets a message of its own, of the same bytes, counted once, in a thread of its own."""
    shared.add("alice", INBOX, b"hello there")
    shared.write(
        "bob", lambda tx: tx.messages.copy(shared.boxes[INBOX], [Uid(1)], shared.boxes[OTHER])
    )
    columns = "message", "blob", "thread", "size"

    def job(tx: Any) -> Any:
        return [
            next(iter(tx.messages.rows(shared.boxes[box], [1], *columns))) for box in (INBOX, OTHER)
        ]

    (first, blob, thread, size), (second, same, other, _) = shared.store.read_now(job)
    assert blob == same
    assert (first >> 32, second >> 32) == (shared.accounts["alice"], shared.accounts["bob"])
    assert thread >> 32 == shared.accounts["alice"]
    assert other >> 32 == shared.accounts["bob"]
    used = shared.store.read_now(lambda tx: tx.accounts.get(shared.accounts["bob"]))
    assert (used.used, used.messages) == (size, 1)
    shared.write(
        "alice", lambda tx: tx.messages.change_flags(shared.boxes[INBOX], [Uid(1)], "add", 8)
    )
    shared.write("alice", lambda tx: tx.messages.expunge(shared.boxes[INBOX]))
    assert shared.store.read_now(lambda tx: tx.blobs.read(same)) == b"hello there"
    assert shared.store.read_now(lambda tx: tx.verify.problems()) == []


@pytest.mark.rfc(9208, "5.1")
def test_the_quota_is_that_of_who_gets_it(shared: Shared) -> None:
    shared.add("alice", INBOX, b"0123456789")
    shared.store.write_now(lambda tx: tx.accounts.set(shared.accounts["bob"], quota=15))
    for act in ("copy", "move"):
        shared.write(
            "bob", lambda tx: tx.messages.copy(shared.boxes[OTHER], [], shared.boxes[INBOX])
        )
        if act == "copy":
            shared.write(
                "bob",
                lambda tx: tx.messages.copy(shared.boxes[INBOX], [Uid(1)], shared.boxes[OTHER]),
            )
        with pytest.raises(OverQuota):
            shared.write(
                "bob",
                lambda tx, act=act: getattr(tx.messages, act)(
                    shared.boxes[INBOX], [Uid(1)], shared.boxes[OTHER]
                ),
            )
    assert len(shared.rows("alice", INBOX)) == len(shared.rows("bob", OTHER)) == 1
    assert shared.store.read_now(lambda tx: tx.verify.problems()) == []


def test_everything_of_a_message_is_carried(shared: Shared) -> None:
    """What a later schema adds to messages has to be named, or said to be the account's own."""

    def job(tx: Any) -> set[str]:
        return {name for _, name, *_ in tx.settings._db.rows("PRAGMA table_info(message)")}

    carried = {name.strip() for name in adopting.CARRIED.split(",")}
    assert shared.store.read_now(job) - carried == {"id", "thread_id", "created_modseq"}


@pytest.mark.parametrize("who", ["bob", "alice"])
def test_what_is_removed_leaves_nothing_behind(shared: Shared, who: str) -> None:
    """Of a reader, and of an owner whom others read; in slices, and whole in between."""
    for n in range(10):
        shared.add("alice", INBOX, b"%d" % n)
    everything = [Uid(n) for n in range(1, 11)]
    for reader in ("bob", "carol"):
        shared.write(
            reader, lambda tx: tx.messages.change_flags(shared.boxes[INBOX], everything, "add", 1)
        )
    shared.store.write_now(lambda tx: tx.accounts.remove(shared.accounts[who]))
    for _ in range(100):
        assert shared.store.read_now(lambda tx: tx.verify.problems()) == []
        if not shared.store.write_now(lambda tx: tx.purge.some(3)):
            break

    def left(tx: Any) -> list[int]:
        db = tx.settings._db
        return [db.rows(f"SELECT count(*) FROM {table}")[0][0] for table in ("seen", "reader")]

    assert shared.store.read_now(left) == ([10, 1] if who == "bob" else [0, 0])
