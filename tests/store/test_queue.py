"""The queue: mail goes in, is claimed by one sender only, and comes to an end."""

import pytest

from mailserver.base.errors import LimitReached, TryLater
from mailserver.base.limits import QueueLimits
from mailserver.store.commit import Batch, Job
from mailserver.store.queue_values import (
    DEFERRED,
    DELIVERED,
    EXPIRED,
    FAILED,
    MOST_RECIPIENTS,
    Result,
)
from mailserver.store.store import StoreOptions
from store.post import REFUSED, Post, attempt, ids
from store.world import NOW, World


@pytest.fixture
def post(world: World) -> Post:
    return Post(world)


def test_what_is_added_can_be_claimed_as_it_was(post: Post) -> None:
    post.add("b@b.test", "c@c.test", "d@b.test", trace="T1")
    assert sorted(post.due()) == ["b.test", "c.test"]
    first, second = post.claim()
    assert first.queued == second.queued
    assert (first.queued.trace, first.queued.sender, first.queued.open) == (
        "T1",
        "alice@example.test",
        3,
    )
    assert first.queued.is_8bit is False
    assert [r.address for r in first.recipients] == ["b@b.test", "d@b.test"]
    assert [r.address for r in second.recipients] == ["c@c.test"]
    assert {r.state for r in first.recipients} == {"claimed"}
    assert post.problems() == []


def test_nobody_is_claimed_twice(post: Post) -> None:
    post.add("b@b.test")
    assert len(post.claim()) == 1
    assert post.claim() == []
    assert post.due() == []
    assert post.next_due() is None


def test_one_destination_is_claimed_in_portions_the_longest_due_first(post: Post) -> None:
    added = []
    for _ in range(5):
        added.append(post.add("x@b.test"))
        post.world.clock.now += 1
    got = [[c.queued.id for c in post.claim(2)] for _ in range(4)]
    assert got == [added[:2], added[2:4], added[4:], []]


def test_much_mail_of_one_lets_the_others_go_first(tmp_path) -> None:
    world = World(tmp_path, StoreOptions(queue=QueueLimits(bulk_after=3)))
    post = Post(world)
    for n in range(12):
        post.add(f"a{n}@b.test", account=world.alice.id)
    post.add(*(f"m{n}@b.test" for n in range(4)))
    for n in range(2):
        post.add(f"z{n}@b.test")

    def claimed(most: int) -> list[str]:
        return [one.recipients[0].address for one in post.claim(most)]

    assert claimed(4) == ["a0@b.test", "a1@b.test", "a2@b.test", "a3@b.test"]
    assert claimed(8) == ["z0@b.test", "z1@b.test", *(f"a{n}@b.test" for n in range(4, 10))]
    assert claimed(1) == ["a10@b.test"]
    post.add("y@b.test")
    assert claimed(1) == ["y@b.test"]
    assert claimed(9) == ["a11@b.test", "m0@b.test"]
    assert claimed(9) == []
    for n in range(9):
        post.add(f"x{n}@b.test")
    assert len(claimed(8)) == 8  # all of one line, where the other is empty
    assert post.problems() == []
    world.close()


def test_a_message_with_many_recipients_comes_in_parts(post: Post) -> None:
    post.add(*(f"r{n}@b.test" for n in range(2 * MOST_RECIPIENTS + 1)))
    sizes = [len(one.recipients) for one in post.claim()]
    assert sorted(sizes) == [1, MOST_RECIPIENTS, MOST_RECIPIENTS]


def test_a_claim_of_what_is_not_due_gives_nothing(post: Post) -> None:
    post.add("b@b.test", release_at=NOW + 60)
    (row,) = post.rows("SELECT id FROM destination")
    assert post.due() == []
    assert post.next_due() == NOW + 60
    assert post.store.write_now(lambda tx: tx.queue.claim([(row[0], 5), (99, 5)])) == []
    post.world.clock.now += 60
    assert len(post.claim()) == 1


def test_delivered_lets_go_of_the_body(post: Post) -> None:
    post.add("b@b.test", "c@c.test")
    first, second = ids(post.claim())
    (one,) = post.settle(Result(first, DELIVERED, None, attempt("2.0.0", "ok")))
    assert (one.state, one.took, one.closed) == (DELIVERED, True, False)
    assert post.blobs() == 1
    (two,) = post.settle(Result(second, FAILED, None, attempt("5.1.1", "no such user")))
    assert (two.state, two.took, two.closed) == (FAILED, True, True)
    assert post.blobs() == 0
    assert post.rows("SELECT open, blob_id, closed_at FROM queued") == [(0, None, NOW)]
    assert post.rows("SELECT account_id, messages FROM queued_count") == [(0, 0)]
    assert post.rows(
        "SELECT number, status, reply, outcome FROM attempt ORDER BY recipient_id"
    ) == [
        (1, "2.0.0", "ok", "delivered"),
        (1, "5.1.1", "no such user", "failed"),
    ]
    assert post.problems() == []


def test_the_body_stays_while_somebody_has_it(post: Post) -> None:
    raw = b"Subject: x\r\n\r\nsame\r\n"
    post.world.add(raw)
    post.add("b@b.test", raw=raw)
    post.settle(Result(ids(post.claim())[0], DELIVERED, None, attempt()))
    assert post.blobs() == 1
    post.world.expunge(post.world.inbox, [1])
    assert post.blobs() == 0
    # and the other way round
    post.world.add(raw)
    post.add("b@b.test", raw=raw)
    post.world.expunge(post.world.inbox, [2])
    assert post.blobs() == 1
    post.settle(Result(ids(post.claim())[0], DELIVERED, None, attempt()))
    assert post.blobs() == 0


def test_a_large_body_is_a_file_and_goes_with_the_last_recipient(post: Post) -> None:
    post.add("b@b.test", raw=b"x" * 100, threshold=10)
    (file,) = [f for f in post.store.blob_folder.rglob("*") if f.is_file()]
    post.world.clock.now += 1e9
    assert post.store.sweep() == 0
    assert file.exists()
    post.world.clock.now = NOW
    post.settle(Result(ids(post.claim())[0], DELIVERED, None, attempt()))
    assert not file.exists()


def test_deferred_comes_back_when_it_is_due(post: Post) -> None:
    post.add("b@b.test")
    (recipient,) = ids(post.claim())
    post.settle(Result(recipient, DEFERRED, NOW + 300, REFUSED))
    assert post.due(NOW + 299) == []
    assert post.due(NOW + 300) == ["b.test"]
    post.world.clock.now += 300
    (claimed,) = post.claim()
    assert (claimed.recipients[0].attempts, claimed.recipients[0].reply) == (1, "not now")


def test_given_back_without_a_try(post: Post) -> None:
    post.add("b@b.test")
    (recipient,) = ids(post.claim())
    post.settle(Result(recipient, DEFERRED, None, None))
    assert post.rows("SELECT state, attempts FROM queued_recipient") == [("deferred", 0)]
    assert len(post.claim()) == 1


def test_results_of_nobody_and_results_twice(post: Post) -> None:
    post.add("b@b.test", "c@b.test")
    first, second = ids(post.claim())
    said = post.settle(
        Result(99, DELIVERED, None, REFUSED),  # type: ignore[arg-type]
        Result(first, DELIVERED, None, attempt("2.0.0")),
        Result(first, FAILED, None, attempt("5.0.0")),
        Result(second, EXPIRED, None, REFUSED),
    )
    assert [(s.recipient, s.state, s.took, s.closed) for s in said] == [
        (first, "delivered", True, True),
        (first, "delivered", False, True),
        (second, "expired", True, True),
    ]
    assert post.rows("SELECT count(*) FROM attempt") == [(3,)]
    assert post.problems() == []


def test_a_long_reply_is_cut(post: Post) -> None:
    post.add("b@b.test")
    post.settle(Result(ids(post.claim())[0], DEFERRED, NOW, attempt(reply="x" * 5000)))
    assert post.rows("SELECT length(reply) FROM attempt") == [(1000,)]
    assert post.rows("SELECT length(reply) FROM queued_recipient") == [(1000,)]


def test_a_new_leader_gives_claims_back(post: Post) -> None:
    post.add("b@b.test", "c@c.test")
    post.claim()
    assert post.store.write_now(lambda tx: tx.queue.unclaim()) == 2
    assert post.states() == {"b@b.test": "deferred", "c@c.test": "deferred"}
    assert len(post.claim()) == 2
    assert post.problems() == []


def test_backing_off_and_being_reached(post: Post) -> None:
    post.add("b@b.test")
    post.add("c@b.test")
    (claimed,) = post.claim(1)
    back_off = lambda until: post.store.write_now(  # noqa: E731  # said twice below
        lambda tx: tx.queue.back_off(claimed.destination, until, "no route to host")
    )
    assert back_off(NOW + 60) == 1
    post.settle(Result(claimed.recipients[0].id, DEFERRED, NOW + 10, REFUSED))
    post.add("d@b.test")
    assert post.due(NOW + 59) == []
    assert post.next_due() == NOW + 60
    assert back_off(NOW + 120) == 2
    assert post.next_due() == NOW + 120
    assert post.rows("SELECT failures, failed_since, last_error FROM destination") == [
        (2, NOW, "no route to host")
    ]
    assert post.problems() == []
    post.store.write_now(lambda tx: tx.queue.reached(claimed.destination))
    assert post.next_due() == NOW
    assert post.rows("SELECT failures, failed_since, backoff_until FROM destination") == [
        (0, None, None)
    ]
    assert len(post.claim()) == 2


def test_what_is_busy_hides_nothing(post: Post) -> None:
    for n in range(5):
        post.add(f"x@d{n}.test")
        post.world.clock.now += 1
    now = NOW + 5
    one, two = post.store.read_now(lambda tx: tx.queue.due(now, 2))
    assert (one.name, two.name) == ("d0.test", "d1.test")
    busy = {one.destination, two.destination}
    others = post.store.read_now(lambda tx: tx.queue.due(now, 2, busy))
    assert [o.name for o in others] == ["d2.test", "d3.test"]
    assert post.store.read_now(lambda tx: tx.queue.next_due(busy)) == NOW + 2


def test_a_full_queue_puts_off_and_a_full_account_too(tmp_path) -> None:
    options = StoreOptions(queue=QueueLimits(messages=3, per_account=2))
    world = World(tmp_path, options)
    post = Post(world)
    for _ in range(2):
        post.add("b@b.test", account=world.alice.id)
    with pytest.raises(LimitReached):
        post.add("b@b.test", account=world.alice.id)
    post.add("b@b.test")
    with pytest.raises(TryLater):
        post.add("b@b.test")
    post.add("b@b.test", sender="", origin="notice")
    assert post.problems() == []
    assert post.rows("SELECT * FROM queued_count") == [(0, 4), (world.alice.id, 2)]
    world.close()


@pytest.mark.parametrize("is_pure", [True, False])
def test_who_does_not_fit_any_more_hinders_nobody_in_the_same_commit(tmp_path, is_pure) -> None:
    world = World(tmp_path, StoreOptions(queue=QueueLimits(messages=3, per_account=1)))
    post = Post(world)
    alice = world.alice.id
    jobs = [
        post.adding("a@b.test", account=alice),
        post.adding("b@b.test", account=alice),  # one too many of hers
        post.adding("c@b.test"),
        post.adding("d@b.test"),
        post.adding("e@b.test"),  # one too many at all
        post.adding("f@b.test", origin="notice"),
    ]
    batches: list[Batch] = []
    committer = world.store._committer()
    committer.run([Job(job, lambda o: None, is_pure) for job in jobs], list, batches.append)
    committer.close()
    errors = [type(outcome.error) for _, outcome in batches[0].outcomes]
    assert errors == [type(None), LimitReached, type(None), type(None), TryLater, type(None)]
    assert list(post.states()) == ["a@b.test", "c@b.test", "d@b.test", "f@b.test"]
    assert post.blobs() == 4
    assert post.problems() == []
    world.close()


def test_those_who_send_are_woken(world: World, tmp_path) -> None:
    heard = []
    world.store._committed = heard.append
    post = Post(world)
    post.add("b@b.test")
    assert [changes.queue for changes in heard] == [True]
    heard.clear()
    post.settle(Result(ids(post.claim())[0], DELIVERED, None, REFUSED))
    assert not any(changes.queue for changes in heard)
