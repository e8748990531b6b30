"""Several processes on one store: turns, crashes, the same bytes delivered and removed at once, a full disk."""

import fcntl
import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from mailserver.base.errors import TryLater
from mailserver.base.ids import AccountId, MailboxId
from mailserver.store import flags as bits
from mailserver.store.outcome import Outcome
from mailserver.store.spool import body_of
from mailserver.store.store import Store
from mailserver.store.turn import Turn
from store.world import NOW, World, derived

FORK = multiprocessing.get_context("fork")
LARGE = b"0123456789abcdef" * 400


def deliver(store: Store, account: AccountId, mailbox: MailboxId, raw: bytes, threshold: int):
    """The job of a delivery, and the prepared body it puts."""
    prepared = store.prepare(body_of(raw), threshold)

    def job(tx):
        blob = tx.blobs.put(prepared)
        return tx.messages.add(account, mailbox, blob, derived(), internal_at=NOW)

    return job, prepared


def spawn(work: Callable[..., None], *args: object) -> multiprocessing.process.BaseProcess:
    process = FORK.Process(target=work, args=args, daemon=True)
    process.start()
    return process


def finish(*processes: multiprocessing.process.BaseProcess) -> None:
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def write_many(folder: Path, account: AccountId, mailbox: MailboxId, name: int, count: int) -> None:
    """A worker process: deliveries through the writer thread, some of them at once."""
    store = Store(folder)
    store.open()
    store.start()
    room = threading.Semaphore(8)
    failed: list[BaseException] = []

    def done(outcome: Outcome[object]) -> None:
        if outcome.error:
            failed.append(outcome.error)
        room.release()

    for n in range(count):
        room.acquire()
        job, _ = deliver(store, account, mailbox, b"%d %d" % (name, n), 10_000)
        store.write(job, done, is_pure=n % 2 == 0)
    store.close()
    os._exit(1 if failed else 0)


def test_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.close()
    workers = [spawn(write_many, tmp_path, world.alice.id, world.inbox, n, 60) for n in range(3)]
    finish(*workers)
    store = Store(tmp_path)
    store.open()

    def job(tx):
        rows = tx.messages.rows(MailboxId(1), [(1, 1000)], "uid", "blob")
        return [(uid, tx.blobs.read(blob)) for uid, blob in rows]

    rows = store.read_now(job)
    assert [uid for uid, _ in rows] == list(range(1, 181))
    assert {raw for _, raw in rows} == {b"%d %d" % (p, n) for p in range(3) for n in range(60)}
    assert store.read_now(lambda tx: tx.verify.problems()) == []
    store.close()


def test_opening_a_new_store_from_many_processes(tmp_path: Path) -> None:
    def work() -> None:
        store = Store(tmp_path)
        store.open()
        store.close()
        os._exit(0)

    finish(*[spawn(work) for _ in range(4)])
    store = Store(tmp_path)
    store.open()
    assert store.read_now(lambda tx: tx.verify.problems()) == []
    store.close()


def test_the_write_turn_goes_round(tmp_path: Path) -> None:
    """Who holds the turn and wants it again queues behind those who wait."""
    order: list[str] = []
    first, second = Turn(tmp_path), Turn(tmp_path)
    entered = threading.Event()

    def wait() -> None:
        with second:
            order.append("second")

    waiter = threading.Thread(target=wait)
    with first:
        waiter.start()
        while "second waits" not in order:
            # it holds `next` now, or will in a moment: only then may the first one go on
            probe = os.open(tmp_path / "write.next", os.O_RDWR)
            try:
                fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                order.append("second waits")
            os.close(probe)
            entered.wait(0.001)
    with first:
        order.append("first again")
    waiter.join()
    assert order == ["second waits", "second", "first again"]
    first.close()
    second.close()


def test_a_killed_process_lets_the_turn_go(tmp_path: Path) -> None:
    def work(ready) -> None:
        with Turn(tmp_path):
            ready.set()
            time.sleep(60)

    ready = FORK.Event()
    process = spawn(work, ready)
    assert ready.wait(60)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    started = time.monotonic()
    turn = Turn(tmp_path)
    with turn:
        pass
    turn.close()
    assert time.monotonic() - started < 5


def churn(folder: Path, account: AccountId, mailbox: MailboxId, acknowledged: int) -> None:
    """Delivers rows and files, expunges some, and reports each UID that was acknowledged; to be killed."""
    store = Store(folder)
    store.open()
    n = 0
    while True:
        raw = b"%d " % n + (LARGE if n % 2 else b"")
        job, _ = deliver(store, account, mailbox, raw, 1000)
        uid = store.write_now(job).uid
        os.write(acknowledged, b"+%d %d\n" % (uid, n))
        if n % 5 == 4:

            def expunge(tx, uid=uid):
                tx.messages.change_flags(mailbox, [uid], "add", bits.DELETED)
                return tx.messages.expunge(mailbox)

            os.write(acknowledged, b"?%d\n" % uid)
            store.write_now(expunge)
            os.write(acknowledged, b"-%d\n" % uid)
        n += 1


def test_kill_9_leaves_every_acknowledged_message_and_no_row_without_its_file(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    account, inbox = world.alice.id, world.inbox
    world.close()
    known: dict[int, bytes] = {}
    unsure: set[int] = set()
    highest = 0
    for life in range(6):
        reading, writing = os.pipe()
        process = spawn(churn, tmp_path, account, inbox, writing)
        os.close(writing)
        first = os.read(reading, 1)  # it has begun, however busy the machine is
        time.sleep(0.05 + 0.07 * life)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        with os.fdopen(reading, "rb") as pipe:
            for line in (first + pipe.read()).split(b"\n")[:-1]:
                words = line[1:].split()
                uid = int(words[0])
                if line.startswith(b"+"):
                    n = int(words[1])
                    known[uid] = b"%d " % n + (LARGE if n % 2 else b"")
                    assert uid > highest
                    highest = uid
                elif line.startswith(b"?"):
                    unsure.add(uid)
                else:
                    del known[uid]
        store = Store(tmp_path)
        store.open()
        assert store.read_now(lambda tx: tx.verify.problems()) == []

        def job(tx):
            rows = tx.messages.rows(inbox, [(1, 2**32)], "uid", "blob")
            return {uid: tx.blobs.read(blob) for uid, blob in rows}

        found = store.read_now(job)
        for uid, raw in known.items():
            if uid in found:
                assert found[uid] == raw
            else:
                assert uid in unsure
        assert all(uid in known or uid > highest - 3 or uid in unsure for uid in found)
        known = found
        highest = max([highest, *found])
        store.close()
    assert highest >= 6  # something was acknowledged in each life
    for file in tmp_path.rglob("*"):
        os.utime(file, (1, 1))
    store = Store(tmp_path)
    store.open()
    store.sweep()
    paths = {p for (p,) in sqlite3.connect(store.path).execute("SELECT path FROM blob") if p}
    files = [p for p in store.blob_folder.rglob("*") if p.is_file()]
    assert {str(p.relative_to(store.blob_folder)) for p in files} == paths
    store.close()


def same_bytes(folder: Path, account: AccountId, mailbox: MailboxId, rounds: int) -> None:
    """Delivers and expunges one and the same body, again and again."""
    store = Store(folder)
    store.open()
    for _ in range(rounds):
        job, prepared = deliver(store, account, mailbox, LARGE, 1000)
        placed = store.write_now(job)
        prepared.discard()
        ((blob,),) = store.read_now(
            lambda tx, uid=placed.uid: list(tx.messages.rows(mailbox, [uid], "blob"))
        )
        if store.read_now(lambda tx, blob=blob: tx.blobs.read(blob)) != LARGE:
            os._exit(2)

        def expunge(tx, uid=placed.uid):
            tx.messages.change_flags(mailbox, [uid], "add", bits.DELETED)
            tx.messages.expunge(mailbox, [uid])

        store.write_now(expunge)
    store.close()
    os._exit(0)


def test_removal_and_delivery_of_the_same_bytes_in_other_processes(tmp_path: Path) -> None:
    world = World(tmp_path)
    boxes = [world.create(f"box{n}").id for n in range(3)]
    world.close()
    finish(*[spawn(same_bytes, tmp_path, world.alice.id, box, 40) for box in boxes])
    store = Store(tmp_path)
    store.open()
    assert store.read_now(lambda tx: tx.verify.problems()) == []
    assert [p for p in store.blob_folder.rglob("*") if p.is_file()] == []
    assert store.read_now(lambda tx: tx.accounts.get(world.alice.id)).used == 0
    store.close()


def test_a_full_database_is_for_later_and_heals_by_itself(tmp_path: Path) -> None:
    world = World(tmp_path)
    store = world.store
    connection: list[apsw.Connection] = []
    store.write_now(lambda tx: connection.append(tx.settings._db.connection))
    ((pages,),) = connection[0].execute("PRAGMA page_count").fetchall()
    connection[0].execute(f"PRAGMA max_page_count = {pages + 12}")
    placed = []
    while len(placed) < 100:
        try:
            placed.append(world.add(b"%d" % len(placed) + LARGE))
        except TryLater:
            break
    assert 1 < len(placed) < 20
    with pytest.raises(TryLater):
        world.add(LARGE + LARGE)
    before = world.account()
    assert before.messages == len(placed)
    assert store.read_now(lambda tx: tx.verify.problems()) == []
    world.flag(world.inbox, [1], bits.SEEN)  # what needs no room goes on
    connection[0].execute("PRAGMA max_page_count = 1000000")
    assert world.add(LARGE).uid == len(placed) + 1
    world.close()


def test_a_full_database_fails_the_job_that_fills_it_and_answers_the_others_truly(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    store = world.store
    store.start()
    small: list[Outcome[object]] = []
    big: list[Outcome[object]] = []
    count = threading.Semaphore(0)

    def limit(tx) -> None:
        db = tx.settings._db
        ((pages,),) = db.rows("PRAGMA page_count")
        db.run(f"PRAGMA max_page_count = {pages + 30}")

    def done(kind: list[Outcome[object]]) -> Callable[[Outcome[object]], None]:
        def note(outcome: Outcome[object]) -> None:
            kind.append(outcome)
            count.release()

        return note

    store.write(limit, done([]))
    count.acquire()
    huge = b"x" * 2_000_000
    for n in range(5):
        job, _ = deliver(store, world.alice.id, world.inbox, b"small %d" % n, 10_000_000)
        store.write(job, done(small))
        job, _ = deliver(store, world.alice.id, world.inbox, b"%d" % n + huge, 10_000_000)
        store.write(job, done(big))
    for _ in range(10):
        assert count.acquire(timeout=20)
    assert [type(o.error) for o in big] == [TryLater] * 5
    kept = sum(1 for o in small if o.error is None)
    assert all(isinstance(o.error, TryLater) for o in small if o.error)
    assert world.account().messages == kept
    store.close()
    assert world.store.read_now(lambda tx: tx.verify.problems()) == []
