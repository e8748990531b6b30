"""`reports.db`: what was seen of other domains' mail and of connections to their hosts, counted by day for reports.

Spec: RFC 9990 §3.1; RFC 8460 §4.  Status: complete.

A count that is lost is no lost mail, so the counts are gathered in memory and written by a thread of their own.  What
is alike is one row.  Several worker processes add to the same rows.
"""

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mailserver.base.errors import TryLater
from mailserver.base.limits import ReportLimits
from mailserver.base.log import Log
from mailserver.mailauth.reports.tls_values import TlsFailure, TlsOutcome, TlsPolicy
from mailserver.mailauth.reports.values import (
    Counted,
    DkimSeen,
    Published,
    Reason,
    Row,
    Seen,
    SpfSeen,
)
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

NAME = "reports.db"
VERSION = 1
DAY = 86_400
DMARC = "dmarc"
TLS = "tls"
SCHEMA = """
CREATE TABLE counted (
  kind TEXT NOT NULL,                     -- dmarc, tls
  day INTEGER NOT NULL,                   -- since 1970, UTC
  domain TEXT NOT NULL,                   -- that the report is for
  key BLOB NOT NULL,                      -- SHA-256 of facts, its beginning
  facts TEXT NOT NULL,                    -- JSON: a Row with the policy's own, or a TlsOutcome
  count INTEGER NOT NULL,
  PRIMARY KEY (kind, day, domain, key)) STRICT, WITHOUT ROWID;
CREATE TABLE wanted (
  day INTEGER NOT NULL,
  domain TEXT NOT NULL,
  facts TEXT NOT NULL,                    -- JSON: Published and rua, as last seen on that day
  PRIMARY KEY (day, domain)) STRICT, WITHOUT ROWID;
CREATE TABLE omitted (
  kind TEXT NOT NULL,
  day INTEGER NOT NULL,
  domain TEXT NOT NULL,
  count INTEGER NOT NULL,                 -- messages or sessions beyond limits.reports.rows
  PRIMARY KEY (kind, day, domain)) STRICT, WITHOUT ROWID
"""

GATHER_S = 2.0  #: how long the thread waits for others after the first


class DmarcDay(NamedTuple):
    """All that was seen of a domain's mail on one day.

    omitted: messages that are not in *records*, as there were too many kinds.
    """

    published: Published
    rua: tuple[str, ...]
    records: tuple[Counted, ...]
    omitted: int


class TlsDay(NamedTuple):
    """All connections to a domain's hosts on one day."""

    outcomes: tuple[tuple[TlsOutcome, int], ...]
    omitted: int


class ReportCounts:
    """Takes what was seen, from any thread, at no cost; writes it in batches."""

    def __init__(self, data_dir: Path, limits: ReportLimits) -> None:
        self._file = SideFile(data_dir / NAME, SCHEMA, VERSION)
        self._limits = limits
        self._dmarc: dict[tuple[int, Seen], int] = {}
        self._tls: dict[tuple[int, TlsOutcome], int] = {}
        self._dropped = 0
        self._lock = threading.Lock()  # of the three above
        self._writer = SideWriter("reports", self._write, self._waiting, GATHER_S)
        self._log = Log("reports")

    def start(self) -> None:
        """Begin to write."""
        self._writer.start()

    def dmarc(self, seen: Seen, at: float) -> None:
        """Counts a message that came at *at*, UTC epoch seconds; *seen* is within bounds."""
        self._count(self._dmarc, (int(at) // DAY, seen))

    def tls(self, outcome: TlsOutcome, at: float) -> None:
        """Counts a connection attempt that ended at *at*, UTC epoch seconds."""
        self._count(self._tls, (int(at) // DAY, outcome))

    def close(self) -> None:
        """Write what waits and end."""
        self._writer.close()
        self._file.close()

    def _count(self, counts: dict[Any, int], key: Any) -> None:
        with self._lock:
            count = counts.get(key, 0)
            if count or len(counts) < self._limits.waiting:
                counts[key] = count + 1
            else:
                self._dropped += 1
        self._writer.wake()

    def _waiting(self) -> int:
        return len(self._dmarc) + len(self._tls)

    def _write(self) -> None:
        """What could not be written waits again."""
        with self._lock:
            dmarc, self._dmarc = self._dmarc, {}
            tls, self._tls = self._tls, {}
            dropped, self._dropped = self._dropped, 0
        if dropped:
            self._log.warning("not counted, too much waits to be written", count=dropped)
        if not dmarc and not tls:
            return
        try:
            with self._file.writing() as db:
                is_full = octets_used(db) >= self._limits.size
                if not is_full:
                    _add_dmarc(db, dmarc, self._limits)
                    _add_tls(db, tls, self._limits)
        except (*DAMAGED, *PASSING):
            self._put_back(dmarc, tls)
            raise
        if is_full:
            reason = f"{NAME} has {self._limits.size} octets (limits.reports.size)"
            self._writer.complain(reason)

    def _put_back(
        self, dmarc: dict[tuple[int, Seen], int], tls: dict[tuple[int, TlsOutcome], int]
    ) -> None:
        with self._lock:
            for key, count in self._dmarc.items():
                dmarc[key] = dmarc.get(key, 0) + count
            for at, number in self._tls.items():
                tls[at] = tls.get(at, 0) + number
            self._dmarc, self._tls = dmarc, tls


def domains(data_dir: Path, kind: str, day: int) -> list[str]:
    """Whose reports there is something for on *day*, in order.  Raises Corrupt."""
    with reading(data_dir / NAME, VERSION) as db:
        if db is None:
            return []
        rows = db.rows(
            "WITH RECURSIVE d (domain) AS ("  # from one domain to the next, past all rows between
            " SELECT min(domain) FROM counted WHERE kind = ?1 AND day = ?2 UNION ALL"
            " SELECT (SELECT min(domain) FROM counted WHERE kind = ?1 AND day = ?2"
            " AND domain > d.domain) FROM d WHERE d.domain IS NOT NULL"
            ") SELECT domain FROM d WHERE domain IS NOT NULL",
            (kind, day),
        )
    return [domain for (domain,) in rows]


def days(data_dir: Path, kind: str) -> list[int]:
    """Days that something was counted on, the oldest first.  Raises Corrupt."""
    found: list[int] = []
    with reading(data_dir / NAME, VERSION) as db:
        if db is None:
            return []
        while True:
            after = found[-1] if found else -1
            sql = "SELECT min(day) FROM counted WHERE kind = ? AND day > ?"
            ((day,),) = db.rows(sql, (kind, after))
            if day is None:
                return found
            found.append(day)


def dmarc_day(data_dir: Path, domain: str, day: int) -> DmarcDay | None:
    """What was seen of *domain*'s mail, the most frequent first; None if nothing.  Raises Corrupt."""
    with reading(data_dir / NAME, VERSION) as db:
        if db is None:
            return None
        wanted = db.rows("SELECT facts FROM wanted WHERE day = ? AND domain = ?", (day, domain))
        rows, omitted = _rows(db, DMARC, domain, day)
    if not wanted or not rows:
        return None
    published, rua = json.loads(wanted[0][0])
    records = tuple(Counted(_row(json.loads(facts)), count) for facts, count in rows)
    return DmarcDay(Published(*published), tuple(rua), records, omitted)


def tls_day(data_dir: Path, domain: str, day: int) -> TlsDay | None:
    """How connections to *domain*'s hosts went; None if there were none.  Raises Corrupt."""
    with reading(data_dir / NAME, VERSION) as db:
        if db is None:
            return None
        rows, omitted = _rows(db, TLS, domain, day)
    if not rows:
        return None
    return TlsDay(tuple((_outcome(json.loads(facts)), count) for facts, count in rows), omitted)


def forget(data_dir: Path, kind: str, day: int, domain: str | None = None) -> None:
    """Removes what was counted on *day* for *domain*, or with None on all days up to it.  Raises TryLater."""
    file = SideFile(data_dir / NAME, SCHEMA, VERSION)
    if not file.path.exists():
        return
    where, values = "kind = ? AND day <= ?", [kind, day]
    if domain is not None:
        where, values = "kind = ? AND day = ? AND domain = ?", [kind, day, domain]
    try:
        with file.writing() as db:
            db.run(f"DELETE FROM counted WHERE {where}", tuple(values))
            db.run(f"DELETE FROM omitted WHERE {where}", tuple(values))
            db.run("DELETE FROM omitted WHERE kind = ? AND day < ? AND domain = ''", (kind, day))
            if kind == DMARC:
                db.run(
                    f"DELETE FROM wanted WHERE {where.removeprefix('kind = ? AND ')}",
                    tuple(values[1:]),
                )
        with file.writing() as db:
            db.rows("PRAGMA incremental_vacuum(1000)")
    except (*DAMAGED, *PASSING) as error:
        raise TryLater(f"{NAME}: {error}") from error
    finally:
        file.close()


def _rows(db: Database, kind: str, domain: str, day: int) -> tuple[list[Any], int]:
    at = (kind, day, domain)
    rows = db.rows(
        "SELECT facts, count FROM counted WHERE kind = ? AND day = ? AND domain = ?"
        " ORDER BY count DESC, key",
        at,
    )
    omitted = db.rows("SELECT count FROM omitted WHERE kind = ? AND day = ? AND domain = ?", at)
    return rows, omitted[0][0] if omitted else 0


def _add_dmarc(db: Database, counts: dict[tuple[int, Seen], int], limits: ReportLimits) -> None:
    rows = []
    wanted: dict[tuple[int, str], str] = {}
    for (day, seen), count in counts.items():
        domain = storable(seen.published.domain)
        wanted[day, domain] = _text((seen.published, seen.rua))
        rows.append((day, domain, _text(seen.row), count))
    taken = _add(db, DMARC, rows, limits)
    db.run_many(
        "INSERT INTO wanted VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET facts = excluded.facts",
        [(day, domain, facts) for (day, domain), facts in wanted.items() if (day, domain) in taken],
    )


def _add_tls(db: Database, counts: dict[tuple[int, TlsOutcome], int], limits: ReportLimits) -> None:
    rows = [
        (day, storable(outcome.policy.domain), _text(outcome), count)
        for (day, outcome), count in counts.items()
    ]
    _add(db, TLS, rows, limits)


def _add(
    db: Database, kind: str, rows: Sequence[tuple[int, str, str, int]], limits: ReportLimits
) -> set[tuple[int, str]]:
    """The days and domains that there is something of, once *rows* are added to what is there.

    Of each domain and day there are `limits.rows` rows, and what is more is only a number; of each day there are
    `limits.domains` domains, and of others there is nothing.
    """
    room: dict[tuple[int, str], int] = {}
    for day, domain, facts, count in rows:
        if (day, domain) not in room:
            room[day, domain] = _room(db, kind, day, domain, limits)
        if room[day, domain] < 0:
            continue
        key = hashlib.sha256(facts.encode()).digest()[:16]
        found = db.rows(
            "UPDATE counted SET count = count + ? WHERE kind = ? AND day = ? AND domain = ? AND key = ?"
            " RETURNING 1",
            (count, kind, day, domain, key),
        )
        if found:
            continue
        if room[day, domain] > 0:
            room[day, domain] -= 1
            db.run(
                "INSERT INTO counted VALUES (?, ?, ?, ?, ?, ?)",
                (kind, day, domain, key, facts, count),
            )
        else:
            db.run(
                "INSERT INTO omitted VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET count = count + excluded.count",
                (kind, day, domain, count),
            )
    return {at for at, left in room.items() if left >= 0}


def _room(db: Database, kind: str, day: int, domain: str, limits: ReportLimits) -> int:
    """How many rows more the domain may have on that day; -1: it is one domain too many."""
    at = (kind, day, domain)
    sql = "SELECT count(*) FROM counted WHERE kind = ? AND day = ? AND domain = ?"
    ((have,),) = db.rows(sql, at)
    if have:
        return max(0, limits.rows - int(have))
    # the number of a day's domains is noted under the name that none has
    rows = db.rows(
        "INSERT INTO omitted VALUES (?, ?, '', 1)"
        " ON CONFLICT DO UPDATE SET count = count + 1 WHERE count < ? RETURNING 1",
        (kind, day, limits.domains),
    )
    return limits.rows if rows else -1


def _text(facts: Any) -> str:
    return storable(json.dumps(facts, separators=(",", ":")))


def _row(facts: list[Any]) -> Row:
    row = Row(*facts)
    return row._replace(
        reasons=tuple(Reason(*one) for one in row.reasons),
        dkim=tuple(DkimSeen(*one) for one in row.dkim),
        spf=tuple(SpfSeen(*one) for one in row.spf),
    )


def _outcome(facts: list[Any]) -> TlsOutcome:
    (domain, type, text, hosts), failure = facts
    policy = TlsPolicy(domain, type, tuple(text), tuple(hosts))
    return TlsOutcome(policy, None if failure is None else TlsFailure(*failure))
