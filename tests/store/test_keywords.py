import pytest

from mailserver.base.errors import LimitReached
from mailserver.base.ids import Uid
from mailserver.base.limits import ImapLimits
from mailserver.store import flags
from mailserver.store.store import StoreOptions
from store.world import World


@pytest.mark.rfc(9051, "2.3.2")
@pytest.mark.parametrize(
    ("operation", "stored", "words", "after"),
    [
        (flags.add, "", ["b", "A"], "A b"),
        (flags.add, "$Work", ["$WORK", "x"], "$Work x"),
        (flags.remove, "$Work x", ["$work"], "x"),
        (flags.remove, "x", ["y"], "x"),
        (flags.remove, "", ["y"], ""),
    ],
)
def test_keywords_have_no_case(operation, stored: str, words: list[str], after: str) -> None:
    assert operation(stored, words) == after


def test_join_sorts_and_keeps_one_of_each() -> None:
    assert flags.join(["b", "a", "B"]) == "a B"
    assert flags.join([]) == ""


@pytest.fixture
def small(tmp_path):
    world = World(tmp_path, StoreOptions(limits=ImapLimits(keywords=3, keyword_size=5)))
    yield world
    world.close()


def known(world: World, mailbox) -> list[str]:
    return world.store.read_now(lambda tx: tx.messages.keywords(mailbox))


@pytest.mark.rfc(9051, "2.3.2")
def test_a_mailbox_remembers_the_first_spelling(world: World) -> None:
    world.add(b"1", keywords=["$Work"])
    world.add(b"2", keywords=["$WORK", "b"])
    assert known(world, world.inbox) == ["$Work", "b"]
    rows = world.store.read_now(lambda tx: tx.messages.flags(world.inbox, [(1, 2)]))
    assert [row.keywords for row in rows] == ["$Work", "$Work b"]


def test_copies_and_moves_teach_the_target_its_keywords(world: World) -> None:
    trash = world.mailbox("Trash").id
    world.add(b"0", trash, keywords=["$WORK"])
    world.add(b"1", keywords=["$Work", "a"])
    world.store.write_now(lambda tx: tx.messages.copy(world.inbox, [Uid(1)], trash))
    world.store.write_now(lambda tx: tx.messages.move(world.inbox, [Uid(1)], trash))
    assert known(world, trash) == ["$WORK", "a"]
    rows = world.store.read_now(lambda tx: tx.messages.flags(trash, [(1, 3)]))
    assert [row.keywords for row in rows] == ["$WORK", "$WORK a", "$WORK a"]


def test_too_many_keywords(small: World) -> None:
    small.add(b"1", keywords=["a", "b", "c"])
    before = (small.by_id(small.inbox), small.account())
    with pytest.raises(LimitReached):
        small.add(b"2", keywords=["d"])
    assert (small.by_id(small.inbox), small.account()) == before
    with pytest.raises(LimitReached):
        small.store.write_now(
            lambda tx: tx.messages.change_flags(small.inbox, [Uid(1)], "replace", 0, ["d"])
        )
    with pytest.raises(LimitReached):
        small.add(b"2", keywords=["123456"])


def test_a_keyword_nobody_has_makes_room(small: World) -> None:
    small.add(b"1", keywords=["a", "b", "c"])
    small.store.write_now(
        lambda tx: tx.messages.change_flags(small.inbox, [Uid(1)], "remove", 0, ["b"])
    )
    small.add(b"2", keywords=["d"])
    assert known(small, small.inbox) == ["a", "c", "d"]


def test_a_full_target_refuses_copy_and_move_and_nothing_moved(small: World) -> None:
    trash = small.mailbox("Trash").id
    small.add(b"0", trash, keywords=["x", "y", "z"])
    small.add(b"1", keywords=["a"])
    before = (small.by_id(small.inbox), small.by_id(trash))

    def job(tx):
        for act in (tx.messages.copy, tx.messages.move):
            with pytest.raises(LimitReached):
                act(small.inbox, [Uid(1)], trash)

    small.store.write_now(job)
    assert (small.by_id(small.inbox), small.by_id(trash)) == before
    assert small.uids(small.inbox) == [1]
