"""Group commit: many jobs in one transaction, each of them all or nothing, nobody answered before the COMMIT."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from mailserver.base.errors import TryLater
from mailserver.base.ids import AccountId, MailboxId
from mailserver.base.log import Log
from mailserver.store.database import Database
from mailserver.store.outcome import Outcome
from mailserver.store.turn import Turn
from mailserver.store.tx import Write
from mailserver.store.values import Changes

#: pages in the write-ahead log from which on it is written back to the database
CHECKPOINT_PAGES = 1_000

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
    """What to do in a transaction, and who wants to know how it ended."""

    work: Callable[[Any], Any]
    done: Done


@dataclass(slots=True)
class Batch:
    """A finished transaction's outcomes in the order of its jobs, and what it changed."""

    outcomes: list[tuple[Done, Outcome[Any]]] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)


def told(error: BaseException) -> BaseException:
    """*error* as the one who asked should see it: trouble of the moment is TryLater."""
    if isinstance(error, _PASSING) or (
        isinstance(error, OSError) and error.errno in _PASSING_ERRNO
    ):
        Log("store").error("storage trouble", error=error)
        later = TryLater("The storage is not available at the moment.")
        later.__cause__ = error
        return later
    return error


class Committer:
    """One writing connection with its participant in the write turn."""

    def __init__(self, db: Database, turn: Turn, tx: Write, clock: Callable[[], float]) -> None:
        self._db = db
        self._turn = turn
        self._tx = tx
        self._clock = clock
        self._wal_pages = 0
        self._unlink: list[Path] = []
        db.connection.set_wal_hook(self._note_wal)

    def run(
        self,
        jobs: list[Job],
        more: Callable[[], list[Job]],
        answer: Callable[[Batch], None],
    ) -> None:
        """Waits for the turn, runs *jobs* and what *more* adds meanwhile, commits, calls *answer*, cleans up.

        A failed COMMIT is TryLater for every job.  Never raises.
        """
        with self._turn:
            jobs = jobs + more()
            try:
                batch = self._transact(jobs)
            except BaseException as error:
                self._roll_back()
                failed = told(error)
                batch = Batch([(job.done, Outcome(error=failed)) for job in jobs])
                self._unlink.clear()
            answer(batch)
            self._checkpoint()
        self._remove_files()

    def close(self) -> None:
        """Writes the log back, if nobody else is in the way, and closes the connection."""
        try:
            self._db.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error as error:
            Log("store").warning("no checkpoint at close", reason=str(error))
        self._db.connection.close()
        self._turn.close()

    def _transact(self, jobs: list[Job]) -> Batch:
        tx, db = self._tx, self._db
        journal = tx.journal
        db.run("BEGIN IMMEDIATE")
        journal.now = int(self._clock())
        mailboxes: set[tuple[AccountId, MailboxId]] = set()
        accounts: set[AccountId] = set()
        directory = False
        prepared = []
        outcomes: list[tuple[Done, Outcome[Any]]] = []
        for job in jobs:
            journal.clear()
            db.run("SAVEPOINT job")
            try:
                value = job.work(tx)
                if journal.fresh:
                    tx.blobs.release(list(journal.fresh))
            except BaseException as error:
                if not db.connection.in_transaction:  # SQLite gave the whole transaction up
                    raise
                db.run("ROLLBACK TO job")
                db.run("RELEASE job")
                outcomes.append((job.done, Outcome(error=told(error))))
                continue
            db.run("RELEASE job")
            outcomes.append((job.done, Outcome(value)))
            mailboxes |= journal.mailboxes
            accounts |= journal.accounts
            directory |= journal.directory
            prepared += journal.prepared
            self._unlink += journal.unlink
        for file in prepared:
            file.keep()  # even if the COMMIT fails: a crash then might still bring its rows back
        db.run("COMMIT")
        return Batch(outcomes, Changes(frozenset(mailboxes), frozenset(accounts), directory))

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
        if self._wal_pages < CHECKPOINT_PAGES:
            return
        self._wal_pages = 0
        try:
            self._db.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            Log("store").warning("checkpoint failed", reason=str(error))

    def _remove_files(self) -> None:
        for path in self._unlink:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                Log("store").warning("file stays", path=str(path), reason=str(error))
        self._unlink.clear()
