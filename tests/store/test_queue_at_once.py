"""Mail that is claimed in the transaction that brings it: what may be, and what has to wait in the line."""

import pytest

from mailserver.base.limits import QueueLimits
from mailserver.store.queue_values import DEFERRED, DELIVERED, AtOnce, Result
from mailserver.store.store import StoreOptions
from store.post import REFUSED, Post, ids
from store.world import NOW, World


@pytest.fixture
def post(world: World) -> Post:
    post = Post(world)
    post.add("first@b.test", "first@c.test")
    post.claim()
    return post


def test_it_is_as_if_it_had_been_claimed(post: Post) -> None:
    quick = post.take_over()
    post.settle(*(Result(one, DELIVERED, None, REFUSED) for one in ids(post.claim())))
    mine = post.world.alice.id
    entered = post.enter(
        "x@b.test", "y@c.test", "z@b.test", account=mine, prefix=b"P", at_once=quick
    )
    assert [one.queued.id for one in entered.claimed] == [entered.id] * 2
    assert {r.state for one in entered.claimed for r in one.recipients} == {"claimed"}
    assert post.due() == []
    assert post.problems() == []
    post.world.clock.now += 5
    assert post.store.write_now(lambda tx: tx.queue.unclaim()) == 3
    again = sorted(post.claim(), key=lambda one: one.recipients)
    then = {"changed_at": NOW + 5}
    assert again == [
        one._replace(recipients=tuple(r._replace(**then) for r in one.recipients))
        for one in entered.claimed
    ]
    post.settle(*(Result(one, DELIVERED, None, REFUSED) for one in ids(again)))
    assert post.blobs() == 0
    assert post.problems() == []


def test_only_what_the_runner_has_room_for(post: Post) -> None:
    quick = post.take_over()._replace(destinations=frozenset({"c.test", "new.test"}))
    post.settle(*(Result(one, DELIVERED, None, REFUSED) for one in ids(post.claim())))
    entered = post.enter("x@b.test", "y@c.test", "z@new.test", at_once=quick)
    assert [r.address for one in entered.claimed for r in one.recipients] == ["y@c.test"]
    assert sorted(post.due()) == ["b.test", "new.test"]
    assert post.states()["x@b.test"] == post.states()["z@new.test"] == "pending"
    assert post.problems() == []


def test_nobody_is_overtaken(post: Post) -> None:
    quick = post.take_over()  # gave back what was claimed: it is due
    assert post.enter("x@b.test", at_once=quick).claimed == []
    first = post.claim()
    assert post.due() == []
    assert len(post.enter("y@b.test", at_once=quick).claimed) == 1
    post.settle(*(Result(one, DEFERRED, NOW + 60, REFUSED) for one in ids(first)))
    assert len(post.enter("z@b.test", at_once=quick).claimed) == 1
    post.world.clock.now += 60
    assert post.enter("late@b.test", at_once=quick).claimed == []


def test_who_was_followed_by_another_gets_nothing(post: Post) -> None:
    quick = post.take_over("old")
    post.claim()
    assert len(post.enter("x@b.test", at_once=quick).claimed) == 1
    now = post.take_over("new")
    post.claim()
    assert post.enter("y@b.test", at_once=quick).claimed == []
    post.claim()
    assert len(post.enter("z@b.test", at_once=now).claimed) == 1


def test_what_rests_is_left_alone(post: Post) -> None:
    quick = post.take_over()
    claimed = post.claim()
    destination = claimed[0].destination
    name = post.store.read_now(lambda tx: tx.destinations.get(destination)).name
    address = f"x@{name}"
    post.settle(*(Result(one, DELIVERED, None, REFUSED) for one in ids(claimed)))

    def is_claimed() -> bool:
        entered = post.enter(address, at_once=quick)
        post.settle(*(Result(one, DELIVERED, None, REFUSED) for one in ids(entered.claimed)))
        return bool(entered.claimed)

    assert is_claimed()
    post.store.write_now(lambda tx: tx.destinations.pause(name))
    assert not is_claimed()
    post.store.write_now(lambda tx: tx.destinations.resume(name))
    post.claim()
    assert is_claimed()
    post.store.write_now(lambda tx: tx.queue.back_off(destination, NOW + 60, "down"))
    assert not is_claimed()
    post.world.clock.now += 60
    post.claim()
    assert not is_claimed(), "nobody was reached since it failed"
    post.claim()
    post.store.write_now(lambda tx: tx.queue.reached(destination))
    assert is_claimed()


def test_what_has_its_time_or_its_keeper_waits(post: Post) -> None:
    quick = post.take_over()
    post.claim()
    assert post.enter("later@b.test", release_at=NOW + 60, at_once=quick).claimed == []
    post.store.write_now(lambda tx: tx.hold_rules.add("recipient", "held@*"))
    entered = post.enter("held@b.test", "free@b.test", at_once=quick)
    assert [r.address for one in entered.claimed for r in one.recipients] == ["free@b.test"]
    assert post.states()["held@b.test"] == "held"
    assert post.problems() == []


def test_bulk_goes_the_long_way(tmp_path) -> None:
    world = World(tmp_path, StoreOptions(queue=QueueLimits(bulk_after=2)))
    post = Post(world)
    post.add("first@b.test")
    quick = post.take_over()
    post.claim()
    assert len(post.enter("1@b.test", "2@b.test", at_once=quick).claimed) == 1
    assert post.enter(*(f"{n}@b.test" for n in range(3)), at_once=quick).claimed == []
    world.close()


def test_a_claim_of_nothing(post: Post) -> None:
    post.take_over()
    post.claim()
    nothing = AtOnce("me", frozenset())
    assert post.enter("x@b.test", at_once=nothing).claimed == []
