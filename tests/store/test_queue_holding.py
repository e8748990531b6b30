"""What administrators do to the queue: hold, release, retry, cancel, pause, and rules that hold new mail."""

import pytest

from mailserver.base.errors import AlreadyExists, Cannot, NotFound
from mailserver.base.ids import RecipientId
from mailserver.store.queue_filter import QueueFilter
from mailserver.store.queue_holding import Acted
from mailserver.store.queue_values import DEFERRED, DELIVERED, EXPIRED, FAILED, Result
from store.post import REFUSED, Post, attempt, ids
from store.world import NOW, World

ALL = QueueFilter()


@pytest.fixture
def post(world: World) -> Post:
    return Post(world)


def act(post: Post, what: str, which: QueueFilter = ALL, **named) -> Acted:
    return post.store.write_now(lambda tx: getattr(tx.queue, what)(which, **named))


def to(address: str) -> QueueFilter:
    return QueueFilter(recipient=address)


def test_held_mail_waits_until_it_is_released(post: Post) -> None:
    post.add("b@b.test", "c@c.test")
    assert act(post, "hold", to("b@b.test")) == (1, None)
    assert post.rows("SELECT held_by FROM queued_recipient WHERE state = 'held'") == [
        ("administrator",)
    ]
    assert post.due() == ["c.test"]
    assert post.problems() == []
    assert act(post, "release") == (1, None)
    assert sorted(post.due()) == ["b.test", "c.test"]
    assert post.states() == {"b@b.test": "pending", "c@c.test": "pending"}
    assert post.problems() == []


def test_time_in_hold_does_not_count(post: Post) -> None:
    post.add("b@b.test")
    post.settle(Result(ids(post.claim())[0], DEFERRED, NOW, REFUSED))
    act(post, "hold")
    post.world.clock.now += 1_000_000
    act(post, "release")
    assert post.rows("SELECT expires_at FROM queued") == [(NOW + 432_000 + 1_000_000,)]
    assert post.states() == {"b@b.test": "deferred"}


def test_time_in_hold_is_given_back_once(post: Post) -> None:
    post.add("a@b.test", "b@b.test", "c@b.test")
    act(post, "hold")
    post.world.clock.now += 1000
    act(post, "release", most=2)
    post.world.clock.now += 10
    act(post, "release")
    assert post.rows("SELECT expires_at FROM queued") == [(NOW + 432_000 + 1010,)]


@pytest.mark.parametrize(
    ("said", "becomes"),
    [(DELIVERED, "delivered"), (FAILED, "failed"), (DEFERRED, "held"), (EXPIRED, "held")],
)
def test_held_while_it_is_sent(post: Post, said: str, becomes: str) -> None:
    post.add("b@b.test")
    (recipient,) = ids(post.claim())
    act(post, "hold")
    assert post.states() == {"b@b.test": "claimed"}
    (settled,) = post.settle(Result(recipient, said, NOW if said == DEFERRED else None, attempt()))
    assert (settled.state, settled.took) == (becomes, becomes == said)
    assert post.due() == []
    assert post.rows("SELECT attempts FROM queued_recipient") == [(1,)]
    assert post.problems() == []


def test_held_and_released_while_it_is_sent_is_sent_once(post: Post) -> None:
    post.add("b@b.test")
    (recipient,) = ids(post.claim())
    act(post, "hold")
    assert act(post, "release").number == 1
    assert post.claim() == []
    (settled,) = post.settle(Result(recipient, DEFERRED, NOW, None))
    assert (settled.state, settled.took) == ("deferred", True)
    assert act(post, "release").number == 0
    assert ids(post.claim()) == [recipient]


def test_held_while_it_is_sent_by_a_leader_that_dies(post: Post) -> None:
    post.add("a@b.test", "b@b.test")
    post.claim()
    act(post, "hold", to("b@b.test"))
    assert post.store.write_now(lambda tx: tx.queue.unclaim()) == 2
    assert post.states() == {"a@b.test": "deferred", "b@b.test": "held"}
    assert post.problems() == []
    act(post, "release")
    assert len(ids(post.claim())) == 2


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        (DELIVERED, "delivered"),
        (FAILED, "cancelled"),
        (DEFERRED, "cancelled"),
        (EXPIRED, "cancelled"),
    ],
)
def test_cancelled_while_it_is_sent(post: Post, said: str, becomes: str) -> None:
    post.add("b@b.test")
    (recipient,) = ids(post.claim())
    assert act(post, "cancel").number == 1
    assert post.blobs() == 0
    (settled,) = post.settle(Result(recipient, said, NOW, attempt()))
    assert (settled.state, settled.took, settled.closed) == (becomes, becomes == said, False)
    assert post.rows("SELECT open, due_at FROM queued, destination") == [(0, None)]
    assert post.problems() == []


def test_cancelling_one_of_two_keeps_the_body(post: Post) -> None:
    post.add("b@b.test", "c@c.test")
    act(post, "cancel", to("B@B.test"))
    assert post.states() == {"b@b.test": "cancelled", "c@c.test": "pending"}
    assert post.blobs() == 1
    assert act(post, "cancel").number == 1
    assert act(post, "cancel").number == 0
    assert post.blobs() == 0
    assert post.problems() == []


def test_what_is_not_wanted_any_more_is_told(post: Post) -> None:
    post.add("a@b.test", "b@b.test", "c@c.test", "d@d.test")
    post.claim()
    a, b, c, d = (RecipientId(id) for (id,) in post.rows("SELECT id FROM queued_recipient"))

    def recalled(*more: int) -> set[int]:
        wanted = [a, b, c, d, *map(RecipientId, more)]
        return set(post.store.read_now(lambda tx: tx.queue.recalled(wanted)))

    assert recalled() == set()
    assert recalled(99) == {99}
    heard = []
    post.store._committed = heard.append
    act(post, "cancel", to("a@b.test"))
    act(post, "hold", to("c@c.test"))
    post.store.write_now(lambda tx: tx.destinations.pause("d.test"))
    assert [changes.queue for changes in heard] == [True] * 3
    assert recalled() == {a, c, d}
    post.settle(*(Result(id, DEFERRED, NOW, None) for id in recalled()))
    assert post.states() == {
        "a@b.test": "cancelled",
        "b@b.test": "claimed",
        "c@c.test": "held",
        "d@d.test": "deferred",
    }
    assert post.due() == []
    assert post.store.read_now(lambda tx: tx.queue.recalled([])) == set()


def test_retry_ends_the_back_off(post: Post) -> None:
    post.add("b@b.test")
    (claimed,) = post.claim()
    post.settle(Result(claimed.recipients[0].id, DEFERRED, NOW + 3000, REFUSED))
    post.store.write_now(lambda tx: tx.queue.back_off(claimed.destination, NOW + 9000, "down"))
    heard = []
    post.store._committed = heard.append
    assert act(post, "retry") == (1, None)
    assert post.due() == ["b.test"]
    assert heard[-1].queue
    assert post.problems() == []


def test_retry_does_not_send_before_the_sender_wants_it(post: Post) -> None:
    post.add("b@b.test", release_at=NOW + 60)
    act(post, "retry")
    assert post.next_due() == NOW + 60
    act(post, "hold")
    act(post, "release")
    assert post.next_due() == NOW + 60


def test_slices(post: Post) -> None:
    for n in range(5):
        post.add(f"x{n}@b.test")
    one = act(post, "hold", most=2)
    assert (one.number, one.rest) == (2, 2)
    two = act(post, "hold", most=2, after=one.rest)
    three = act(post, "hold", most=2, after=two.rest)
    assert (two.number, three) == (2, (1, None))
    assert act(post, "hold") == (0, None)
    assert post.problems() == []


def test_only_the_states_that_are_meant(post: Post) -> None:
    post.add("b@b.test")
    assert act(post, "hold", QueueFilter(states=("deferred",))).number == 0
    assert act(post, "release", QueueFilter(states=("pending",))).number == 0
    assert act(post, "hold", QueueFilter(states=("pending",))).number == 1


def test_a_paused_destination_takes_no_new_transactions(post: Post) -> None:
    post.add("b@b.test", "c@c.test")
    (b,) = ids([one for one in post.claim(1, 1) if one.recipients[0].domain == "b.test"])
    paused = post.store.write_now(lambda tx: tx.destinations.pause("b.test"))
    assert paused.paused_at == NOW
    post.settle(Result(b, DEFERRED, NOW, REFUSED))
    post.add("d@b.test")
    assert post.due() == ["c.test"]
    wants = [(paused.id, 5)]
    assert post.store.write_now(lambda tx: tx.queue.claim(wants)) == []
    heard = []
    post.store._committed = heard.append
    post.store.write_now(lambda tx: tx.destinations.resume("b.test"))
    assert heard[-1].queue
    assert sorted(post.due()) == ["b.test", "c.test"]
    assert len(ids(post.claim())) == 3
    assert post.problems() == []


def test_pausing_what_is_not_known_yet(post: Post) -> None:
    post.store.write_now(lambda tx: tx.destinations.pause("b.test"))
    post.world.clock.now += 1
    again = post.store.write_now(lambda tx: tx.destinations.pause("b.test"))
    assert again.paused_at == NOW
    post.add("b@b.test")
    assert post.due() == []
    with pytest.raises(NotFound):
        post.store.write_now(lambda tx: tx.destinations.resume("c.test"))
    post.store.write_now(lambda tx: tx.destinations.resume("b.test"))
    with pytest.raises(NotFound):
        post.store.write_now(lambda tx: tx.destinations.resume("b.test"))
    for name in ("", "x" * 400, "a b", "a\nb"):
        with pytest.raises(Cannot):
            post.store.write_now(lambda tx, name=name: tx.destinations.pause(name))


def test_a_rule_holds_new_mail_once(post: Post) -> None:
    rule = post.store.write_now(lambda tx: tx.hold_rules.add("domain", "*.B.test", "looks odd"))
    assert (rule.id, rule.pattern) == (1, "*.b.test")
    heard = []
    post.store._committed = heard.append
    post.add("x@mail.b.test")
    assert not any(changes.queue for changes in heard)
    post.add("x@b.test", "y@mail.b.test", destination="smtp:relay.test:25")
    assert post.rows("SELECT address, state, held_by FROM queued_recipient ORDER BY id") == [
        ("x@mail.b.test", "held", "rule 1"),
        ("x@b.test", "pending", ""),
        ("y@mail.b.test", "held", "rule 1"),
    ]
    assert post.due() == ["smtp:relay.test:25"]
    assert post.problems() == []
    act(post, "release")
    assert len(ids(post.claim())) == 3
    assert post.rows("SELECT count(*) FROM queued_recipient WHERE held_by <> ''") == [(0,)]


@pytest.mark.parametrize(
    ("field", "pattern", "holds"),
    [
        ("sender", "alice@example.test", True),
        ("sender", "", False),
        ("recipient", "b@*", True),
        ("recipient", "b.test", False),
        ("domain", "b.test", True),
        ("account", "*@example.test", True),
        ("account", "bob@example.test", False),
    ],
)
def test_what_rules_look_at(post: Post, field: str, pattern: str, holds: bool) -> None:
    post.store.write_now(lambda tx: tx.hold_rules.add(field, pattern))
    post.add("b@b.test", account=post.world.alice.id)
    assert post.states() == {"b@b.test": "held" if holds else "pending"}


def test_rules_are_kept_in_order(post: Post) -> None:
    write = post.store.write_now
    write(lambda tx: tx.hold_rules.add("sender", "x"))
    second = write(lambda tx: tx.hold_rules.add("sender", "", "bounces"))
    with pytest.raises(AlreadyExists):
        write(lambda tx: tx.hold_rules.add("sender", "X"))
    wrong = (("subject", "x", ""), ("sender", "*" * 5, ""), ("domain", "y", "n" * 2000))
    for field, pattern, note in wrong:
        with pytest.raises(Cannot):
            write(lambda tx, f=field, p=pattern, n=note: tx.hold_rules.add(f, p, n))
    post.add("b@b.test", sender="", origin="notice")
    assert post.rows("SELECT held_by FROM queued_recipient") == [("rule 2",)]
    assert write(lambda tx: tx.hold_rules.remove(2)) == second
    with pytest.raises(NotFound):
        write(lambda tx: tx.hold_rules.remove(2))
    third = write(lambda tx: tx.hold_rules.add("sender", "y")).id
    assert third > 2
    rules = post.store.read_now(lambda tx: tx.hold_rules.list())
    assert [rule.id for rule in rules] == [1, third]


def test_rerouting(post: Post) -> None:
    post.add("a@b.test", "b@b.test", "c@c.test")
    act(post, "hold", to("b@b.test"))
    (claimed,) = [one for one in post.claim(1, 9) if one.recipients[0].domain == "c.test"]
    post.store.write_now(lambda tx: tx.queue.unclaim())
    (claimed,) = [one for one in post.claim(1, 9) if one.recipients[0].domain == "c.test"]
    seen = []

    def choose(sender: str, domain: str, address: str) -> str:
        seen.append((sender, domain, address))
        return "smtp:relay.test:25"

    def slice_of(after: int) -> Acted:
        return post.store.write_now(lambda tx: tx.queue.reroute(choose, after, 2))

    assert slice_of(0) == (2, 2)
    assert slice_of(2) == (1, None)
    assert slice_of(0).number == 0
    assert ("alice@example.test", "c.test", "c@c.test") in seen
    post.settle(Result(claimed.recipients[0].id, DEFERRED, NOW, REFUSED))
    assert post.due() == ["smtp:relay.test:25"]
    assert post.problems() == []


def test_two_processes_never_claim_the_same(post: Post) -> None:
    """A leader that has lost its lock without noticing, beside the next one."""
    other = Post(World.again(post.world))
    for n in range(20):
        post.add(f"x{n}@b.test", f"y{n}@c.test")
    claimed: list[int] = []
    for one in (post, other) * 5:
        claimed += ids(one.claim(3))
    assert len(claimed) == len(set(claimed)) == 40
    # what the old one still hears counts, and nothing is counted twice
    assert other.store.write_now(lambda tx: tx.queue.unclaim()) == 40
    again = ids(other.claim())
    post.settle(*(Result(id, DELIVERED, None, REFUSED) for id in again[:10]))
    other.settle(*(Result(id, DELIVERED, None, REFUSED) for id in again))
    assert post.rows("SELECT count(*) FROM queued WHERE closed_at IS NOT NULL") == [(20,)]
    assert post.problems() == []
    other.world.close()


def test_mail_of_a_removed_account_goes_on(post: Post) -> None:
    alice = post.world.alice.id
    for n in range(3):
        post.add(f"x{n}@b.test", account=alice)
    (first, *_) = ids(post.claim(2))
    post.store.write_now(lambda tx: tx.accounts.remove(alice))
    with pytest.raises(NotFound):
        post.add("y@b.test", account=alice)
    assert post.rows("SELECT count(*) FROM account") == [(0,)]
    assert post.rows("SELECT account_id, messages FROM queued_count") == [(0, 3)]
    post.settle(Result(first, DELIVERED, None, REFUSED))
    post.store.write_now(lambda tx: tx.queue.unclaim())
    assert {one.queued.account for one in post.claim()} == {None}
    assert post.problems() == []


def test_a_removed_account_with_much_mail_goes_in_slices(post: Post) -> None:
    alice = post.world.alice.id
    for n in range(7):
        post.add(f"x{n}@b.test", account=alice)

    def job(tx) -> None:
        db = tx.settings._db
        db.run("UPDATE account SET domain_id = NULL, localpart = NULL WHERE id = ?", (alice,))
        db.run("UPDATE mailbox SET name = NULL, special_use = NULL WHERE account_id = ?", (alice,))
        while tx.purge.some(3):
            assert tx.verify.problems() == []

    post.store.write_now(job)
    assert post.rows("SELECT count(*) FROM queued WHERE account_id IS NULL") == [(7,)]
