"""How long work in the background rests: by who waits for this process, and by what the processors have to spare.

Status: complete.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

BUSY: Final = 5  #: jobs of the store a second from which on somebody waits for answers
RUSH: Final = 100  #: the same, from which on they wait for this interpreter, whatever the processors have to spare
PRESS: Final = 20  #: jobs during one piece of work after which it is to end
SPARE: Final = 0.5  #: of a processor that is left from which on there is room for this work
WINDOW_S: Final = 0.25  #: what is read of processors more often than that means little
LONGEST_REST_S: Final = 1.0  #: between two pieces of work while there is room

#: how many times longer than its work it rests: with room and nobody waiting, with room, without room, in a rush
AT_EASE: Final = 0.25
CAREFULLY: Final = 1.0
PATIENTLY: Final = 9.0
HARDLY: Final = 19.0


class Processors:
    """What the processors of this machine have had to spare, as Linux counts it."""

    __slots__ = ("_at", "_idle_s", "_path")

    def __init__(self, path: Path = Path("/proc/stat")) -> None:
        self._path = path
        self._at, self._idle_s = time.monotonic(), self._read()

    def free(self) -> tuple[float, float] | None:
        """(seconds since the last answer, processor seconds in them that nobody used); None: too early to tell."""
        now = time.monotonic()
        if now - self._at < WINDOW_S:
            return None
        idle_s = self._read()
        found = now - self._at, idle_s - self._idle_s
        self._at, self._idle_s = now, idle_s
        return found

    def _read(self) -> float:
        """Seconds that processors have been idle, or waited for disks; 0 where nobody says."""
        try:
            with self._path.open("rb") as file:
                ticks = file.readline().split()
            return (int(ticks[4]) + int(ticks[5])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError):
            return 0.0


class Pace:
    """Tells somebody who works in the background how long to rest after each piece of work.

    handed: how many jobs the store of this process has got so far.       free: as of `Processors`.
    is_careful: somebody had to wait beside the last piece, or would have.
    is_rush:    many had to, for this interpreter.
    """

    __slots__ = (
        "_at",
        "_began",
        "_free",
        "_handed",
        "_has_room",
        "_jobs",
        "_own_s",
        "is_careful",
        "is_rush",
    )

    def __init__(
        self, handed: Callable[[], int], free: Callable[[], tuple[float, float] | None]
    ) -> None:
        self._handed, self._free = handed, free
        self._jobs, self._at = handed(), time.monotonic()
        self._began = self._jobs, self._at
        self._own_s = 0.0
        self._has_room = True
        self.is_careful = self.is_rush = False

    def begin(self) -> None:
        """A piece of work begins."""
        self._began = self._handed(), time.monotonic()

    def is_pressed(self) -> bool:
        """Others want the interpreter since the piece of work has begun: it is to end.  For any thread.

        Not so a piece that is small and rests long because they did so before.
        """
        return not self.is_rush and self._handed() - self._began[0] > PRESS

    def rest(self, own_s: float) -> float:
        """Seconds to rest after work that took *own_s* of processor time."""
        self._own_s += own_s
        jobs, now = self._handed(), time.monotonic()
        is_waited_for = jobs - self._jobs > BUSY * (now - self._at)
        self.is_rush = any(
            jobs - before > RUSH * (now - at)
            for before, at in ((self._jobs, self._at), self._began)
        )
        self._jobs, self._at = jobs, now
        if (found := self._free()) is not None:
            window_s, idle_s = found
            # beside those who wait something has to be left; otherwise what it uses itself is left, too
            spare_s = idle_s if is_waited_for else idle_s + self._own_s
            self._has_room = spare_s >= SPARE * window_s
            self._own_s = 0.0
        self.is_careful = is_waited_for or self.is_rush or not self._has_room
        if self.is_rush:
            return HARDLY * own_s
        if not self._has_room:
            return PATIENTLY * own_s
        return min(LONGEST_REST_S, own_s * (CAREFULLY if is_waited_for else AT_EASE))
