"""Addresses nothing is sent to."""

import pytest

from mailserver.base.errors import NotFound
from store.world import NOW, World


def test_suppressed_for_a_while(world: World) -> None:
    world.store.write_now(
        lambda tx: tx.suppressions.add("Bob@B.test", "5.1.1", "no such user", NOW + 100)
    )

    def find(address: str, now: int):
        return world.store.read_now(lambda tx: tx.suppressions.find(address, now))

    found = find("bob@b.TEST", NOW + 99)
    assert found == ("bob@b.test", "5.1.1", "no such user", NOW, NOW + 100)
    assert find("bob@b.test", NOW + 100) is None
    assert find("bo@b.test", NOW) is None


def test_the_last_word_counts(world: World) -> None:
    for status, until in (("5.1.1", NOW + 1), ("5.1.2", None)):
        world.store.write_now(
            lambda tx, s=status, u=until: tx.suppressions.add("b@b.test", s, "x" * 5000, u)
        )
    found = world.store.read_now(lambda tx: tx.suppressions.find("b@b.test", NOW * 2))
    assert found is not None
    assert (found.status, len(found.reply)) == ("5.1.2", 1000)


def test_lists_and_removing(world: World) -> None:
    for name in ("b", "a", "c_d"):
        world.store.write_now(
            lambda tx, n=name: tx.suppressions.add(f"{n}@b.test", "5.1.1", "", NOW)
        )

    def listed(*args) -> list[str]:
        return [s.address for s in world.store.read_now(lambda tx: tx.suppressions.list(*args))]

    assert listed() == ["a@b.test", "b@b.test", "c_d@b.test"]
    assert listed("c_*") == ["c_d@b.test"]
    assert listed("*", "a@b.test", 1) == ["b@b.test"]
    world.store.write_now(lambda tx: tx.suppressions.remove("A@b.test"))
    with pytest.raises(NotFound):
        world.store.write_now(lambda tx: tx.suppressions.remove("a@b.test"))
    assert world.store.write_now(lambda tx: tx.suppressions.forget(NOW - 1, 10)) == 0
    assert world.store.write_now(lambda tx: tx.suppressions.forget(NOW, 1)) == 1
    assert world.store.write_now(lambda tx: tx.suppressions.forget(NOW, 10)) == 1
    assert listed() == []
