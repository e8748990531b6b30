"""The thread that writes to a side file what others leave for it: some moments later, much of it at once.

Whoever leaves something never waits for the disk.  What is written so is expendable: trouble with the file delays it,
and the log says so once a minute; it ends neither the thread nor anything else.
"""

import threading
import time
from collections.abc import Callable

from mailserver.base.log import Log
from mailserver.store.sidefile import DAMAGED, PASSING

RETRY_S = 5.0  #: after trouble with the disk
TELL_S = 60.0  #: between two lines in the log about that


class SideWriter:
    """Calls *write* soon after each `wake`, in its own thread, and a last time at the end.

    what:    it writes, one word: the thread's name and the log's.
    write:   puts on disk all that waits.  If it raises one of sidefile.PASSING or sidefile.DAMAGED, what it could not
             write waits again, and it is called again after a while.
    waiting: how much is not on disk.
    gather_s: how long the thread waits for more after the first.
    """

    __slots__ = (
        "_closing",
        "_gather_s",
        "_log",
        "_thread",
        "_told_at",
        "_waiting",
        "_wake",
        "_what",
        "_write",
    )

    def __init__(
        self, what: str, write: Callable[[], None], waiting: Callable[[], int], gather_s: float
    ) -> None:
        self._what = what
        self._write = write
        self._waiting = waiting
        self._gather_s = gather_s
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = Log(what)
        self._told_at = -TELL_S

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, name=self._what, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something waits.  From any thread."""
        if not self._wake.is_set():  # asking costs less than setting it again
            self._wake.set()

    def close(self) -> None:
        """Returns once *write* has been called for what waits and the thread has ended."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def complain(self, reason: str) -> None:
        """A line in the log, unless there was one in the last minute."""
        now = time.monotonic()
        if now - self._told_at >= TELL_S:
            self._told_at = now
            waiting = self._waiting()
            self._log.warning(f"{self._what} cannot be written", reason=reason, waiting=waiting)

    def _run(self) -> None:
        pause_s = self._gather_s
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(pause_s)
            self._wake.clear()
            pause_s = self._gather_s if self._has_written() else RETRY_S
        self._has_written()

    def _has_written(self) -> bool:
        try:
            self._write()
        except (*DAMAGED, *PASSING) as error:
            self.complain(str(error))
            self._wake.set()
            return False
        except Exception as error:  # a bug of ours: what it had taken is lost, the thread lives
            self._log.error("bug", error=error)
            if self._waiting():
                self._wake.set()
        return True
