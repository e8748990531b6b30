"""Running real mail programs: an empty home, a time limit, their whole output when they fail."""

from __future__ import annotations

import fcntl
import grp
import os
import pty
import pwd
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Mapping
from pathlib import Path


def environment(home: Path) -> dict[str, str]:
    """A clean environment with *home* as HOME, so that no user's settings leak in."""
    keep = {k: os.environ[k] for k in ("PATH", "LANG", "SSL_CERT_FILE") if k in os.environ}
    return keep | {"HOME": str(home), "LC_ALL": "C.UTF-8", "TERM": "xterm"}


def run(
    home: Path,
    *command: str | Path,
    limit_s: float = 60,
    ok: tuple[int, ...] = (0,),
    user: str | None = None,
) -> str:
    """The program's standard output.  Raises AssertionError with all it said unless its status is in *ok*.

    user: whom to become first, for programs that refuse to work for root.
    """
    done = subprocess.run(
        [str(c) for c in command],
        cwd=home,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=limit_s,
        check=False,
        user=user,
        group=grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name if user else None,
        extra_groups=[] if user else None,
    )
    out, err = (t.decode("utf-8", "replace") for t in (done.stdout, done.stderr))
    assert done.returncode in ok, (
        f"{command[0]} ended with {done.returncode}\n{out[-4000:]}\n{err[-4000:]}"
    )
    return out


def run_on_terminal(
    home: Path, *command: str | Path, answers: Mapping[str, str] | None = None, limit_s: float = 60
) -> str:
    """As `run`, on a terminal of its own, for programs with a screen; what they drew is returned.

    answers: what to type once a text has been drawn, each once.
    """
    pid, screen = pty.fork()
    if pid == 0:
        time.sleep(0.2)  # until the screen has its size
        os.chdir(home)
        os.execvpe(str(command[0]), [str(c) for c in command], environment(home))
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    waiting = dict(answers or {})
    drawn, end = bytearray(), time.monotonic() + limit_s
    try:
        while time.monotonic() < end:
            ready, _, _ = select.select([screen], [], [], 0.2)
            if ready:
                try:
                    drawn += os.read(screen, 65536)
                except OSError:  # the other end is closed: the program has ended
                    break
            for text in [t for t in waiting if t.encode() in drawn]:
                os.write(screen, waiting.pop(text).encode())
        else:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError(
                f"{command[0]} did not end in {limit_s} s:\n{drawn[-4000:].decode('latin1')}"
            )
    finally:
        _, status = os.waitpid(pid, 0)
        os.close(screen)
    code = os.waitstatus_to_exitcode(status)
    text = drawn.decode("utf-8", "replace")
    assert code == 0, f"{command[0]} ended with {code}\n{text[-4000:]}"
    return text


def home_for(user: str) -> Path:
    """A new folder that *user* owns and can reach, unlike pytest's."""
    home = Path(tempfile.mkdtemp(prefix="home-", dir="/tmp"))
    shutil.chown(home, user)
    return home
