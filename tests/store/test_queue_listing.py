"""What is found in the queue, by which filter, and what is forgotten."""

import pytest

from mailserver.base.errors import Cannot, Corrupt, Expunged, NotFound
from mailserver.store.queue_filter import QueueFilter
from mailserver.store.queue_values import DEFERRED, DELIVERED, FINAL, Result
from store.post import REFUSED, Post, attempt
from store.world import NOW, World


@pytest.fixture
def post(world: World) -> Post:
    """Three messages: of alice to b and c, of the null sender to b, and one to d that is deferred."""
    post = Post(world)
    post.add("x@b.test", "y@c.test", trace="T1", account=world.alice.id)
    post.world.clock.now += 10
    post.add("X@b.test", sender="", origin="notice", trace="T2")
    post.world.clock.now += 10
    post.add("z@sub.d.test", destination="smtp:relay.test:25", sender="Bob@b.test", trace="T3")
    (d,) = [one for one in post.claim() if one.queued.trace == "T3"]
    post.store.write_now(lambda tx: tx.queue.unclaim())
    post.settle(Result(d.recipients[0].id, DEFERRED, NOW + 500, attempt("4.4.1", "no answer")))
    return post


def found(post: Post, which: QueueFilter) -> list[int]:
    return [
        int(entry.recipient.id) for entry in post.store.read_now(lambda tx: tx.queue.list(which))
    ]


@pytest.mark.parametrize(
    ("which", "wanted"),
    [
        (QueueFilter(), [1, 2, 3, 4]),
        (QueueFilter(states=()), [1, 2, 3, 4]),
        (QueueFilter(states=("held",)), []),
        (QueueFilter(states=FINAL), []),
        (QueueFilter(message=1), [1, 2]),  # type: ignore[arg-type]
        (QueueFilter(recipients=[2, 4, 9]), [2, 4]),  # type: ignore[list-item]
        (QueueFilter(recipients=[]), []),
        (QueueFilter(trace="T1"), [1, 2]),
        (QueueFilter(trace="T1", message=2), []),  # type: ignore[arg-type]
        (QueueFilter(sender=""), [3]),
        (QueueFilter(sender="bob@b.test"), [4]),
        (QueueFilter(sender="*@example.test"), [1, 2]),
        (QueueFilter(recipient="x@B.test"), [1, 3]),
        (QueueFilter(recipient="?@b.test"), []),
        (QueueFilter(recipient="*@*.test", sender=""), [3]),
        (QueueFilter(domain="*d.test"), [4]),
        (QueueFilter(domain="c.test"), [2]),
        (QueueFilter(destination="b.test"), [1, 3]),
        (QueueFilter(destination="smtp:relay.test:25"), [4]),
        (QueueFilter(destination="d.test"), []),
        (QueueFilter(account=1), [1, 2]),  # type: ignore[arg-type]
        (QueueFilter(account=1, destination="c.test"), [2]),  # type: ignore[arg-type]
        (QueueFilter(before=NOW), [1, 2]),
        (QueueFilter(before=NOW + 10, sender="*"), [1, 2, 3]),
    ],
)  # fmt: skip
def test_filters(post: Post, which: QueueFilter, wanted: list[int]) -> None:
    assert found(post, which) == wanted


def test_impossible_patterns_are_refused(post: Post) -> None:
    with pytest.raises(Cannot):
        found(post, QueueFilter(sender="*" * 9))


def test_an_entry_says_what_a_list_shows(post: Post) -> None:
    (entry,) = post.store.read_now(lambda tx: tx.queue.list(QueueFilter(trace="T3")))
    assert entry.recipient.state == "deferred"
    assert (entry.recipient.status, entry.recipient.reply) == ("4.4.1", "no answer")
    assert (entry.destination.name, entry.trace, entry.sender) == (
        "smtp:relay.test:25",
        "T3",
        "Bob@b.test",
    )
    assert (entry.created_at, entry.expires_at) == (NOW + 20, NOW + 432_000)


def test_pages(post: Post) -> None:
    def page(after: int) -> list[int]:
        entries = post.store.read_now(lambda tx: tx.queue.list(QueueFilter(), after, 3))
        return [int(entry.recipient.id) for entry in entries]

    assert page(0) == [1, 2, 3]
    assert page(3) == [4]
    assert page(4) == []


def test_one_message_with_every_attempt(post: Post) -> None:
    (message,) = post.store.read_now(lambda tx: tx.queue.of_trace("T3"))
    shown = post.store.read_now(lambda tx: tx.queue.show(message))
    (recipient,) = shown.recipients
    assert shown.queued.trace == "T3"
    assert shown.destinations[recipient.destination].name == "smtp:relay.test:25"
    (made,) = shown.attempts[recipient.id]
    assert (made.number, made.outcome, made.attempt) == (
        1,
        "deferred",
        attempt("4.4.1", "no answer"),
    )
    with pytest.raises(NotFound):
        post.store.read_now(lambda tx: tx.queue.show(99))  # type: ignore[arg-type]
    assert post.store.read_now(lambda tx: tx.queue.of_trace("T9")) == []


def test_content_is_what_leaves(post: Post) -> None:
    raw = b"Return-Path: <a@a.test>\r\nSubject: x\r\n\r\n"
    message = post.add("q@q.test", raw=raw, skip=25, prefix=b"Delivered-To: a@example.test\r\n")

    def content() -> bytes:
        return post.store.read_now(lambda tx: tx.queue.content(message))

    assert content() == b"Delivered-To: a@example.test\r\nSubject: x\r\n\r\n"
    assert post.problems() == []
    post.store.write_now(lambda tx: tx.queue.cancel(QueueFilter(message=message)))
    with pytest.raises(NotFound, match="finished"):
        content()
    with pytest.raises(NotFound):
        post.store.read_now(lambda tx: tx.queue.content(99))  # type: ignore[arg-type]


def test_a_damaged_message_is_told_and_stops_nobody(post: Post) -> None:
    raw = b"x" * 500
    message = post.add("q@q.test", raw=raw, threshold=10)
    (file,) = [f for f in post.store.blob_folder.rglob("*") if f.is_file()]
    file.write_bytes(b"y" * 500)
    with pytest.raises(Corrupt):
        post.store.read_now(lambda tx: tx.queue.content(message))
    file.unlink()
    with pytest.raises(Expunged):
        post.store.read_now(lambda tx: tx.queue.content(message))
    claimed = post.claim()
    assert message in {one.queued.id for one in claimed}
    assert len(claimed) == 4


def test_depth(post: Post) -> None:
    depth = post.store.read_now(lambda tx: tx.queue.depth(NOW + 20))
    assert depth.states == {"pending": 0, "claimed": 0, "deferred": 4, "held": 0}
    assert (depth.messages, depth.oldest_at, depth.next_due) == (3, NOW, NOW + 20)
    assert (depth.destinations, depth.backing_off, depth.paused) == (3, 0, 0)
    post.store.write_now(lambda tx: tx.destinations.pause("b.test"))
    relay = post.store.read_now(lambda tx: tx.destinations.find("smtp:relay.test:25"))
    assert relay is not None
    post.store.write_now(lambda tx: tx.queue.back_off(relay.id, NOW + 900, "down"))
    depth = post.store.read_now(lambda tx: tx.queue.depth(NOW + 20))
    assert (depth.destinations, depth.backing_off, depth.paused) == (3, 1, 1)


def test_depth_of_nothing(world: World) -> None:
    depth = world.store.read_now(lambda tx: tx.queue.depth(NOW))
    assert (depth.messages, depth.oldest_at, depth.next_due, depth.destinations) == (0, None, None, 0)  # fmt: skip


def test_destinations(post: Post) -> None:
    post.store.write_now(lambda tx: tx.destinations.pause("paused.test"))
    listed = post.store.read_now(lambda tx: tx.destinations.list())
    assert [(one.destination.name, one.waiting) for one in listed] == [
        ("b.test", 2),
        ("c.test", 1),
        ("smtp:relay.test:25", 1),
        ("paused.test", 0),
    ]
    b = listed[0].destination
    assert post.store.read_now(lambda tx: tx.destinations.get(b.id)) == b
    assert post.store.read_now(lambda tx: tx.destinations.find("e.test")) is None
    with pytest.raises(NotFound):
        post.store.read_now(lambda tx: tx.destinations.get(99))  # type: ignore[arg-type]


def test_the_finished_are_forgotten_after_a_while(post: Post) -> None:
    claimed = [r for one in post.claim() for r in one.recipients if r.domain != "c.test"]
    post.settle(*(Result(r.id, DELIVERED, None, REFUSED) for r in claimed))
    post.store.write_now(lambda tx: tx.destinations.pause("smtp:relay.test:25"))

    def forget(before: int, most: int = 100) -> int:
        return post.store.write_now(lambda tx: tx.queue.forget(before, most))

    assert forget(NOW + 20) == 0
    assert len(found(post, QueueFilter(states=()))) == 4
    assert forget(NOW + 21, 0) == 0
    assert forget(NOW + 21) == 1
    assert found(post, QueueFilter(states=())) == [1, 2, 4]  # 1: c.test of the same message is open
    assert post.rows("SELECT name FROM destination ORDER BY name") == [
        ("b.test",),
        ("c.test",),
        ("smtp:relay.test:25",),
    ]
    post.store.write_now(lambda tx: tx.queue.cancel(QueueFilter()))
    assert forget(NOW + 21) == 2
    assert post.rows("SELECT name FROM destination") == [("smtp:relay.test:25",)]
    for table in ("queued", "queued_recipient", "attempt"):
        assert post.rows(f"SELECT count(*) FROM {table}") == [(0,)]
