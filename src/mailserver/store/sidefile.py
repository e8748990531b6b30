"""A database that may be lost: when it is damaged or of another version, it is put aside and made anew.

Several processes share it.  SQLite's own locks settle who writes; transactions in it are short.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from mailserver.base.errors import Corrupt
from mailserver.base.log import Log
from mailserver.store.database import Database

BUSY_MS = 5_000  #: how long a transaction waits for another process's
WAL_LIMIT = 16_777_216  #: octets the write-ahead log keeps on disk after a checkpoint

DAMAGED = (apsw.NotADBError, apsw.CorruptError)  #: what a file looks like that will not heal
#: what may pass: full disk, failing disk, no rights, somebody's long lock
PASSING = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.PermissionsError,
    apsw.NoMemError,
    OSError,
)


class SideFile:
    """One such database.  For one thread at a time.

    schema:  the statements that make it.
    version: of the schema; a file that says another is of no use.
    """

    __slots__ = ("_db", "_inode", "_log", "_schema", "_version", "path")

    def __init__(self, path: Path, schema: str, version: int) -> None:
        self.path = path
        self._schema = schema
        self._version = version
        self._db: Database | None = None
        self._inode = -1
        self._log = Log("store", file=path.name)

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """A transaction, committed at the end; what was open is opened again if another process has put it aside.

        Raises one of PASSING.  A damaged file raises one of DAMAGED, and there is a new one for the next transaction.
        """
        with self._watched():
            db = self._opened()
            db.run("BEGIN IMMEDIATE")
            try:
                yield db
                db.run("COMMIT")
            finally:
                if db.connection.in_transaction:
                    db.run("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[Database | None]:
        """A read transaction; None when there is no file.  The connection is kept for the next one.

        Raises one of PASSING.  A damaged file raises one of DAMAGED, and is put aside.
        """
        with self._watched():
            if not self.path.exists():
                self.close()
                yield None
                return
            db = self._opened()
            db.run("BEGIN")
            try:
                yield db
            finally:
                if db.connection.in_transaction:
                    db.run("ROLLBACK")

    @property
    def is_current(self) -> bool:
        """What is open here is the file that others open now."""
        return self._db is not None and self._inode == _inode(self.path)

    def discard(self) -> None:
        """Remove the file; whoever uses it sees a new one at the next transaction.  Raises OSError."""
        self.close()
        with self._locked():
            for suffix in ("-wal", "-shm", ""):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
        if self._db is not None:
            self._db.connection.close()
            self._db = None

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """After damage the file is put aside; after trouble with the disk it is opened anew."""
        try:
            yield
        except DAMAGED as error:
            self._replace(str(error))
            raise
        except (apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError):
            self.close()  # the files may have changed below us: look at them anew
            raise

    def _opened(self) -> Database:
        if self._db is not None and self._inode != _inode(self.path):
            self.close()
        if self._db is None:
            with self._locked():
                self._inode = _inode(self.path)
                self._db = self._made()
                self._inode = _inode(self.path)
        return self._db

    def _made(self) -> Database:
        db = _connect(self.path)
        try:
            ((found,),) = db.rows("PRAGMA user_version")
            if found == 0:
                db.run("PRAGMA auto_vacuum = INCREMENTAL")
            db.run("PRAGMA journal_mode = WAL")
            db.run("PRAGMA synchronous = NORMAL")
            db.run("PRAGMA wal_autocheckpoint = 1000")
            if found == self._version:
                return db
            if found:
                raise apsw.NotADBError(f"it has schema {found}, this program {self._version}")
            db.run(f"BEGIN; {self._schema}; PRAGMA user_version = {self._version}; COMMIT")
        except BaseException:
            db.connection.close()
            raise
        self.path.chmod(0o600)
        return db

    def _replace(self, why: str) -> None:
        """Put the damaged file aside, unless another process has done so."""
        self.close()
        with self._locked():
            if self._inode != _inode(self.path):
                return
            for suffix in ("-wal", "-shm", ""):
                part = Path(f"{self.path}{suffix}")
                if part.exists():
                    part.replace(f"{self.path}.damaged{suffix}")
        self._log.error("put aside", reason=why, put_to=f"{self.path.name}.damaged")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else makes or replaces the file meanwhile."""
        lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


@contextmanager
def reading(path: Path, version: int) -> Iterator[Database | None]:
    """A read transaction in the side file *path*; None when there is none, or none that can be read, or half of one.

    Raises Corrupt for damage that shows up while it is read.
    """
    db: Database | None = None
    try:
        if path.exists():
            db = _connect(path)
            db.run("PRAGMA query_only = ON")
            db.run("BEGIN")
            ((found,),) = db.rows("PRAGMA user_version")
            if found != version:  # somebody is just making it, or it is of another program version
                db.connection.close()
                db = None
    except (*DAMAGED, *PASSING) as error:
        Log("store", file=path.name).warning("cannot be read", reason=str(error))
        if db is not None:
            db.connection.close()
            db = None
    try:
        yield db
    except DAMAGED as error:
        raise Corrupt(
            f"{path} is damaged ({error}); it is made anew as soon as it is written"
        ) from error
    finally:
        if db is not None:
            db.connection.close()


def octets_used(db: Database) -> int:
    """What the file would take without its free pages."""
    pages, free, size = (
        int(db.rows(f"PRAGMA {name}")[0][0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def storable(text: str) -> str:
    """*text* without lone surrogates, which SQLite does not take."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _connect(path: Path) -> Database:
    connection = apsw.Connection(str(path), statementcachesize=50)
    connection.set_busy_timeout(BUSY_MS)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute("PRAGMA cache_size = -2048")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
    return Database(connection)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return -1
