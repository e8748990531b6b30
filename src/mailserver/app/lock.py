"""One server for one data folder: a lock file with the process id in it.

The workers inherit the lock with the open file, so it is free only when the last of them has ended.
"""

import fcntl
import os
import time
from pathlib import Path

from mailserver.base.errors import InUse, MailError

#: how long the workers of a server whose parent was killed may take to end
ORPHANS_S = 25.0


class ServerLock:
    """Held from the start to the end; the kernel gives it back however the processes end."""

    __slots__ = ("_fd", "path")

    def __init__(self, run_dir: Path, orphans_s: float = ORPHANS_S) -> None:
        """Waits for workers whose parent is gone, at most *orphans_s*.

        Raises InUse, which names the process, when a server has it; MailError when the file cannot be made.
        """
        self.path = run_dir / "server.pid"
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MailError(f"{self.path}: {error.strerror}") from error
        until = time.monotonic() + orphans_s
        while not self._try():
            holder = _read_pid(self._fd)
            if (holder is not None and _is_alive(holder)) or time.monotonic() > until:
                os.close(self._fd)
                raise InUse(
                    f"a server runs with {run_dir.parent} already (process {holder or 'unknown'}); "
                    "stop it first, or use another data_dir"
                )
            time.sleep(0.05)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

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
        return _read_pid(fd)
    finally:
        os.close(fd)
    return None


def _read_pid(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None


def _is_alive(pid: int) -> bool:
    """There is such a process, and it has not ended; a zombie only waits for its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # no such file system here
        return True
