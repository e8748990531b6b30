"""Reports that have left, so that none leaves twice, and reports that others sent, as they were read.

Spec: RFC 9990 §3.5.1, §3.5.4; RFC 8460 §5.5.  Status: complete.
"""

from typing import NamedTuple

from mailserver.base.errors import NotFound
from mailserver.store.database import Database
from mailserver.store.journal import Journal

_COLUMNS = "id, kind, domain, org, report_id, begin_at, end_at, received_at, good, bad"


class Sent(NamedTuple):
    """A report that was made, or that nobody wanted.

    report_id: "" where it was sent to nobody; outcome says why.
    begin_at, sent_at: UTC epoch seconds.
    """

    kind: str
    domain: str
    begin_at: int
    report_id: str
    sent_at: int
    outcome: str


class Upload(NamedTuple):
    """A report on its way over HTTPS."""

    id: int
    uri: str
    media_type: str
    body: bytes
    domain: str
    attempts: int
    expires_at: int


class NewReport(NamedTuple):
    """A report that came in.

    kind:      "dmarc", "tls" or "failure".
    good, bad: messages that passed or not, sessions that went well or not.
    facts:     the report, packed; what packed it reads it.
    """

    kind: str
    domain: str
    org: str
    report_id: str
    begin_at: int
    end_at: int
    good: int
    bad: int
    facts: bytes


class Received(NamedTuple):
    """A report that is kept, without its content."""

    id: int
    kind: str
    domain: str
    org: str
    report_id: str
    begin_at: int
    end_at: int
    received_at: int
    good: int
    bad: int


class Reports:
    """All of them."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    # those we send

    def mark(self, kind: str, domain: str, begin_at: int, report_id: str, outcome: str) -> bool:
        """Notes that this report leaves now; False if one for the same period did before: then nothing may be sent."""
        rows = self._db.rows(
            "INSERT INTO report_sent VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1",
            (kind, domain, begin_at, report_id, self._journal.now, outcome),
        )
        return bool(rows)

    def was_sent(self, kind: str, domain: str, begin_at: int) -> bool:
        """Whether `mark` would say False."""
        return bool(
            self._db.rows(
                "SELECT 1 FROM report_sent WHERE kind = ? AND domain = ? AND begin_at = ?",
                (kind, domain, begin_at),
            )
        )

    def sent(self, limit: int) -> list[Sent]:
        """The latest, newest first."""
        rows = self._db.rows(
            "SELECT kind, domain, begin_at, report_id, sent_at, outcome FROM report_sent"
            " ORDER BY sent_at DESC LIMIT ?",
            (limit,),
        )
        return [Sent._make(row) for row in rows]

    def upload(
        self, uri: str, media_type: str, body: bytes, domain: str, *, expires_at: int
    ) -> None:
        """Puts a report on its way to *uri*, due now."""
        self._db.run(
            "INSERT INTO report_upload (uri, media_type, body, domain, due_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (uri, media_type, body, domain, self._journal.now, expires_at),
        )

    def uploads(self, now: int, limit: int) -> list[Upload]:
        """Those that are due, the longest due first."""
        rows = self._db.rows(
            "SELECT id, uri, media_type, body, domain, attempts, expires_at FROM report_upload"
            " WHERE due_at <= ? ORDER BY due_at LIMIT ?",
            (now, limit),
        )
        return [Upload._make(row) for row in rows]

    def put_off(self, upload: int, due_at: int) -> None:
        """It failed and is tried again at *due_at*."""
        self._db.run(
            "UPDATE report_upload SET attempts = attempts + 1, due_at = ? WHERE id = ?",
            (due_at, upload),
        )

    def uploaded(self, upload: int) -> None:
        """It has arrived, or is given up."""
        self._db.run("DELETE FROM report_upload WHERE id = ?", (upload,))

    # those that come

    def keep(self, new: NewReport, most: int) -> bool:
        """Keeps a report; False if it is kept already (RFC 9990 §3.5.4).  Of more than *most* the oldest goes."""
        rows = self._db.rows(
            "INSERT INTO report_received (kind, domain, org, report_id, begin_at, end_at, received_at,"
            " good, bad, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            (*new[:6], self._journal.now, *new[6:]),
        )
        if not rows:
            return False
        self._db.run("DELETE FROM report_received WHERE id <= ?", (rows[0][0] - most,))
        return True

    def list(
        self,
        domain: str | None = None,
        kind: str | None = None,
        *,
        since: int = 0,
        limit: int = 1_000,
        before: int | None = None,
    ) -> list[Received]:
        """Reports on periods that end after *since*, the latest that came first; before: an id."""
        rows = self._db.rows(
            f"SELECT {_COLUMNS} FROM report_received WHERE (?1 IS NULL OR domain = ?1)"
            " AND (?2 IS NULL OR kind = ?2) AND end_at >= ?3 AND (?4 IS NULL OR id < ?4)"
            " ORDER BY id DESC LIMIT ?5",
            (domain, kind, since, before, limit),
        )
        return [Received._make(row) for row in rows]

    def get(self, report: int) -> tuple[Received, bytes]:
        """A report and its content.  Raises NotFound."""
        rows = self._db.rows(
            f"SELECT {_COLUMNS}, facts FROM report_received WHERE id = ?", (report,)
        )
        if not rows:
            raise NotFound(f"No report {report}.")
        return Received._make(rows[0][:-1]), rows[0][-1]

    def forget(self, before: int, limit: int) -> int:
        """How many reports, sent or received before *before*, are forgotten now."""
        removed = self._db.rows(
            "DELETE FROM report_received WHERE id IN"
            " (SELECT id FROM report_received WHERE received_at < ? LIMIT ?) RETURNING 1",
            (before, limit),
        )
        also = self._db.rows(
            "DELETE FROM report_sent WHERE (kind, domain, begin_at) IN"
            " (SELECT kind, domain, begin_at FROM report_sent WHERE sent_at < ? LIMIT ?) RETURNING 1",
            (before, limit),
        )
        return len(removed) + len(also)
