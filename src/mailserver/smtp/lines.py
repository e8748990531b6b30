"""The client's octets as command lines: ended by CRLF, bounded, each refused once at most.

Spec: RFC 5321 §2.3.8, §4.1.1, §4.5.3.1.4.  Status: complete.
"""

from collections.abc import Callable
from typing import NamedTuple

from mailserver.smtp import replies
from mailserver.smtp.reply import Reply

_LF, _CR = b"\n\r"


class Line(NamedTuple):
    """A line without its CRLF, or the refusal of what stands there instead."""

    octets: bytes
    fault: Reply | None


class Lines:
    """What the client has sent and nobody has taken yet.

    A line with a fault is refused as soon as the fault is seen; what follows up to the next CRLF belongs to it and is
    dropped.  So a bare LF never starts a command (RFC 5321 §2.3.8), and nothing unbounded is kept.
    """

    __slots__ = ("_at", "_input", "_skipping")

    def __init__(self) -> None:
        self._input = b""
        self._at = 0  # octets of it that were taken
        self._skipping = False

    def __len__(self) -> int:
        return len(self._input) - self._at

    def receive(self, data: bytes) -> None:
        """Keep what came from the client."""
        if self._at < len(self._input):
            data = self._input[self._at :] + data
        self._input, self._at = data, 0

    def take(self, most: int | None = None) -> bytes:
        """All that is here, lines or not, but no more than *most* octets."""
        data, begin = self._input, self._at
        if most is not None and begin + most < len(data):
            self._at += most
            return data[begin : self._at]
        self._input, self._at = b"", 0
        return data[begin:] if begin else data

    def discard(self) -> None:
        """Forget all of it."""
        self._keep(b"")
        self._skipping = False

    def next(self, most: int, limit: Callable[[bytes], int]) -> Line | None:
        """The next line; None while it is not complete.

        most:  the octets that any line may have, with its CRLF.
        limit: the octets that a line which begins like this may have, no fewer.
        """
        data, begin = self._input, self._at
        if begin == len(data):
            return None
        if self._skipping:
            end = data.find(b"\r\n", begin)
            if end < 0:
                self._keep(data[-1:] if data.endswith(b"\r") else b"")
                return None
            self._skipping = False
            self._at = begin = end + 2
        end = data.find(b"\r\n", begin)
        line = data[begin:] if end < 0 else data[begin:end]
        size = most if end >= 0 and len(line) + 2 <= most else limit(line)
        if end >= 0 and len(line) + 2 <= size and _LF not in line and _CR not in line:
            self._at = end + 2
            return Line(line, None)
        fault = _fault(line, size, is_whole=end >= 0)
        if fault is None:
            return None
        if end >= 0:
            self._at = end + 2
        else:
            self._skipping = True
            self._keep(data[-1:] if data.endswith(b"\r") else b"")
        return Line(b"", fault)

    def _keep(self, data: bytes) -> None:
        self._input = data
        self._at = 0


def _fault(line: bytes, limit: int, *, is_whole: bool) -> Reply | None:
    """What is wrong with a line, None if it is only incomplete; the same however many pieces it came in.

    Three things can go wrong, each is known with a certain octet, and the first of them counts.
    """
    never = len(line) + 2
    feed = line.find(b"\n")
    bare_feed = feed + 1 if feed >= 0 else never
    at = line.find(b"\r")
    if at == len(line) - 1 and not is_whole:
        at = -1  # its LF may still come
    bare_return = at + 2 if at >= 0 else never
    long = never
    if len(line) + (1 if line.endswith(b"\r") and not is_whole else 2) > limit:
        long = limit if line[limit - 2 : limit - 1] == b"\r" else limit - 1
    first = min(bare_feed, bare_return, long)
    if first == never:
        return None
    return replies.LINE_TOO_LONG if first < min(bare_feed, bare_return) else replies.BARE_LINE_END
