"""Documents are read by a child process: started when it is needed, asked for one at a time, killed when it hangs."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, NamedTuple

import mailserver
from mailserver.base.limits import SearchLimits
from mailserver.base.log import Log

_PIECE: Final = 65_536
_LOOK_MS: Final = 100
_LINE: Final = 1_000  # octets of an answer's first line
_SLACK_S: Final = (
    5.0  # wall time on top of what is allowed: the machine may be busy, and the child has to start
)
_ROOT: Final = Path(mailserver.__file__).parent.parent

log = Log("search")


class Reading(NamedTuple):
    """text: of the document, as far as it could be read.        reason: why that is not all; "": it is."""

    text: str
    reason: str


class _Silent(Exception):
    """The child has ended, or says nothing in time."""


class DocumentReader:
    """The child, as whoever asks it sees it.  For one thread at a time; blocks, within bounds.

    is_over: nobody wants its answers any more.
    """

    def __init__(self, limits: SearchLimits, is_over: Callable[[], bool] = lambda: False) -> None:
        self._limits, self._is_over = limits, is_over
        self._child: subprocess.Popen[bytes] | None = None

    def read(self, kind: str, data: bytes) -> Reading:
        """What is written in the document *data*; raises nothing that the document could cause."""
        limits = self._limits
        request = {
            "kind": kind,
            "size": len(data),
            "text": limits.attachment_text,
            "time_s": limits.attachment_time_s,
        }
        until = time.monotonic() + 2 * limits.attachment_time_s + _SLACK_S
        try:
            child = self._started()
            return self._ask(child, json.dumps(request).encode() + b"\n", data, until)
        except (_Silent, OSError, ValueError) as error:
            self.close()
            reason = str(error) or type(error).__name__
            log.warning("a document could not be read", kind=kind, size=len(data), reason=reason)
            return Reading("", reason)

    def close(self) -> None:
        """End the child, whatever it does."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
            child.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "mailserver.documents.child",
                    str(self._limits.attachment_memory),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
                bufsize=0,
                cwd="/",
                start_new_session=True,  # a terminal's Ctrl-C is for the server
            )
            for pipe in (self._child.stdin, self._child.stdout):
                assert pipe is not None
                os.set_blocking(pipe.fileno(), False)
        return self._child

    def _ask(
        self, child: subprocess.Popen[bytes], line: bytes, data: bytes, until: float
    ) -> Reading:
        assert child.stdin is not None
        assert child.stdout is not None
        for part in (line, data):
            rest = memoryview(part)
            while rest:
                self._wait(child.stdin, until, writes=True)
                rest = rest[os.write(child.stdin.fileno(), rest[:_PIECE]) :]
        said = b""
        while b"\n" not in said:
            said += self._some(child.stdout, until)
            if len(said) > _LINE and b"\n" not in said[:_LINE]:
                raise _Silent("its answer is none")
        head, _, text = said.partition(b"\n")
        answer = json.loads(head)
        pieces = [text]
        left = int(answer["size"]) - len(text)
        while left > 0:
            pieces.append(self._some(child.stdout, until))
            left -= len(pieces[-1])
        return Reading(b"".join(pieces).decode("utf-8", "replace"), str(answer["reason"]))

    def _some(self, pipe: IO[bytes], until: float) -> bytes:
        self._wait(pipe, until, writes=False)
        data = os.read(pipe.fileno(), _PIECE)
        if not data:
            raise _Silent("its reader has died")
        return data

    def _wait(self, pipe: IO[bytes], until: float, *, writes: bool) -> None:
        """Until the pipe can be used; raises _Silent when that takes too long."""
        poll = select.poll()
        poll.register(pipe.fileno(), select.POLLOUT if writes else select.POLLIN)
        while not poll.poll(_LOOK_MS):
            if self._is_over() or time.monotonic() > until:
                raise _Silent("reading it takes too long")
