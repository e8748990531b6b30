"""Names of transactions: in the order of time, so that an index of them grows at its end.

A name is in the Received field, in the reply to the client, in the log, in the queue and in the trace.  It says when
the transaction began and which process it was in, and is no secret.
"""

import os
import time
from collections.abc import Callable


class Names:
    """One process's: 16 hexadecimal digits, 13 of them for the microsecond, the others for the process."""

    __slots__ = ("_clock", "_last", "_process")

    def __init__(self, clock: Callable[[], int] = time.time_ns, process: int | None = None) -> None:
        """clock: UTC epoch nanoseconds, which may stand still or step back."""
        self._clock = clock
        self._last = 0
        self._process = (os.getpid() if process is None else process) & 0xFFF

    def __call__(self) -> str:
        """A name that no other transaction has."""
        self._last = max(self._last + 1, self._clock() // 1_000)
        return f"{self._last << 12 | self._process:016x}"
