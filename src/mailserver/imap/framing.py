"""Octets to commands: lines, literals inside them, the limits on both.

A command comes out as one bytes object with its literals in place (`a LOGIN {5}` CRLF `alice pw`), except for a literal
that carries a message: there the command ends at the announcement, and the octets are taken off one piece at a time.

Spec: RFC 3501 §2.2.1, §4.3, §7.5; RFC 3502 §2; RFC 7888 §3, §4.  Status: complete.
Client: a bare LF ends a line too, as people send it who type into a plain connection.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from mailserver.base.errors import PeerError
from mailserver.base.limits import ImapLimits

_ANNOUNCED: Final = re.compile(rb"\{([0-9]{1,20})(\+?)\}\Z")
_TAG: Final = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]{1,100}(?= )")
_TAIL: Final = 32  # octets at the end of a line in which an announcement stands
_TOO_LARGE: Final = ("TOOBIG", "Literal too large")
CONTINUED_SIZE: Final = (
    12_288  #: octets of a line that answers a continuation request (base64 of a SASL response)
)


class Command(NamedTuple):
    """A complete command, or one whose last literal is a message that is still to come; without the final CRLF."""

    line: bytes
    has_message: bool = False


class GoOn(NamedTuple):
    """The client waits for a continuation request before it sends its literal (RFC 3501 §4.3)."""


class Refusal(NamedTuple):
    """Input that is not taken.

    tag:       of the command, b"*" if it cannot be told.
    is_fatal:  octets are on their way that must not be read: say BYE and close (RFC 7888 §4).
    """

    tag: bytes
    code: str
    text: str
    is_fatal: bool = False


Frame: TypeAlias = Command | GoOn | Refusal


class Framer:
    """Collects the input of one connection.

    carries_message: tells from a command up to "{n}" whether that literal is a message.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_carries",
        "_limits",
        "_line",
        "_message",
        "_open",
        "_skip",
        "_skipping_line",
    )

    def __init__(self, limits: ImapLimits, carries_message: Callable[[bytes], bool]) -> None:
        self._limits = limits
        self._carries = carries_message
        self._open = False  # logged in: the wide limits hold
        self._buffer = bytearray()
        self._line = 0  # where the current line of the command begins, behind its last literal
        self._at = 0  # before this there is no end of the current line
        # octets of an announced message that nobody asked for yet, and that come anyway
        self._message: int | None = None
        self._skip = 0  # octets to drop
        self._skipping_line = False  # then drop everything up to the end of the line

    def feed(self, data: bytes) -> None:
        """More input."""
        self._buffer += data

    def log_in(self) -> None:
        """From now on the limits of a logged-in client hold."""
        self._open = True

    def log_out(self) -> None:
        """From now on the limits of strangers hold again."""
        self._open = False

    def clear(self) -> None:
        """Forget all input (RFC 3501 §6.2.1, STARTTLS)."""
        self._buffer = bytearray()
        self._start()
        self._message, self._skip = None, 0
        self._skipping_line = False

    @property
    def held(self) -> int:
        """Octets of input in memory."""
        return len(self._buffer)

    def next(self) -> Frame | None:
        """The next thing to act on, None while input is missing."""
        if self._message is not None:  # refused before it was read: RFC 7888 §4, choice 1
            self._skip, self._message, self._skipping_line = self._message, None, True
        if self._skip or self._skipping_line:
            if not self._skipped():
                return None
            if self._skip > self._limits.append_size:
                return Refusal(b"*", *_TOO_LARGE, is_fatal=True)
        while True:
            end = self._buffer.find(b"\n", self._at, self._command_size + 2)
            if end < 0:
                return self._unfinished()
            m = _ANNOUNCED.search(self._part(max(self._line, end - _TAIL), end))
            if m is None:
                line = self._part(0, end)
                self._drop(end + 1)
                return Command(line)
            frame = self._literal(end, int(m.group(1)), is_synchronising=not m.group(2))
            if frame is not None:
                return frame

    def message(self) -> None:
        """The message announced by the last Command or `rest` is wanted: `take` gives its octets."""
        self._message = None

    def skip(self, size: int) -> None:
        """Forget the next *size* octets, and what follows them in their command."""
        self._skip, self._skipping_line = size, True

    def take(self, size: int) -> bytes:
        """At most *size* octets of input, b"" when there is none."""
        with memoryview(self._buffer) as view:
            data = bytes(view[:size])
        self._drop(len(data))
        return data

    def rest(self) -> bytes | None:
        """What follows a message in its command, to the end of the line; None while that is unfinished.

        It may end by announcing the next message.  Raises PeerError when it is too long.
        """
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            self._at = len(self._buffer)
        size = self._at if end < 0 else end
        if size > self._command_size:
            self._drop(max(size - _TAIL, 0))  # an announcement may stand at its end
            self._skipping_line = True
            raise PeerError("command too long")
        if end < 0:
            return None
        line = self._part(0, end)
        self._drop(end + 1)
        m = _ANNOUNCED.search(line[-_TAIL:])
        if m is not None and m.group(2):
            self._message = int(m.group(1))
        return line

    def line(self) -> bytes | None:
        """The next line without its CRLF, None while it is unfinished.  Raises PeerError when it is too long."""
        if (self._skip or self._skipping_line) and not self._skipped():
            return None
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            self._at = len(self._buffer)
            if self._at > CONTINUED_SIZE:
                self._drop(self._at)
                self._skipping_line = True
                raise PeerError("line too long")
            return None
        line = self._part(0, end)
        self._drop(end + 1)
        if len(line) > CONTINUED_SIZE:
            raise PeerError("line too long")
        return line

    # helpers

    @property
    def _command_size(self) -> int:
        limits = self._limits
        return limits.command_size if self._open else limits.prelogin_command_size

    @property
    def _literal_size(self) -> int:
        limits = self._limits
        return limits.literal_size if self._open else limits.prelogin_command_size

    def _literal(self, end: int, size: int, *, is_synchronising: bool) -> Frame | None:
        """What an announcement before *end* asks for; None when its octets are simply to be waited for."""
        line = self._part(0, end)
        if self._open and self._carries(line):
            if not is_synchronising:
                if size > self._limits.append_size:
                    return Refusal(_tag(line), *_TOO_LARGE, is_fatal=True)
                self._message = size
            self._drop(end + 1)
            return Command(line, has_message=True)
        if size > self._literal_size or end + 1 + size > self._command_size:
            if is_synchronising:
                self._drop(end + 1)
            return Refusal(_tag(line), *_TOO_LARGE, is_fatal=not is_synchronising)
        self._line = self._at = end + 1 + size
        return GoOn() if is_synchronising else None

    def _unfinished(self) -> Refusal | None:
        self._at = max(self._at, len(self._buffer))
        size = self._command_size + 2
        if len(self._buffer) < size:
            return None
        tag = _tag(self._part(0, min(size, 200)))
        self._drop(size - _TAIL)  # an announcement may stand across this point
        self._skipping_line = True
        return Refusal(tag, "TOOBIG", "Command too long")

    def _skipped(self) -> bool:
        """Drop what is to be dropped; whether that is done: all of it has come, or more is to come than we read."""
        while self._skip or self._skipping_line:
            if self._skip > self._limits.append_size:
                return True
            size = min(self._skip, len(self._buffer))
            self._drop(size)
            self._skip -= size
            if self._skip:
                return False
            end = self._buffer.find(b"\n", self._at)
            if end < 0:
                self._drop(max(len(self._buffer) - _TAIL, 0))
                self._at = len(self._buffer)
                return False
            m = _ANNOUNCED.search(self._part(max(0, end - _TAIL), end))
            self._drop(end + 1)
            self._skipping_line = m is not None and bool(m.group(2))
            if m is not None and m.group(2):
                self._skip = int(m.group(1))
        return True

    def _part(self, start: int, end: int) -> bytes:
        """The octets from *start* to the LF at *end*, without CR."""
        if end > start and self._buffer[end - 1] == 13:
            end -= 1
        return bytes(self._buffer[start:end])

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._start()

    def _start(self) -> None:
        self._line = self._at = 0


def _tag(line: bytes) -> bytes:
    m = _TAG.match(line)
    return m.group() if m else b"*"
