"""One server for one data folder: a lock file with the process id in it.

The workers inherit the lock with the open file, so it is free only when the last of them has ended.
"""

import fcntl
import os
from pathlib import Path

from mailserver.base.errors import InUse, MailError


class ServerLock:
    """Held from the start to the end; the kernel gives it back however the processes end."""

    __slots__ = ("_fd", "path")

    def __init__(self, run_dir: Path) -> None:
        """Raises InUse, which names the process, when a server has it; MailError when the file cannot be made."""
        self.path = run_dir / "server.pid"
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MailError(f"{self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._fd, 32).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise InUse(
                f"a server runs with {run_dir.parent} already (process {holder or 'unknown'}); "
                "stop it first, or use another data_dir"
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """This process needs it no more."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def running(run_dir: Path) -> int | None:
    """The process id of the server that runs with this folder, None when there is none."""
    try:
        fd = os.open(run_dir / "server.pid", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.read(fd, 32).strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(fd)
    return None
