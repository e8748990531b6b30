"""Group commit: many jobs in one transaction, each of them all or nothing, nobody answered before the COMMIT.

A job that fails is undone alone.  SQLite can do that with a savepoint, but a savepoint makes it keep a copy of every
page the job touches, which costs about as much as the job.  So *pure* jobs, functions of their transaction alone, run
without: if one of them fails half-way, they are all undone and run again one by one.
"""

import contextlib
import errno
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import apsw

from mailserver.base.errors import TryLater
from mailserver.base.ids import AccountId, MailboxId
from mailserver.base.log import Log
from mailserver.store.checkpoint import Background, Due, Growth, write_back
from mailserver.store.database import Database
from mailserver.store.journal import Keepable
from mailserver.store.outcome import Outcome
from mailserver.store.turn import Turn
from mailserver.store.tx import Write
from mailserver.store.values import Changes

#: a transaction takes no further jobs after this long, so that other processes get their turn
LONGEST_S = 0.05

#: what a full disk, a failing disk and an outsider's lock look like: nothing is wrong with the request
_PASSING = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.CantOpenError,
    apsw.NoMemError,
)
_PASSING_ERRNO = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EROFS}

Done = Callable[[Outcome[Any]], None]


@dataclass(slots=True)
class Job:
    """What to do in a transaction, and who wants to know how it ended.

    is_pure: it may be run again after it was undone, as it changes nothing but its transaction.
    """

    work: Callable[[Any], Any]
    done: Done
    is_pure: bool = False


@dataclass(slots=True)
class Batch:
    """A finished transaction's outcomes in the order of its jobs, and what it changed."""

    outcomes: list[tuple[Done, Outcome[Any]]] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)
    has_purge: bool = False


@dataclass(slots=True)
class _Notes:
    """What the jobs of a transaction that were not undone have to tell."""

    outcomes: list[tuple[Done, Outcome[Any]]] = field(default_factory=list)
    mailboxes: set[tuple[AccountId, MailboxId]] = field(default_factory=set)
    accounts: set[AccountId] = field(default_factory=set)
    directory: bool = False
    queue: bool = False
    has_purge: bool = False
    prepared: list[Keepable] = field(default_factory=list)
    unlink: list[Path] = field(default_factory=list)

    def add(self, other: "_Notes") -> None:
        self.outcomes += other.outcomes
        self.mailboxes |= other.mailboxes
        self.accounts |= other.accounts
        self.directory |= other.directory
        self.queue |= other.queue
        self.has_purge |= other.has_purge
        self.prepared += other.prepared
        self.unlink += other.unlink

    def batch(self) -> Batch:
        changes = Changes(
            frozenset(self.mailboxes), frozenset(self.accounts), self.directory, self.queue
        )
        return Batch(self.outcomes, changes, self.has_purge)


def _failure(jobs: list[Job], error: BaseException) -> Batch:
    failed = told(error)
    return Batch([(job.done, Outcome(error=failed)) for job in jobs])


def told(error: BaseException) -> BaseException:
    """*error* as the one who asked should see it: trouble of the moment is TryLater."""
    if isinstance(error, _PASSING) or (
        isinstance(error, OSError) and error.errno in _PASSING_ERRNO
    ):
        Log("store").warning("storage trouble", reason=f"{type(error).__name__}: {error}")
        later = TryLater("The storage is not available at the moment.")
        later.__cause__ = error
        return later
    return error


class Committer:
    """One writing connection with its participant in the write turn.

    background: who writes the log back; None: the writer itself, always.
    committing: called when all jobs of a transaction are done and it is about to be put on disk, which needs no
                interpreter.
    """

    def __init__(
        self,
        db: Database,
        turn: Turn,
        tx: Write,
        clock: Callable[[], float],
        background: Background | None = None,
        committing: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._turn = turn
        self._tx = tx
        self._clock = clock
        self._background = background
        self._committing = committing
        self._growth = Growth()
        self._wal_pages = 0
        self._until = 0.0  # monotonic seconds: when this transaction takes no further jobs
        self._unlink: list[Path] = []
        db.connection.set_wal_hook(self._note_wal)

    def run(
        self,
        jobs: list[Job],
        more: Callable[[], list[Job]],
        answer: Callable[[Batch], None],
    ) -> list[Job]:
        """Waits for the turn, runs *jobs* and what *more* adds meanwhile, commits, calls *answer*, cleans up.

        The jobs there was no time for, at least one less than there were, come back.  A failed COMMIT is TryLater
        for every job that ran.  Raises nothing.
        """
        try:
            with self._turn:
                jobs = jobs + more()
                batch = self._commit(jobs)
                answer(batch)
                self._checkpoint()
        except OSError as error:  # no lock to be had
            batch = _failure(jobs, error)
            answer(batch)
        self._remove_files()
        return jobs[len(batch.outcomes) :]

    def close(self) -> None:
        """Writes the log back, if nobody else is in the way, and closes the connection."""
        if self._background is not None:
            self._background.close()
        self._db.connection.set_busy_timeout(0)  # another process reads or writes: it will do it
        with contextlib.suppress(apsw.Error):
            self._db.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._db.connection.close()
        self._turn.close()

    def _commit(self, jobs: list[Job]) -> Batch:
        try:
            return self._transact(jobs)
        except BaseException as error:
            self._roll_back()
            self._unlink.clear()
            return _failure(jobs, error)

    def _transact(self, jobs: list[Job]) -> Batch:
        self._db.run("BEGIN IMMEDIATE")
        self._tx.journal.now = int(self._clock())
        self._until = time.monotonic() + LONGEST_S
        notes = _Notes()
        for is_pure, group in groupby(jobs, key=lambda job: job.is_pure):
            if is_pure and len(jobs) > 1:
                self._run_together(list(group), notes, is_all=not notes.outcomes)
            else:
                self._run_each(list(group), notes, is_all=len(jobs) == 1)
            if self._is_late():
                break
        for file in notes.prepared:
            file.keep()  # even if the COMMIT fails: a crash then might still bring its rows back
        self._committing()
        self._db.run("COMMIT")
        self._unlink += notes.unlink
        return notes.batch()

    def _run_together(self, jobs: list[Job], notes: "_Notes", *, is_all: bool) -> None:
        """Runs pure jobs; *is_all*: nothing came before them in the transaction."""
        mine = _Notes()
        self._mark(is_all)
        for job in jobs:
            if not self._try(job, mine):
                self._undo(is_all)
                self._release(is_all)
                self._run_each(jobs, notes, is_all=False)
                return
            if self._is_late():
                break
        self._release(is_all)
        notes.add(mine)

    def _run_each(self, jobs: list[Job], notes: "_Notes", *, is_all: bool) -> None:
        """Runs jobs that are undone one by one; *is_all*: it is only one, and the whole transaction."""
        for job in jobs:
            self._mark(is_all)
            if not self._try(job, notes):
                self._undo(is_all)
            self._release(is_all)
            if self._is_late():
                break

    def _is_late(self) -> bool:
        return time.monotonic() > self._until

    def _try(self, job: Job, notes: "_Notes") -> bool:
        """Notes how *job* ended; False if it failed and has left changes to undo."""
        journal, connection = self._tx.journal, self._db.connection
        journal.clear()
        self._tx.leave()
        before = connection.total_changes()
        try:
            value = job.work(self._tx)
            if journal.fresh:
                self._tx.blobs.release(list(journal.fresh))
        except BaseException as error:
            if not connection.in_transaction:  # SQLite gave the whole transaction up
                raise
            notes.outcomes.append((job.done, Outcome(error=told(error))))
            return connection.total_changes() == before
        notes.outcomes.append((job.done, Outcome(value)))
        notes.mailboxes |= journal.mailboxes
        notes.accounts |= journal.accounts
        notes.directory |= journal.directory
        notes.queue |= journal.queue
        notes.has_purge |= journal.has_purge
        notes.prepared += journal.prepared
        notes.unlink += journal.unlink
        return True

    def _mark(self, is_all: bool) -> None:
        if not is_all:
            self._db.run("SAVEPOINT job")

    def _undo(self, is_all: bool) -> None:
        if is_all:
            self._db.run("ROLLBACK")
            self._db.run("BEGIN IMMEDIATE")
        else:
            self._db.run("ROLLBACK TO job")

    def _release(self, is_all: bool) -> None:
        if not is_all:
            self._db.run("RELEASE job")

    def _roll_back(self) -> None:
        try:
            if self._db.connection.in_transaction:
                self._db.run("ROLLBACK")
        except apsw.Error as error:
            Log("store").error("rollback failed", error=error)

    def _note_wal(self, db: apsw.Connection, name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        due = self._growth.to(self._wal_pages)
        if due is Due.NOTHING:
            return
        if self._background is None:
            write_back(self._db.connection)
        elif due is Due.SOON:
            self._background.ask()
        else:
            self._background.finish(self._db.connection)

    def _remove_files(self) -> None:
        for path in self._unlink:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                Log("store").warning("file stays", path=str(path), reason=str(error))
        self._unlink.clear()
