"""What left a mailbox is remembered up to a bound, and never wrongly (RFC 7162 §5.3)."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.base.ids import ModSeq, Uid
from store.world import World


def expunge(world: World, *uids: int) -> int:
    """Removes them; the modseq of that."""
    wanted = [Uid(u) for u in uids]

    def job(tx):
        tx.messages.change_flags(world.inbox, wanted, "add", 8)

    world.store.write_now(job)
    world.store.write_now(lambda tx: tx.messages.expunge(world.inbox, wanted))
    return world.store.read_now(lambda tx: tx.mailboxes.by_id(world.inbox).modseq)


def gone(world: World, since: int):
    return world.store.read_now(lambda tx: tx.messages.expunged_uids(world.inbox, ModSeq(since)))


def forget(world: World, keep: int, most: int = 1_000) -> int:
    return world.store.write_now(lambda tx: tx.tombstones.forget(world.inbox, keep, most))


def test_the_newest_stay(world: World) -> None:
    for _ in range(6):
        world.add()
    start = world.store.read_now(lambda tx: tx.mailboxes.by_id(world.inbox).modseq)
    first, second, third = expunge(world, 1, 2), expunge(world, 3), expunge(world, 4)
    assert world.store.read_now(lambda tx: tx.tombstones.crowded(3)) == [world.inbox]
    assert world.store.read_now(lambda tx: tx.tombstones.crowded(4)) == []
    assert list(gone(world, start)) == [1, 2, 3, 4]
    assert forget(world, 4) == 0
    assert forget(world, 2) == 2
    assert gone(world, start) is None
    assert list(gone(world, first)) == [3, 4]
    assert list(gone(world, second)) == [4]
    assert list(gone(world, third)) == []


def test_a_change_log_that_begins_too_late_says_what_is_there(world: World) -> None:
    for _ in range(4):
        world.add()
    start = world.store.read_now(lambda tx: tx.mailboxes.by_id(world.inbox).modseq)
    middle = expunge(world, 1)
    expunge(world, 3)
    delta = world.store.read_now(lambda tx: tx.messages.changes(world.inbox, start))
    assert (delta.expunged, delta.present) == ([1, 3], None)
    forget(world, 1)
    delta = world.store.read_now(lambda tx: tx.messages.changes(world.inbox, start))
    assert (delta.expunged, list(delta.present)) == ([], [2, 4])
    delta = world.store.read_now(lambda tx: tx.messages.changes(world.inbox, middle))
    assert (delta.expunged, delta.present) == ([3], None)


def test_in_slices(world: World) -> None:
    """What one slice leaves of an expunge is not believed to be all of it."""
    for _ in range(5):
        world.add()
    before = world.store.read_now(lambda tx: tx.mailboxes.by_id(world.inbox).modseq)
    expunge(world, 1, 2, 3)
    after = expunge(world, 4)
    assert forget(world, 1, most=2) == 2
    assert gone(world, before) is None
    assert list(gone(world, after - 1)) == [4]
    assert forget(world, 1, most=2) == 1
    assert forget(world, 1, most=2) == 0


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(1, 12), max_size=4, unique=True), max_size=6), st.data())
def test_whatever_is_forgotten_nothing_is_missed(rounds, data) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            _forgets_nothing_wrongly(world, rounds, data)
        finally:
            world.close()


def _forgets_nothing_wrongly(world: World, rounds: list[list[int]], data) -> None:
    for _ in range(12):
        world.add()
    history = [(world.store.read_now(lambda tx: tx.mailboxes.by_id(world.inbox).modseq), set())]
    for uids in rounds:
        here = set(world.store.read_now(lambda tx: tx.messages.uids(world.inbox)))
        leaving = [uid for uid in uids if uid in here]
        if leaving:
            history.append((expunge(world, *leaving), set(leaving)))
        if data.draw(st.booleans()):
            forget(world, data.draw(st.integers(0, 5)), data.draw(st.integers(1, 3)))
    for n, (since, _) in enumerate(history):
        left = set().union(*(uids for _, uids in history[n + 1 :]))
        found = gone(world, since)
        assert found is None or set(found) == left
