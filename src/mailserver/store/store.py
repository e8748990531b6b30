"""The store: one database file, one folder of large bodies, a writer thread and a pool of readers.

Whoever runs a loop hands in jobs with `write` and `read` and is called back; the command line and tests use
`write_now` and `read_now`.  A store is opened after a fork, never before.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import apsw

from mailserver.base.errors import TryLater
from mailserver.base.limits import ContactLimits, ImapLimits, QueueLimits, SieveLimits
from mailserver.base.log import Log
from mailserver.store import blobs
from mailserver.store.checkpoint import Background
from mailserver.store.commit import Batch, Committer, Job, told
from mailserver.store.database import Database, connect
from mailserver.store.files import Files
from mailserver.store.migrate import migrate, steps
from mailserver.store.outcome import Outcome
from mailserver.store.search_file import SearchFile
from mailserver.store.spool import Body
from mailserver.store.sweep import sweep
from mailserver.store.turn import Turn
from mailserver.store.tx import Read, Write
from mailserver.store.values import Changes
from mailserver.store.warm import WarmQueue

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """What can be tuned."""

    readers: int = 4  # threads, each with its own connection
    queue_size: int = 10_000  # jobs that may wait for the writer, and as many for the readers
    batch_size: int = 256  # jobs in one transaction
    writer_cache_kib: int = 65_536
    reader_cache_kib: int = 8_192
    limits: ImapLimits = field(default_factory=ImapLimits)
    queue: QueueLimits = field(default_factory=QueueLimits)
    finds_attached: bool = False  # searches for texts look into attached documents, too
    sieve: SieveLimits = field(default_factory=SieveLimits)
    contacts: ContactLimits = field(default_factory=ContactLimits)
    clock: Callable[[], float] = time.time  # UTC epoch seconds

    @property
    def bounds(self) -> tuple[ImapLimits, QueueLimits, SieveLimits, ContactLimits]:
        """What a transaction keeps to."""
        return self.limits, self.queue, self.sieve, self.contacts


class Store:
    """Everything that is kept.

    post:      how the end of a transaction reaches the owner's thread (`loop.call_soon_threadsafe`); None: it is told
               in the store's own thread.
    committed: hears once per commit what changed, before the callbacks of that commit's jobs.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        options: StoreOptions | None = None,
        post: Callable[[Callable[[], None]], object] | None = None,
        committed: Callable[[Changes], None] | None = None,
    ) -> None:
        self.path = data_dir / "mailserver.db"
        self.blob_folder = data_dir / "blobs"
        self.spool_folder = data_dir / "spool"
        self._files = Files(self.blob_folder)
        self._run_folder = data_dir / "run"
        self._options = options or StoreOptions()
        self._post = post or (lambda call: call())
        self._committed = committed
        self._writing: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._reading: WarmQueue[Job | None] = WarmQueue()
        self._threads: list[threading.Thread] = []
        self._is_closing = False
        self._at_commit: Callable[[], None] | None = None
        self._has_purge = False
        self._now_lock = threading.Lock()
        self._now_writer: Committer | None = None
        self._now_reader: tuple[Database, Read] | None = None

    def open(self) -> None:
        """Creates what is missing and migrates an older schema; raises Cannot for a newer one."""
        for folder in (self.path.parent, self.blob_folder, self.spool_folder, self._run_folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        turn = Turn(self._run_folder)
        try:
            with turn:
                db = connect(self.path, cache_kib=self._options.reader_cache_kib)
                try:
                    migrate(db, self.path, steps())
                    tx = Read(db, self.blob_folder, *self._options.bounds)
                    self._has_purge = tx.purge.is_needed()
                    self._check_index(tx)
                finally:
                    db.connection.close()
        finally:
            turn.close()
        self.path.chmod(0o600)

    def _check_index(self, tx: Read) -> None:
        index = SearchFile(self.path.parent)
        index.distrust(lambda: {a: stand.last for a, stand in tx.feeding.stands().items()})
        index.close()

    def start(self) -> None:
        """Starts the writer and the readers."""
        writer = self._committer(Background(self.path), self._committing)
        self._threads = [
            threading.Thread(target=self._write_loop, args=(writer,), name="store-writer")
        ]
        for n in range(self._options.readers):
            self._threads.append(
                threading.Thread(
                    target=self._read_loop, args=self._reader(), name=f"store-reader-{n}"
                )
            )
        for thread in self._threads:
            thread.daemon = True
            thread.start()
        if self._has_purge:
            self._purge_later()

    def write(
        self,
        job: Callable[[Write], T],
        done: Callable[[Outcome[T]], None],
        *,
        is_pure: bool = False,
    ) -> None:
        """Queues *job* for the next transaction; *done* is called once it is committed, or has failed.

        is_pure: the job is a function of its transaction alone and may be run again after it was undone; that is
        cheaper.  Not so a job that moves something of its caller's forward, such as a session's view.
        """
        self._queue(self._writing, Job(job, done, is_pure))

    def write_all(self, jobs: Iterable[Job]) -> None:
        """Queues *jobs* one after the other, as `write` does."""
        for job in jobs:
            self._queue(self._writing, job)

    def read(self, job: Callable[[Read], T], done: Callable[[Outcome[T]], None]) -> None:
        """Queues *job* for one of the readers; *done* is called with its outcome."""
        self._queue(self._reading, Job(job, done))

    def at_commit(self, call: Callable[[], None]) -> None:
        """Have *call* made once, in the owner's thread, while the writer puts its next transaction on disk."""
        self._at_commit = call

    def write_now(self, job: Callable[[Write], T]) -> T:
        """The value of *job*, committed; blocks.  Raises what it raises, TryLater for trouble with the disk."""
        outcomes: list[Outcome[T]] = []
        with self._now_lock:
            if self._now_writer is None:
                self._now_writer = self._committer()
            work: Callable[[Write], object] = job
            done: Callable[[Outcome[Any]], None] = outcomes.append
            while self._commit_now(self._now_writer, Job(work, done)):
                work, done = _purge, _log_failure
        return outcomes[0].result()

    def read_now(self, job: Callable[[Read], T]) -> T:
        """The value of *job* in a transaction of its own; blocks."""
        with self._now_lock:
            if self._now_reader is None:
                self._now_reader = self._reader()
            return _read(*self._now_reader, job)

    @property
    def writing(self) -> int:
        """Jobs that wait for the writer."""
        return self._writing.qsize()

    def prepare(self, body: Body, threshold: int) -> blobs.Prepared:
        """*body* ready for `blobs.put`; above *threshold* octets it is a file now.

        Blocks on the disk then.  Raises TryLater.
        """
        try:
            return blobs.prepare(self._files, body, threshold)
        except OSError as error:
            raise told(error) from error

    def sweep(
        self, older_than_s: float = 86_400.0, *, is_over: Callable[[], bool] = lambda: False
    ) -> int:
        """The number of files removed that a crash left behind; blocks until all were looked at, or *is_over*.

        Bytes of a delivery under way have no row yet, so only files that old go.
        """
        return sweep(
            self.blob_folder,
            self.spool_folder,
            before=self._options.clock() - older_than_s,
            is_known=lambda sha256, path: self.read_now(
                lambda tx: tx.blobs.is_file_of(sha256, path)
            ),
            is_over=is_over,
        )

    def close(self) -> None:
        """Finishes what was queued, refuses what comes now, writes the log back and lets go of the files."""
        self._is_closing = True
        self._writing.put(None)
        for _ in range(len(self._threads) - 1):
            self._reading.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []
        self._refuse_rest()
        with self._now_lock:
            if self._now_reader is not None:
                self._now_reader[1].search.close()
                self._now_reader[0].connection.close()
                self._now_reader = None
            if self._now_writer is not None:
                self._now_writer.close()
                self._now_writer = None

    def _commit_now(self, committer: Committer, job: Job) -> bool:
        """Runs and answers *job*; whether it left something to purge."""
        batches: list[Batch] = []
        committer.run([job], list, batches.append)
        (batch,) = batches  # one job is never left for later
        for done, outcome in batch.outcomes:
            done(outcome)
        self._tell(Batch([], batch.changes))
        return batch.has_purge

    def _purge_later(self) -> None:
        if not self._is_closing:
            self._writing.put(Job(_purge, _log_failure, is_pure=True))

    def _queue(
        self, waiting: "queue.SimpleQueue[Job | None] | WarmQueue[Job | None]", job: Job
    ) -> None:
        if self._is_closing:
            self._tell(_refusal(job, "The server is stopping."))
        elif waiting.qsize() >= self._options.queue_size:
            self._tell(_refusal(job, "The server is overloaded."))
        else:
            waiting.put(job)

    def _refuse_rest(self) -> None:
        """Answers those who came in the moment of closing."""
        for waiting in (self._writing, self._reading):
            try:
                while True:
                    if (job := waiting.get_nowait()) is not None:
                        self._tell(_refusal(job, "The server is stopping."))
            except queue.Empty:
                pass

    def _write_loop(self, committer: Committer) -> None:
        most = self._options.batch_size
        waiting = self._writing
        is_last = False

        def more() -> list[Job]:
            nonlocal is_last
            jobs: list[Job] = []
            try:
                while not is_last and len(jobs) < most - len(rest):
                    job = waiting.get_nowait()
                    if job is None:
                        is_last = True
                        break
                    jobs.append(job)
            except queue.Empty:
                pass
            return jobs

        rest: list[Job] = []  # what the last transaction had no time for
        while rest or not is_last:
            if not rest:
                first = waiting.get()
                if first is None:
                    break
                rest = [first]
            rest = committer.run(rest, more, self._finish)
        committer.close()

    def _finish(self, batch: Batch) -> None:
        self._tell(batch)
        if batch.has_purge:
            self._purge_later()

    def _read_loop(self, db: Database, tx: Read) -> None:
        own: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        while (job := self._reading.get(own)) is not None:
            try:
                outcome = Outcome(_read(db, tx, job.work))
            except BaseException as error:
                outcome = Outcome(error=error)
            self._tell(Batch([(job.done, outcome)]))
        tx.search.close()
        db.connection.close()

    def _tell(self, batch: Batch) -> None:
        self._send(lambda: self._deliver(batch))

    def _send(self, call: Callable[[], None]) -> None:
        try:
            self._post(call)
        except Exception as error:  # the owner's loop is closed: nobody is left to be told
            Log("store").warning("nobody to tell", reason=str(error))

    def _deliver(self, batch: Batch) -> None:
        if self._committed is not None and batch.changes:
            try:
                self._committed(batch.changes)
            except Exception as error:
                Log("store").error("announcing a commit failed", error=error)
        for done, outcome in batch.outcomes:
            try:
                done(outcome)
            except Exception as error:
                Log("store").error("a job's callback failed", error=error)

    def _committing(self) -> None:
        call, self._at_commit = self._at_commit, None
        if call is not None:
            self._send(call)

    def _committer(
        self,
        background: Background | None = None,
        committing: Callable[[], None] = lambda: None,
    ) -> Committer:
        db = connect(self.path, cache_kib=self._options.writer_cache_kib)
        tx = Write(db, self.blob_folder, *self._options.bounds)
        turn = Turn(self._run_folder)
        return Committer(db, turn, tx, self._options.clock, background, committing)

    def _reader(self) -> tuple[Database, Read]:
        db = connect(self.path, cache_kib=self._options.reader_cache_kib, reading=True)
        tx = Read(db, self.blob_folder, *self._options.bounds)
        tx.search.finds_attached = self._options.finds_attached
        return db, tx


def _purge(tx: Write) -> None:
    tx.journal.has_purge = tx.purge.some()


def _log_failure(outcome: Outcome[Any]) -> None:
    if outcome.error is not None:
        Log("store").error("purging failed", error=outcome.error)


def _refusal(job: Job, why: str) -> Batch:
    return Batch([(job.done, Outcome(error=TryLater(why)))])


def _read(db: Database, tx: Read, job: Callable[[Read], T]) -> T:
    try:
        db.run("BEGIN")
        tx.leave()
        return job(tx)
    except (apsw.Error, OSError) as error:
        raise told(error) from error
    finally:
        if db.connection.in_transaction:
            db.run("ROLLBACK")
