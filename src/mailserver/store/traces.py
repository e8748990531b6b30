"""`log.db`: what became of each mail transaction, kept for a while, written by a thread of its own after the answer.

Traces are expendable: a full disk loses some, a damaged file loses those before, and mail goes on.  Several worker
processes write; commands read while they do.
"""

import json
import threading
from collections import deque
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from mailserver.base.errors import TryLater
from mailserver.base.limits import TraceLimits
from mailserver.base.log import Log
from mailserver.store.database import Database
from mailserver.store.sidefile import (
    DAMAGED,
    PASSING,
    SideFile,
    octets_used,
    reading,
    storable,
)
from mailserver.store.sidewriter import SideWriter
from mailserver.store.trace_values import Copy, Reached, Step, Trace

NAME = "log.db"
VERSION = 1
SCHEMA = """
CREATE TABLE trace (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,                     -- Trace.id
  at_ms INTEGER NOT NULL,
  is_taken INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  addresses TEXT NOT NULL,                -- those in trace_address, one a line
  facts TEXT NOT NULL) STRICT;            -- all of it, JSON
CREATE INDEX trace_by_name ON trace (name) WHERE name <> '';
CREATE INDEX trace_by_message_id ON trace (message_id) WHERE message_id <> '';
CREATE INDEX trace_by_fate ON trace (is_taken, id);
CREATE TABLE trace_address (
  address TEXT NOT NULL,                  -- sender, recipient, account, lower case; or the client's IP address
  trace_id INTEGER NOT NULL,
  PRIMARY KEY (address, trace_id)) STRICT, WITHOUT ROWID
"""

BATCH = 500  #: traces in one transaction
GATHER_S = 0.2  #: how long the thread waits for others after the first
ROOM = 100  #: traces removed at once when the file is too large
SLICE = 500  #: traces removed in one transaction
VACUUM_PAGES = 1_000  #: pages given back to the file system at once
INDEXED = 200  #: addresses of one trace that it is found by


class TraceLog:
    """Takes traces from the loop and writes them in batches."""

    def __init__(self, data_dir: Path, limits: TraceLimits) -> None:
        self._file = SideFile(data_dir / NAME, SCHEMA, VERSION)
        self._limits = limits
        self._waiting: deque[Trace] = deque()
        self._weight = 0  # of those that wait
        self._dropped = 0
        self._lock = threading.Lock()  # of the three above
        self._writer = SideWriter("traces", self._write, lambda: self.waiting, GATHER_S)
        self._log = Log("traces")

    def start(self) -> None:
        """Begin to write."""
        self._writer.start()

    def keep(self, trace: Trace) -> None:
        """Write *trace* soon.  When too much waits, the oldest is forgotten, and the log says how many were."""
        with self._lock:
            self._waiting.append(trace)
            self._weight += _weight(trace)
            if self._weight > self._limits.waiting:
                self._forget_oldest()
        self._writer.wake()

    def close(self) -> None:
        """Write what waits and end."""
        self._writer.close()
        self._file.close()

    @property
    def waiting(self) -> int:
        """Traces that are not on disk yet."""
        return len(self._waiting)

    def _write(self) -> None:
        """What could not be written waits again; a batch with a bug of ours in it does not."""
        while batch := self._take():
            try:
                with self._file.writing() as db:
                    _make_room(db, self._limits.size, len(batch))
                    _add(db, batch)
            except (*DAMAGED, *PASSING):
                self._put_back(batch)
                raise
        if self._dropped:
            with self._lock:
                dropped, self._dropped = self._dropped, 0
            self._log.warning("traces dropped", count=dropped)

    def _take(self) -> list[Trace]:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._weight -= sum(map(_weight, batch))
        return batch

    def _put_back(self, batch: list[Trace]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(batch))
            self._weight += sum(map(_weight, batch))
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        while self._weight > self._limits.waiting and self._waiting:
            self._weight -= _weight(self._waiting.popleft())
            self._dropped += 1


def _weight(trace: Trace) -> int:
    """What a trace that waits takes of the memory for them."""
    return 1 + len(trace.recipients) + len(trace.steps) + len(trace.copies)


def find(
    data_dir: Path, what: str, *, since_ms: int = 0, limit: int = 20, after: int | None = None
) -> list[tuple[int, Trace]]:
    """Traces that *what* names (id, Message-ID, address, IP address), newest first, each with its number.

    after: only those with lower numbers.  Raises Corrupt for a damaged file.
    """
    upto = after if after is not None else 2**62
    low = what.lower()
    with reading(data_dir / NAME, VERSION) as db:
        if db is None:
            return []
        rows: dict[int, str] = {}
        for key, sql, value in (
            ("id", "FROM trace WHERE name = ?1 AND name <> ''", low),
            ("id", "FROM trace WHERE message_id = ?1 AND message_id <> ''", what),
            (
                "a.trace_id",
                "FROM trace_address a CROSS JOIN trace t ON t.id = a.trace_id WHERE a.address = ?1",
                low,
            ),
        ):
            order = f"AND {key} < ?2 AND at_ms >= ?3 ORDER BY {key} DESC LIMIT ?4"
            rows |= dict(
                db.rows(f"SELECT {key}, facts {sql} {order}", (value, upto, since_ms, limit))
            )
        newest = sorted(rows, reverse=True)[:limit]
        return [(number, _decoded(rows[number])) for number in newest]


def forget(data_dir: Path, limits: TraceLimits, now_ms: int) -> int:
    """The number of traces removed now that were too old; one slice a call, blocks.  Raises TryLater."""
    file = SideFile(data_dir / NAME, SCHEMA, VERSION)
    if not file.path.exists():
        return 0
    try:
        with file.writing() as db:
            rows = db.rows(
                "SELECT id, addresses FROM trace WHERE id <"
                " (SELECT coalesce(min(id), 0) + ?1 FROM trace) AND at_ms < ?2",
                (SLICE, now_ms - int(limits.age_days * 86_400_000)),
            )
            _remove(db, rows)
        with file.writing() as db:
            db.rows(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
        return len(rows)
    except (*DAMAGED, *PASSING) as error:
        raise TryLater(f"{file.path.name}: {error}") from error
    finally:
        file.close()


TOGETHER = 50  #: rows of one statement; a thread that steps row by row asks for the interpreter at each of them
_encode = json.JSONEncoder(separators=(",", ":")).encode


def _add(db: Database, batch: list[Trace]) -> None:
    ((last,),) = db.rows("SELECT coalesce(max(id), 0) FROM trace")
    rows: list[tuple[Any, ...]] = []
    addresses: list[tuple[Any, ...]] = []
    for number, trace in enumerate(batch, int(last) + 1):
        keys = sorted(_addresses(trace))
        taken, found_by = int(trace.is_taken), storable(trace.message_id)
        facts = _encode(trace)
        rows.append((number, trace.id, trace.at_ms, taken, found_by, "\n".join(keys), facts))
        addresses += [(key, number) for key in keys]
    _insert(db, "trace", rows)
    _insert(db, "trace_address", sorted(addresses))


def _insert(db: Database, table: str, rows: list[tuple[Any, ...]]) -> None:
    for start in range(0, len(rows), TOGETHER):
        some = rows[start : start + TOGETHER]
        row = f"({', '.join('?' * len(some[0]))})"
        db.run(f"INSERT INTO {table} VALUES {', '.join([row] * len(some))}", [*chain(*some)])


def _addresses(trace: Trace) -> set[str]:
    """What the trace is found by."""
    names = [trace.peer, trace.account, trace.sender or ""]
    names += [r.address for r in trace.recipients[:INDEXED]]
    names += [address for r in trace.recipients[:INDEXED] for address in r.remote]
    names += [step.about for step in trace.steps if step.about][:INDEXED]
    return {storable(name).lower().replace("\n", " ") for name in names if name}


def _make_room(db: Database, size: int, added: int) -> None:
    """Removes some of the oldest above *size* octets; refusals as long as they are more than what was taken."""
    if octets_used(db) <= size:
        return
    ((taken, refused),) = db.rows("SELECT total(is_taken), total(1 - is_taken) FROM trace")
    where = "WHERE is_taken = 0" if refused > taken else ""
    most = max(ROOM, added + added // 2)
    _remove(db, db.rows(f"SELECT id, addresses FROM trace {where} ORDER BY id LIMIT ?", (most,)))


def _remove(db: Database, rows: Iterable[tuple[Any, ...]]) -> None:
    found = list(rows)
    db.run_many(
        "DELETE FROM trace_address WHERE address = ? AND trace_id = ?",
        ((key, number) for number, keys in found for key in keys.split("\n")),
    )
    db.run_many("DELETE FROM trace WHERE id = ?", ((number,) for number, _ in found))


def _decoded(facts: str) -> Trace:
    trace = Trace(*json.loads(facts))
    return trace._replace(
        recipients=tuple(
            Reached(address, tuple(accounts), tuple(remote))
            for address, accounts, remote in trace.recipients
        ),
        steps=tuple(Step(*step) for step in trace.steps),
        copies=tuple(Copy(*copy) for copy in trace.copies),
        queued=tuple(trace.queued),
    )
