"""The write turn: processes write to the database one after the other, in the order they came.

Two lock files.  Whoever wants to write takes `next`, then `turn`, then gives `next` back: so exactly one waits at the
door while the others queue before it, and a holder that wants again right away has to queue as well.
"""

import os
import sys
from pathlib import Path
from types import TracebackType

if sys.platform != "win32":
    import fcntl


class Turn:
    """One participant: `with turn:` waits for the write turn and holds it.  Not to be inherited by a fork."""

    __slots__ = ("_next", "_turn")

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._next = os.open(folder / "write.next", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._turn = os.open(folder / "write.turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        if sys.platform != "win32":
            fcntl.flock(self._next, fcntl.LOCK_EX)
            try:
                fcntl.flock(self._turn, fcntl.LOCK_EX)
            finally:
                fcntl.flock(self._next, fcntl.LOCK_UN)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if sys.platform != "win32":
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        """Gives both files back; whatever is held is let go."""
        os.close(self._next)
        os.close(self._turn)
