"""Connections to the database file, with the pragmas every one of them needs."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from mailserver.base.errors import Cannot

APPLICATION_ID = 0x4D41494C  #: "MAIL", tells our file from any other SQLite file
PAGE_SIZE = 8192
WAL_LIMIT = 67_108_864  #: octets the write-ahead log keeps on disk after a checkpoint

Row = tuple[Any, ...]

# What a statement may have to undo is kept in small pieces of memory.  SQLite would make a block of 64 KiB for each
# statement with RETURNING, and a temporary file beyond it, which cost more than most statements.  It can only be told
# before it starts.
apsw.shutdown()
apsw.config(apsw.SQLITE_CONFIG_STMTJRNL_SPILL, -1)
apsw.initialize()


class Database:
    """One connection: SQL and parameters in, rows as plain tuples out."""

    __slots__ = ("_many", "_run", "connection")

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self._run = connection.execute
        self._many = connection.executemany

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows; the statement is finished afterwards."""
        return self._run(sql, values).fetchall()

    def each(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Row]:
        """The rows as they are asked for."""
        return self._run(sql, values)

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Runs a statement that answers nothing."""
        self._run(sql, values)

    def insert(self, sql: str, values: Sequence[Any]) -> bool:
        """Whether an INSERT that may meet a conflict has added its row."""
        self._run(sql, values)
        return self.connection.changes() == 1

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        """Runs a statement once for each element of *values*."""
        self._many(sql, values)


def connect(path: Path, *, cache_kib: int, reading: bool = False) -> Database:
    """An open connection; with *reading* one that cannot change anything.

    `synchronous=FULL`: what was answered survives a power cut.  `mmap_size=0`: an I/O error is an error, not a signal
    that kills the process.  `busy_timeout` is for outsiders (a backup, a shell); we ourselves take turns.
    QPSG: a statement keeps its plan; without, SQLite plans a join anew whenever other values are bound (5 us each).
    """
    connection = apsw.Connection(str(path), statementcachesize=300)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.set_busy_timeout(10_000)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        if reading:
            connection.execute("PRAGMA query_only = ON")
    except apsw.NotADBError as error:
        connection.close()
        raise Cannot(f"{path} is not a database.") from error
    except BaseException:
        connection.close()
        raise
    return Database(connection)


def prepare_new(db: Database) -> None:
    """Sets what can only be set before the first table; changes nothing in a database that has tables."""
    ((pages,),) = db.rows("PRAGMA page_count")
    if pages == 0:
        db.run(f"PRAGMA page_size = {PAGE_SIZE}")
        db.run("PRAGMA auto_vacuum = INCREMENTAL")
    db.run("PRAGMA journal_mode = WAL")
