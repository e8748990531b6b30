"""`cache.db`: what all worker processes have counted lately, and from where accounts have logged in.

It is expendable: without it each worker counts for itself, and limits begin anew.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mailserver.base.errors import TryLater
from mailserver.store.database import Database
from mailserver.store.sidefile import DAMAGED, PASSING, SideFile, octets_used, reading

NAME = "cache.db"
VERSION = 1
SCHEMA = """
CREATE TABLE rate (
  name TEXT NOT NULL, kind TEXT NOT NULL, measure TEXT NOT NULL, period TEXT NOT NULL, slot INTEGER NOT NULL,
  count INTEGER NOT NULL,
  until_s INTEGER NOT NULL,               -- UTC epoch seconds: of no use afterwards
  change INTEGER NOT NULL,                -- grows with every exchange
  PRIMARY KEY (name, kind, measure, period, slot)) STRICT, WITHOUT ROWID;
CREATE INDEX rate_by_change ON rate (change);
CREATE INDEX rate_by_end ON rate (until_s);
CREATE TABLE known (                      -- a log-in that was right
  login TEXT NOT NULL, place TEXT NOT NULL,
  at INTEGER NOT NULL, change INTEGER NOT NULL,
  PRIMARY KEY (login, place)) STRICT, WITHOUT ROWID;
CREATE INDEX known_by_change ON known (change);
CREATE INDEX known_by_age ON known (at)
"""

MOST = 50_000  #: rows that one exchange brings, the newest; more are there only after a restart
PRUNED = 5_000  #: rows of no use that one exchange removes


class Count(NamedTuple):
    """What was counted in one slice of one counter's time."""

    kind: str
    name: str
    measure: str
    period: str
    slot: int
    n: int
    until_s: int


class Known(NamedTuple):
    """Somebody logged in as *login* from *place*."""

    login: str
    place: str
    at: int


class News(NamedTuple):
    """What has changed since the last exchange; *change* is for the next one."""

    counts: list[Count]
    known: list[Known]
    change: int


class RateFile:
    """The file as one worker uses it.  For one thread at a time; blocks."""

    def __init__(self, data_dir: Path, size: int = 67_108_864) -> None:
        """size: octets it may have."""
        self._file = SideFile(data_dir / NAME, SCHEMA, VERSION)
        self._size = size

    def exchange(
        self, counts: Sequence[Count], known: Sequence[Known], since: int, now: int
    ) -> News:
        """Adds *counts* and *known*; what is new since *since*, these included, with totals of all processes.

        Raises sidefile.PASSING or sidefile.DAMAGED; then nothing was added.
        """
        with self._file.writing() as db:
            last = _last_change(db)
            since = since if since <= last else 0  # the file was made anew
            if counts or known:
                last += 1
                _add(db, counts, known, last)
            _prune(db, now)
            _make_room(db, self._size)
            return News(
                [
                    Count(*row)
                    for row in db.rows(
                        "SELECT kind, name, measure, period, slot, count, until_s FROM rate"
                        " WHERE change > ? ORDER BY change DESC LIMIT ?",
                        (since, MOST),
                    )
                ],
                [
                    Known(*row)
                    for row in db.rows(
                        "SELECT login, place, at FROM known WHERE change > ?"
                        " ORDER BY change DESC LIMIT ?",
                        (since, MOST),
                    )
                ],
                last,
            )

    def reset(self, name: str) -> int:
        """How many counters of *name* were set to 0, in all processes at their next exchange.  Raises TryLater."""
        try:
            with self._file.writing() as db:
                where, values = _named(name)
                ((found,),) = db.rows(
                    "SELECT count(*) FROM (SELECT DISTINCT name, kind, measure, period FROM rate"
                    f" WHERE count <> 0 AND {where})",
                    values,
                )
                change = _last_change(db) + 1
                db.run(f"UPDATE rate SET count = 0, change = ? WHERE {where}", (change, *values))
                return int(found)
        except (*DAMAGED, *PASSING) as error:
            raise TryLater(f"{self._file.path.name}: {error}") from error

    def close(self) -> None:
        """Let go of it."""
        self._file.close()


def counts_of(data_dir: Path, name: str) -> list[Count]:
    """What is counted for *name*, and for it at some place, all slices.  Raises Corrupt."""
    with reading(data_dir / NAME, VERSION) as db:
        if db is None:
            return []
        where, values = _named(name)
        return [
            Count(*row)
            for row in db.rows(
                "SELECT kind, name, measure, period, slot, count, until_s FROM rate"
                f" WHERE {where} ORDER BY kind, name, measure, period, slot",
                values,
            )
        ]


def busiest(data_dir: Path, now: int, most: int) -> list[tuple[str, str, str, str, int]]:
    """The counters that stand highest, as (kind, name, measure, period, count).  Raises Corrupt."""
    with reading(data_dir / NAME, VERSION) as db:
        if db is None:
            return []
        return [
            (kind, name, measure, period, count)
            for kind, name, measure, period, count in db.rows(
                "SELECT kind, name, measure, period, sum(count) FROM rate WHERE until_s > ?"
                " GROUP BY kind, name, measure, period HAVING sum(count) > 0 ORDER BY 5 DESC LIMIT ?",
                (now, most),
            )
        ]


def _named(name: str) -> tuple[str, tuple[str, ...]]:
    """An account's guesses are counted by place, too: "alice@example.org at 192.0.2.0/24"."""
    at = f"{name} at "
    return "(name = ? OR name BETWEEN ? AND ?)", (name, at, f"{at}\U0010ffff")


def _last_change(db: Database) -> int:
    ((last,),) = db.rows(
        "SELECT max((SELECT coalesce(max(change), 0) FROM rate), (SELECT coalesce(max(change), 0) FROM known))"
    )
    return int(last)


def _add(db: Database, counts: Sequence[Count], known: Sequence[Known], change: int) -> None:
    db.run_many(
        "INSERT INTO rate (kind, name, measure, period, slot, count, until_s, change)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE"
        " SET count = count + excluded.count, change = excluded.change",
        ((*count, change) for count in counts),
    )
    db.run_many(
        "INSERT INTO known (login, place, at, change) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT DO UPDATE SET at = max(at, excluded.at), change = excluded.change",
        ((*one, change) for one in known),
    )


def _make_room(db: Database, size: int) -> None:
    """Above *size* octets what was counted longest ago goes, more of it than one exchange adds."""
    if octets_used(db) > size:
        db.run(
            "DELETE FROM rate WHERE (name, kind, measure, period, slot) IN (SELECT name, kind, measure, period, slot"
            " FROM rate WHERE change < (SELECT max(change) FROM rate) ORDER BY change LIMIT ?)",
            (2 * PRUNED,),
        )


KNOWN_S = 2_592_000  #: how long a place is known: 30 days


def _prune(db: Database, now: int) -> None:
    """The last change stays, so that their numbers keep growing."""
    db.run(
        "DELETE FROM rate WHERE (name, kind, measure, period, slot) IN (SELECT name, kind, measure, period, slot"
        " FROM rate WHERE until_s < ?1 AND change < (SELECT max(change) FROM rate) LIMIT ?2)",
        (now, PRUNED),
    )
    db.run(
        "DELETE FROM known WHERE (login, place) IN (SELECT login, place FROM known"
        " WHERE at < ?1 AND change < (SELECT max(change) FROM known) LIMIT ?2)",
        (now - KNOWN_S, PRUNED),
    )
