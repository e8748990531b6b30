"""`policies.db`: MTA-STS policies of other domains, kept for as long as they hold, over restarts too.

Spec: RFC 8461 §3.2, §5.1.  Status: complete.

It can be lost: then policies are fetched again, and until a domain's is here its mail has no more protection than it
had before the first one.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mailserver.store.sidefile import SideFile, reading

NAME = "policies.db"
VERSION = 1
SCHEMA = """
CREATE TABLE policy (
  domain TEXT PRIMARY KEY,
  id TEXT NOT NULL,                       -- of the TXT record it was fetched for
  text TEXT NOT NULL,                     -- as mailauth.mta_sts writes it
  fetched_at INTEGER NOT NULL,            -- UTC epoch seconds, as all times here
  expires_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL                -- by mail for the domain, to the day
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_by_use ON policy (used_at)
"""


class Kept(NamedTuple):
    """One domain's policy."""

    domain: str
    id: str
    text: str
    fetched_at: int
    expires_at: int
    used_at: int


class PolicyFile:
    """The file.  For one thread at a time; blocks.  Methods raise sidefile.PASSING or sidefile.DAMAGED."""

    def __init__(self, data_dir: Path) -> None:
        self._file = SideFile(data_dir / NAME, SCHEMA, VERSION)

    def all(self, most: int) -> list[Kept]:
        """At most *most* of them, those that were used last first."""
        with self._file.reading() as db:
            if db is None:
                return []
            rows = db.rows(
                "SELECT domain, id, text, fetched_at, expires_at, used_at FROM policy"
                " ORDER BY used_at DESC LIMIT ?",
                (most,),
            )
            return [Kept(*row) for row in rows]

    def put(self, kept: Kept) -> None:
        """In place of what was there for its domain."""
        with self._file.writing() as db:
            db.run("INSERT OR REPLACE INTO policy VALUES (?, ?, ?, ?, ?, ?)", tuple(kept))

    def forget(self, some: Iterable[Kept]) -> None:
        """Remove these; not what another process has fetched for their domains since."""
        with self._file.writing() as db:
            db.run_many(
                "DELETE FROM policy WHERE domain = ? AND fetched_at = ?",
                ((kept.domain, kept.fetched_at) for kept in some),
            )

    def close(self) -> None:
        """Let go of it."""
        self._file.close()


def kept_policies(data_dir: Path, most: int) -> list[Kept]:
    """What is kept there, for people.  Raises Corrupt."""
    with reading(data_dir / NAME, VERSION) as db:
        if db is None:
            return []
        rows = db.rows(
            "SELECT domain, id, text, fetched_at, expires_at, used_at FROM policy"
            " ORDER BY domain LIMIT ?",
            (most,),
        )
        return [Kept(*row) for row in rows]
