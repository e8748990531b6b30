"""Group commit, the queue, the readers: who is answered what, and when."""

import threading
from collections.abc import Callable
from typing import Any

import apsw
import pytest

from mailserver.base.errors import Cannot, NotFound, TryLater
from mailserver.base.ids import Uid
from mailserver.store import flags as bits
from mailserver.store.commit import Batch, Committer, Job
from mailserver.store.outcome import Outcome
from mailserver.store.spool import body_of
from mailserver.store.store import Store, StoreOptions
from mailserver.store.values import Changes
from store.world import NOW, World, derived


@pytest.fixture(autouse=True)
def unhurried(monkeypatch) -> None:
    """A slow machine does not end a transaction early."""
    monkeypatch.setattr("mailserver.store.commit.LONGEST_S", 60.0)


class Answers:
    """Collects outcomes and lets a test wait for them."""

    def __init__(self) -> None:
        self.got: dict[Any, Outcome[Any]] = {}
        self.order: list[Any] = []
        self._changed = threading.Condition()

    def to(self, name: Any) -> Callable[[Outcome[Any]], None]:
        def done(outcome: Outcome[Any]) -> None:
            with self._changed:
                self.got[name] = outcome
                self.order.append(name)
                self._changed.notify_all()

        return done

    def wait(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.got) >= count, 60)


def run(world: World, *jobs: Callable[[Any], Any], is_pure: bool = False) -> list[Outcome[Any]]:
    """The outcomes of jobs that are committed together."""
    committer = world.store._committer()
    batches: list[Batch] = []
    committer.run([Job(job, lambda o: None, is_pure) for job in jobs], list, batches.append)
    committer.close()
    return [outcome for _, outcome in batches[0].outcomes]


def add(world: World, raw: bytes) -> Callable[[Any], Any]:
    prepared = world.store.prepare(body_of(raw), 10_000)
    return lambda tx: tx.messages.add(
        world.alice.id, world.inbox, tx.blobs.put(prepared), derived(), internal_at=NOW
    )


def fail(tx: Any) -> None:
    raise Cannot("no")


def fail_half_way(tx: Any) -> None:
    tx.settings.set("half", "way")
    raise Cannot("no")


@pytest.mark.parametrize("is_pure", [True, False])
@pytest.mark.parametrize("failing", [fail, fail_half_way])
def test_a_failed_job_takes_only_itself_back(world: World, failing, is_pure: bool) -> None:
    outcomes = run(world, add(world, b"1"), failing, add(world, b"2"), is_pure=is_pure)
    assert [type(o.error) for o in outcomes] == [type(None), Cannot, type(None)]
    assert world.uids(world.inbox) == [1, 2]
    assert world.store.read_now(lambda tx: tx.settings.get("half")) is None
    assert world.store.read_now(lambda tx: tx.verify.problems()) == []


@pytest.mark.parametrize("is_pure", [True, False])
def test_a_failed_job_alone(world: World, is_pure: bool) -> None:
    (outcome,) = run(world, fail_half_way, is_pure=is_pure)
    with pytest.raises(Cannot):
        outcome.result()
    assert world.store.read_now(lambda tx: tx.settings.get("half")) is None


def test_pure_and_other_jobs_mixed(world: World) -> None:
    committer = world.store._committer()
    batches: list[Batch] = []
    kinds = [True, True, False, False, True, True, True]
    work = [add(world, b"0"), add(world, b"1"), fail_half_way, add(world, b"2")]
    work += [add(world, b"3"), fail_half_way, add(world, b"4")]
    committer.run(
        [Job(w, lambda o: None, p) for w, p in zip(work, kinds, strict=True)], list, batches.append
    )
    committer.close()
    assert [o.error is None for _, o in batches[0].outcomes] == [
        True,
        True,
        False,
        True,
        True,
        False,
        True,
    ]
    rows = world.store.read_now(
        lambda tx: [
            tx.blobs.read(blob) for (blob,) in tx.messages.rows(world.inbox, [(1, 9)], "blob")
        ]
    )
    assert rows == [b"0", b"1", b"2", b"3", b"4"]


def test_only_pure_jobs_are_ever_run_again(world: World) -> None:
    ran: list[str] = []

    def job(name: str, error: Exception | None = None) -> Callable[[Any], None]:
        def work(tx: Any) -> None:
            ran.append(name)
            tx.settings.set(name, "x")
            if error:
                raise error

        return work

    run(world, job("a"), job("b", NotFound("x")), job("c"))
    assert ran == ["a", "b", "c"]
    ran.clear()
    run(world, job("a"), job("b", NotFound("x")), job("c"), is_pure=True)
    assert ran == ["a", "b", "a", "b", "c"]
    ran.clear()
    run(world, job("b", NotFound("x")), is_pure=True)
    assert ran == ["b"]


def test_all_of_a_transaction_hear_what_changed_once(world: World) -> None:
    committer = world.store._committer()
    batches: list[Batch] = []
    trash = world.mailbox("Trash").id
    world.add(b"x")

    def copy(tx: Any) -> None:
        tx.messages.copy(world.inbox, [Uid(1)], trash)

    jobs = [add(world, b"1"), add(world, b"2"), copy, fail_half_way]
    committer.run([Job(job, lambda o: None) for job in jobs], list, batches.append)
    committer.close()
    assert batches[0].changes == Changes(
        frozenset({(world.alice.id, world.inbox), (world.alice.id, trash)}),
        frozenset({world.alice.id}),
        False,
    )


@pytest.mark.parametrize("is_pure", [True, False])
def test_a_failed_commit_answers_nobody_with_success(world: World, is_pure: bool) -> None:
    before = world.account()
    committer = world.store._committer()
    batches: list[Batch] = []
    jobs = [Job(add(world, raw), lambda o: None, is_pure) for raw in (b"1", b"2")]
    committer._db.connection.set_commit_hook(lambda: True)
    committer.run(jobs, list, batches.append)
    assert [type(o.error) for _, o in batches[0].outcomes] == [apsw.ConstraintError] * 2
    assert not batches[0].changes
    committer._db.connection.set_commit_hook(None)
    committer.run(jobs, list, batches.append)
    assert [o.result().uid for _, o in batches[1].outcomes] == [1, 2]
    committer.close()
    assert world.account().messages == before.messages + 2


class Trouble(apsw.Connection):
    """A connection whose COMMIT meets a failing disk, as long as a test wants it to."""

    error: Exception | None = None

    def execute(self, statements: str, *args: Any, **named: Any) -> apsw.Cursor:
        if self.error is not None and statements == "COMMIT":
            raise self.error
        return super().execute(statements, *args, **named)


@pytest.fixture
def trouble(monkeypatch):
    monkeypatch.setattr(apsw, "Connection", Trouble)
    yield Trouble
    Trouble.error = None


@pytest.mark.parametrize("error", [apsw.FullError("full"), apsw.IOError("bad sector")])
def test_trouble_with_the_disk_at_commit_is_for_later(trouble, tmp_path, error) -> None:
    world = World(tmp_path)
    prepared = world.store.prepare(body_of(b"large"), 0)
    trouble.error = error

    def job(tx: Any) -> Any:
        blob = tx.blobs.put(prepared)
        return tx.messages.add(world.alice.id, world.inbox, blob, derived(), internal_at=NOW)

    outcomes = run(world, job, lambda tx: tx.settings.set("a", "1"), fail)
    assert [type(o.error) for o in outcomes] == [TryLater] * 3
    prepared.discard()  # what a caller does; but a crash now might still bring the row back
    assert len([p for p in world.store.blob_folder.rglob("*") if p.is_file()]) == 1
    trouble.error = None
    assert run(world, job)[0].result().uid == 1
    world.close()


def test_a_transaction_that_sqlite_gave_up_is_for_later_for_all(world: World) -> None:
    """On some errors SQLite undoes everything by itself; then nobody's work is there any more."""

    def full(tx: Any) -> None:
        tx.settings._db.run("ROLLBACK")
        raise apsw.FullError("database or disk is full")

    for is_pure in (True, False):
        outcomes = run(world, add(world, b"1"), full, add(world, b"2"), is_pure=is_pure)
        assert [type(o.error) for o in outcomes] == [TryLater] * 3
    assert world.uids(world.inbox) == []
    assert world.add(b"3").uid == 1


def test_jobs_that_wait_are_committed_together_and_answered_in_order(tmp_path) -> None:
    announced: list[Changes] = []
    posts: list[int] = []

    def post(call: Callable[[], None]) -> None:
        posts.append(1)
        call()

    world = World(tmp_path)
    store = Store(tmp_path, post=post, committed=announced.append)
    store.open()
    answers = Answers()
    for n in range(50):
        store.write(add(world, b"%d" % n), answers.to(n), is_pure=bool(n % 3))
    assert answers.got == {}
    store.start()
    answers.wait(50)
    store.close()
    assert answers.order == list(range(50))
    assert [answers.got[n].result().uid for n in range(50)] == list(range(1, 51))
    assert len(posts) == 1
    assert announced == [
        Changes(frozenset({(world.alice.id, world.inbox)}), frozenset({world.alice.id}), False)
    ]
    world.close()


def test_a_transaction_takes_only_so_many_jobs(tmp_path) -> None:
    posts: list[int] = []

    def post(call: Callable[[], None]) -> None:
        posts.append(1)
        call()

    World(tmp_path).close()
    store = Store(tmp_path, options=StoreOptions(batch_size=10), post=post)
    store.open()
    answers = Answers()
    for n in range(25):
        store.write(lambda tx, n=n: tx.settings.set(f"{n}", "x"), answers.to(n))
    store.start()
    answers.wait(25)
    store.close()
    assert len(posts) == 3


@pytest.mark.parametrize("is_pure", [True, False])
def test_a_transaction_that_takes_long_leaves_the_rest_for_the_next(
    tmp_path, monkeypatch, is_pure: bool
) -> None:
    monkeypatch.setattr("mailserver.store.commit.LONGEST_S", 0.0)
    posts: list[int] = []

    def post(call: Callable[[], None]) -> None:
        posts.append(1)
        call()

    World(tmp_path).close()
    store = Store(tmp_path, options=StoreOptions(batch_size=5), post=post)
    store.open()
    answers = Answers()
    for n in range(12):
        job = fail_half_way if n == 7 else lambda tx, n=n: tx.settings.set(f"{n}", "x")
        store.write(job, answers.to(n), is_pure=is_pure)
    store.start()
    store.close()
    assert answers.order == list(range(12))
    assert [n for n in range(12) if answers.got[n].error] == [7]
    assert len(posts) == 12
    assert len(store.read_now(lambda tx: tx.settings.all())) == 11
    store.close()


def test_no_lock_to_be_had_is_for_later(world: World, monkeypatch) -> None:
    def flock(handle: int, operation: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", flock)
        with pytest.raises(TryLater):
            world.add(b"x")
    assert world.add(b"x").uid == 1


def test_changes_are_announced_before_the_answers(tmp_path) -> None:
    order: list[str] = []
    World(tmp_path).close()
    store = Store(tmp_path, committed=lambda changes: order.append("changes"))
    store.open()
    store.start()
    answers = Answers()

    def done(outcome: Outcome[None]) -> None:
        order.append("answer")
        answers.to(1)(outcome)

    store.write(lambda tx: tx.settings.set("a", "b"), done)
    answers.wait(1)
    store.close()
    assert order == ["changes", "answer"]


def test_readers_answer_and_see_what_was_committed(world: World) -> None:
    store, answers = world.store, Answers()
    store.start()
    store.write(add(world, b"x"), answers.to("write"))
    answers.wait(1)
    store.read(lambda tx: list(tx.messages.uids(world.inbox)), answers.to("read"))
    store.read(lambda tx: tx.mailboxes.get(world.alice.id, "nope"), answers.to("missing"))
    answers.wait(3)
    assert answers.got["read"].result() == [1]
    with pytest.raises(NotFound):
        answers.got["missing"].result()


def test_a_reader_cannot_write(world: World) -> None:
    with pytest.raises(apsw.ReadOnlyError):
        world.store.read_now(lambda tx: tx.settings.set("a", "b"))
    assert world.store.read_now(lambda tx: tx.settings.get("a")) is None


def test_a_read_sees_one_moment(world: World) -> None:
    def job(tx: Any) -> tuple[int, int]:
        before = len(tx.messages.uids(world.inbox))
        other = Store(world.folder)  # its own connections: ours is busy reading
        other.write_now(add(world, b"x"))
        other.close()
        return before, len(tx.messages.uids(world.inbox))

    assert world.store.read_now(job) == (0, 0)
    assert world.uids(world.inbox) == [1]


def test_a_full_queue_refuses(tmp_path) -> None:
    World(tmp_path).close()
    store = Store(tmp_path, options=StoreOptions(queue_size=2))
    store.open()
    answers = Answers()
    for n in range(3):
        store.write(lambda tx: None, answers.to(n))
    assert list(answers.got) == [2]
    with pytest.raises(TryLater, match="overloaded"):
        answers.got[2].result()
    for n in range(10, 13):
        store.read(lambda tx: None, answers.to(n))
    assert list(answers.got) == [2, 12]
    store.start()
    answers.wait(6)
    store.close()


def test_close_finishes_what_is_queued_and_refuses_what_comes(world: World) -> None:
    store, answers = world.store, Answers()
    for n in range(20):
        store.write(add(world, b"%d" % n), answers.to(n))
    store.start()
    store.close()
    assert [answers.got[n].result().uid for n in range(20)] == list(range(1, 21))
    store.write(lambda tx: None, answers.to("late"))
    store.read(lambda tx: None, answers.to("late read"))
    for name in ("late", "late read"):
        with pytest.raises(TryLater, match="stopping"):
            answers.got[name].result()


def test_callbacks_that_fail_hurt_nobody_else(world: World) -> None:
    store, answers = world.store, Answers()

    def bad(outcome: Outcome[None]) -> None:
        raise RuntimeError("bug")

    def committed(changes: Changes) -> None:
        raise RuntimeError("bug")

    store._committed = committed
    store.write(lambda tx: tx.settings.set("a", "1"), bad)
    store.write(lambda tx: tx.settings.set("b", "1"), answers.to("b"))
    store.start()
    answers.wait(1)
    store.write(lambda tx: tx.settings.set("c", "1"), answers.to("c"))
    answers.wait(2)
    assert store.read_now(lambda tx: sorted(tx.settings.all())) == ["a", "b", "c"]


def test_a_loop_that_is_gone_does_not_stop_the_writer(tmp_path) -> None:
    def post(call: Callable[[], None]) -> None:
        raise RuntimeError("Event loop is closed")

    World(tmp_path).close()
    store = Store(tmp_path, post=post)
    store.open()
    store.start()
    store.write(lambda tx: tx.settings.set("a", "1"), lambda outcome: None)
    store.close()
    assert store.read_now(lambda tx: tx.settings.get("a")) == "1"


def test_what_was_being_purged_at_a_crash_is_purged_after_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("mailserver.store.purge.Purge.some.__defaults__", (2,))
    world = World(tmp_path)
    box = world.create("box")
    for n in range(9):
        world.add(b"%d" % n, box.id)
    committer: Committer = world.store._committer()
    committer.run(
        [Job(lambda tx: tx.mailboxes.delete(world.alice.id, "box"), lambda o: None)],
        list,
        lambda batch: None,  # and the slices that should follow never run
    )
    committer.close()
    assert world.account().messages == 7
    world.close()
    store = Store(tmp_path)
    store.open()
    store.start()
    for _ in range(200):
        if not store.read_now(lambda tx: tx.purge.is_needed()):
            break
        threading.Event().wait(0.02)
    assert store.read_now(lambda tx: tx.accounts.get(world.alice.id)).messages == 0
    assert store.read_now(lambda tx: tx.verify.problems()) == []
    store.close()


def test_time_comes_from_the_clock(world: World) -> None:
    world.clock.now = NOW + 7.9
    assert world.store.write_now(lambda tx: tx.now) == NOW + 7
    world.add(b"x")
    ((saved_at,),) = world.store.read_now(
        lambda tx: list(tx.messages.rows(world.inbox, [1], "saved_at"))
    )
    assert saved_at == NOW + 7


def test_touched_is_announced(world: World) -> None:
    heard: list[Changes] = []
    world.store._committed = heard.append
    world.store.write_now(lambda tx: tx.touched(world.alice.id, world.inbox))
    assert heard == [Changes(frozenset({(world.alice.id, world.inbox)}))]


def test_flags_that_do_not_change_wake_nobody(world: World) -> None:
    world.add(b"x", flags=bits.SEEN)
    heard: list[Changes] = []
    world.store._committed = heard.append
    world.flag(world.inbox, [1], bits.SEEN)
    assert heard == []
