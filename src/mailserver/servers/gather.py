"""Write jobs gathered while the loop has input to handle, so that one transaction and one fsync serve them all.

A transaction begun at the first job would hold that job only, and the others would wait for the next fsync.  It would
also be slow: its thread and the loop need the same interpreter, and while the loop is busy each statement waits for it.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

QUIET_S = 0.000_05  #: a round of the loop this short has handled nothing
PATIENCE_S = 0.001  #: for each job gathered, how long the first may wait for a quiet round
LONGEST_S = 0.02  #: how long it may wait for however many jobs

T = TypeVar("T")


class Gathering(Generic[T]):
    """Hands jobs over, in their order, as soon as the loop has nothing else to do."""

    __slots__ = ("_hand_over", "_jobs", "_loop", "_round_at", "_since")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, hand_over: Callable[[list[T]], None]
    ) -> None:
        self._loop, self._hand_over = loop, hand_over
        self._jobs: list[T] = []
        self._since = 0.0  # monotonic: when the first of them came
        self._round_at = 0.0  # when this round of the loop began, or the job came in it

    def add(self, job: T) -> None:
        """Keeps *job* for now."""
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._since = self._round_at = time.monotonic()
            self._loop.call_soon(self._look)

    @property
    def has_jobs(self) -> bool:
        """Some wait."""
        return bool(self._jobs)

    def end(self) -> None:
        """Hands over what is there."""
        jobs, self._jobs = self._jobs, []
        if jobs:
            self._hand_over(jobs)

    def _look(self) -> None:
        now = time.monotonic()
        is_quiet = now - self._round_at < QUIET_S
        if is_quiet or now - self._since > min(len(self._jobs) * PATIENCE_S, LONGEST_S):
            self.end()
        else:
            self._round_at = now
            self._loop.call_soon(self._look)
