"""The parent of several workers: it forks them, restarts the dead, passes signals on, and does nothing else.

It has no threads and no loop, so that forking stays safe for as long as it lives.  What it inherits to its workers
(sockets, TLS context, configuration) is made before the first fork.
"""

import contextlib
import gc
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from mailserver.base.log import Log
from mailserver.net.systemd import notify

STOP_S = 25.0  #: from SIGTERM to SIGKILL
LONG_S = 10.0  #: a worker that lived this long is restarted at once
DELAY_S = 0.1  #: before the restart of one that did not, doubled each time
LONGEST_DELAY_S = 5.0

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})


@dataclass(slots=True)
class Child:
    """One worker's place: who has it, since when; pid 0: nobody, until *due*."""

    number: int
    pid: int = 0
    born: float = 0.0
    delay_s: float = DELAY_S
    due: float = 0.0


class Workers:
    """*count* processes that each run *work*(number, alive) until they are told to stop.

    alive:  a descriptor that reads as ended when the parent is gone; the worker should stop then.
    work:   starts with SIGNALS blocked, and unblocks them once it has handlers for them.
    reload: called in the parent on SIGHUP, before the workers get it.
    let_go: called in the parent when the end begins: only the workers shall hold the sockets then.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[int, int], None],
        reload: Callable[[], None],
        let_go: Callable[[], None],
    ) -> None:
        self._children = [Child(number) for number in range(count)]
        self._work = work
        self._reload = reload
        self._let_go = let_go
        self._log = Log("app")
        self._stop_by: float | None = None  # set once we are stopping
        self._alive, self._life = os.pipe()

    def run(self, ready: Callable[[], None]) -> None:
        """Returns when all have ended after SIGTERM or SIGINT; *ready* is called once all have been started."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {*SIGNALS, signal.SIGALRM})
        gc.collect()
        gc.freeze()  # so that collections in the workers do not copy the pages they share with us
        try:
            self._start_due()
            ready()
            while any(child.pid for child in self._children) or self._stop_by is None:
                self._handle(self._wait())
                self._bury()
                if self._stop_by is None:
                    self._start_due()
                elif time.monotonic() >= self._stop_by:
                    self._tell(signal.SIGKILL)
        finally:
            self._tell(signal.SIGKILL)
            os.close(self._alive)
            os.close(self._life)

    def _wait(self) -> int:
        """The next signal, SIGALRM when something else is due."""
        signal.setitimer(signal.ITIMER_REAL, self._patience_s())
        try:
            return signal.sigwait({*SIGNALS, signal.SIGALRM})
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _patience_s(self) -> float:
        """How long nothing needs to be done unless a signal comes."""
        now = time.monotonic()
        if self._stop_by is not None:
            return max(0.01, min(1.0, self._stop_by - now))
        dues = [child.due - now for child in self._children if not child.pid]
        return max(0.01, min([60.0, *dues]))

    def _handle(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._reload()
            self._tell(signal.SIGHUP)
        elif number in (signal.SIGTERM, signal.SIGINT):
            if self._stop_by is None:
                self._log.info("stopping", signal=signal.Signals(number).name)
                notify("STOPPING=1")
                self._stop_by = time.monotonic() + STOP_S
                self._let_go()
                self._tell(signal.SIGTERM)
            elif number == signal.SIGINT:
                self._stop_by = time.monotonic()  # somebody at a terminal insists

    def _tell(self, number: int) -> None:
        for child in self._children:
            if child.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, number)

    def _bury(self) -> None:
        """Take note of all who have ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self._children:
                if child.pid == pid:
                    self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: Child, code: int) -> None:
        now = time.monotonic()
        lived = now - child.born
        pid, child.pid = child.pid, 0
        if self._stop_by is not None:
            if code:
                self._log.warning("worker ended badly", worker=child.number, was=pid, code=code)
            return
        child.delay_s = DELAY_S if lived >= LONG_S else min(child.delay_s * 2, LONGEST_DELAY_S)
        child.due = now if lived >= LONG_S else now + child.delay_s
        cause = {"signal": signal.Signals(-code).name} if code < 0 else {"code": code}
        self._log.error(
            "worker died", worker=child.number, was=pid, lived_s=round(lived, 1), **cause
        )

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.pid and child.due <= now:
                child.born = now
                try:
                    child.pid = self._fork(child.number)
                except OSError as error:  # no memory, too many processes
                    self._log.error("no new worker", worker=child.number, reason=error.strerror)
                    child.due = now + LONGEST_DELAY_S

    def _fork(self, number: int) -> int:
        """The child's process id; the child itself never returns."""
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            os.close(self._life)
            self._work(number, self._alive)
            code = 0
        except BaseException as error:
            self._log.error("worker failed", worker=number, error=error)
        finally:
            logging.shutdown()  # writes the lines that wait
            os._exit(code)
