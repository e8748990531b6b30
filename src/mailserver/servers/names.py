"""Names of transactions, in the order of time, so that an index of them grows at its end; and of connections.

A transaction's name is in the Received field, in the reply to the client, in the log, in the queue and in the trace.
It says when the transaction began and which process it was in, and is no secret.
"""

import os
import secrets
import time
from collections.abc import Callable
from typing import Final

_STEP: Final = 0x9E37_79B1  # odd: all 32-bit numbers come before one comes again


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


class ShortNames:
    """Names of connections for the log, 8 hexadecimal digits: no secrets, and none twice in 2**32 of one process.

    Each used to be drawn from the kernel, where a thread lets go of the interpreter and has to wait for it.
    """

    __slots__ = ("_last",)

    def __init__(self, first: int | None = None) -> None:
        """first: where to begin; None: anywhere, so that processes differ."""
        self._last = secrets.randbits(32) if first is None else first

    def __call__(self) -> str:
        """The next."""
        self._last = (self._last + _STEP) & 0xFFFF_FFFF
        return f"{self._last:08x}"
