"""Lists of accounts, domains and the server."""

import pytest

from mailserver.base.errors import AlreadyExists, Cannot, LimitReached, NotFound
from mailserver.base.limits import SieveLimits
from mailserver.store.scripts import Owner
from mailserver.store.store import StoreOptions
from store.world import NOW, World


def test_what_is_added_is_found(world: World) -> None:
    mine = Owner(account=world.alice.id)
    write, read = world.store.write_now, world.store.read_now
    assert (
        write(lambda tx: tx.lists.add(mine, "block", ["b@x.test", "@y.test", "b@x.test"], "why"))
        == 2
    )
    assert write(lambda tx: tx.lists.add(mine, "block", ["b@x.test", "c@x.test"])) == 1
    found = read(lambda tx: tx.lists.find(mine, "block"))
    assert found is not None
    assert [e.text for e in read(lambda tx: tx.lists.entries(found))] == [
        "@y.test",
        "b@x.test",
        "c@x.test",
    ]
    assert read(lambda tx: tx.lists.entries(found, "*x*", "b", 1)) == [("b@x.test", "why", NOW)]
    assert read(lambda tx: tx.lists.match([found], ["z", "c@x.test", "@y.test"])) == "c@x.test"
    assert read(lambda tx: tx.lists.match([found], ["z"])) is None
    assert read(lambda tx: tx.lists.match([], ["c@x.test"])) is None
    assert read(lambda tx: tx.lists.find(Owner(), "block")) is None
    write(lambda tx: tx.lists.take(mine, "block", "@y.test"))
    with pytest.raises(NotFound):
        write(lambda tx: tx.lists.take(mine, "block", "@y.test"))
    assert read(lambda tx: tx.lists.of(mine)) == [(found, "block", 2)]


def test_names(world: World) -> None:
    owner = Owner()
    write = world.store.write_now
    write(lambda tx: tx.lists.make(owner, "a"))
    assert write(lambda tx: tx.lists.make(owner, "a")) == write(
        lambda tx: tx.lists.find(owner, "a")
    )
    write(lambda tx: tx.lists.make(owner, "b"))
    with pytest.raises(AlreadyExists):
        write(lambda tx: tx.lists.rename(owner, "a", "b"))
    write(lambda tx: tx.lists.rename(owner, "a", "c"))
    write(lambda tx: tx.lists.remove(owner, "c"))
    for name in ("c", ""):
        with pytest.raises(NotFound):
            write(lambda tx, n=name: tx.lists.remove(owner, n))
    for name in ("", "a\nb", "x" * 201):
        with pytest.raises(Cannot):
            write(lambda tx, n=name: tx.lists.make(owner, n))


def test_bounds(tmp_path) -> None:
    limits = SieveLimits(lists=2, list_entries=3)
    world = World(tmp_path / "data", StoreOptions(sieve=limits))
    mine, write = Owner(account=world.alice.id), world.store.write_now
    write(lambda tx: tx.lists.add(mine, "a", ["1", "2"]))
    with pytest.raises(LimitReached):
        write(lambda tx: tx.lists.add(mine, "b", ["1", "2"]))
    assert len(write(lambda tx: tx.lists.of(mine))) == 1, "nothing of it was done"
    write(lambda tx: tx.lists.add(mine, "b", ["1"]))
    with pytest.raises(LimitReached):
        write(lambda tx: tx.lists.make(mine, "c"))
    for text in ("", "x" * 501):
        with pytest.raises(Cannot):
            write(lambda tx, t=text: tx.lists.add(mine, "a", [t]))
    write(lambda tx: tx.lists.add(Owner(), "c", ["1", "2", "3"]))
    world.store.close()


def test_they_go_with_their_owner(world: World) -> None:
    write = world.store.write_now
    write(lambda tx: tx.lists.add(Owner(account=world.alice.id), "a", ["1"]))
    write(lambda tx: tx.accounts.remove(world.alice.id))
    assert write(lambda tx: tx.lists.of(Owner(account=world.alice.id))) == []
    domain = write(lambda tx: tx.domains.add("gone.test").id)
    write(lambda tx: tx.lists.add(Owner(domain=domain), "a", ["1"]))
    write(lambda tx: tx.domains.remove(domain))
    assert write(lambda tx: tx.lists.of(Owner(domain=domain))) == []
