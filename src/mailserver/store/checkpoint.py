"""When the write-ahead log is written back to the database, and by whom.

A thread does it beside the writers, so that nobody waits for it.  But what is committed meanwhile stays in the log, and
the log begins anew only when nothing was left: under steady writing never.  So a writer finishes the work itself, in
its turn, once the log has become large.  All thresholds are growth, for a reader that stays long keeps the log from
being written back whatever is tried.
"""

import threading
from enum import Enum
from pathlib import Path

import apsw

from mailserver.base.log import Log
from mailserver.store.database import connect

SOON_PAGES = 4_000  #: growth of the log after which it is written back beside the writers
LARGE_PAGES = 8_000  #: pages in the log from which on a writer does it
AGAIN_PAGES = 1_000  #: growth after which a writer tries again; a reader was in the way
CACHE_KIB = 256  #: a checkpoint copies pages without keeping them

log = Log("store")


class Due(Enum):
    """What is to be done about the log."""

    NOTHING = 0
    SOON = 1
    NOW = 2


class Growth:
    """The log as one writer has seen it."""

    __slots__ = ("_asked", "_seen", "_tried")

    def __init__(self) -> None:
        self._seen = self._asked = self._tried = 0  # pages: now, and when something was last due

    def to(self, pages: int) -> Due:
        """What is due now that the log has so many *pages*."""
        if pages < self._seen:
            self._asked = self._tried = 0  # it began anew
        self._seen = pages
        if pages >= LARGE_PAGES and pages - self._tried >= AGAIN_PAGES:
            self._tried = self._asked = pages
            return Due.NOW
        if pages - self._asked >= SOON_PAGES:
            self._asked = pages
            return Due.SOON
        return Due.NOTHING


def write_back(connection: apsw.Connection) -> None:
    """Copies what no reader stands in the way of from the log to the database; waits for nobody."""
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.BusyError:  # somebody else is just doing it
        pass
    except apsw.Error as error:
        log.warning("checkpoint failed", reason=str(error))


class Background:
    """A thread with a connection of its own that writes the log back when asked."""

    __slots__ = ("_asked", "_is_closing", "_thread", "_working")

    def __init__(self, path: Path) -> None:
        self._asked = threading.Event()
        self._working = threading.Lock()
        self._is_closing = False
        connection = connect(path, cache_kib=CACHE_KIB).connection
        self._thread = threading.Thread(
            target=self._run, args=(connection,), name="store-checkpoint", daemon=True
        )
        self._thread.start()

    def ask(self) -> None:
        """Lets it begin, or begin once more after the one under way."""
        self._asked.set()

    def finish(self, connection: apsw.Connection) -> None:
        """Waits for the one under way, then lets *connection* copy what is left."""
        with self._working:
            write_back(connection)

    def close(self) -> None:
        """Waits for the one under way."""
        self._is_closing = True
        self._asked.set()
        self._thread.join()

    def _run(self, connection: apsw.Connection) -> None:
        while self._asked.wait() and not self._is_closing:
            self._asked.clear()
            self.finish(connection)
        connection.close()
