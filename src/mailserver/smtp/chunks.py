"""The content of a message that comes in chunks: counted octets instead of an end to look for.

Spec: RFC 3030 §2, §3.  Status: complete.

Lines still end with CRLF unless the client declared BINARYMIME: a CR or LF that stands alone makes the message void, as
it does behind DATA.  Whatever is wrong, the octets that were announced are read, so that none of them is ever taken for
a command.
"""

import re

from mailserver.smtp import replies
from mailserver.smtp.line_ends import is_bare
from mailserver.smtp.lines import Lines
from mailserver.smtp.reply import Reply

_ARGUMENT = re.compile(r"([0-9]{1,20})(?: +(LAST))?", re.IGNORECASE)


def announced(argument: str) -> tuple[int, bool] | None:
    """The octets of a chunk and whether it is the last; None if *argument* does not say so."""
    match = _ARGUMENT.fullmatch(argument)
    return (int(match[1]), match[2] is not None) if match else None


class Chunks:
    """Reads the chunks of one transaction.

    size:      octets so far.
    announced: octets of the chunk that is being read.
    is_last:   it ends the message.
    fault:     why the message is refused; nothing is given out any more then.
    """

    __slots__ = (
        "_ends_with_return",
        "_is_binary",
        "_left",
        "_limit",
        "announced",
        "fault",
        "is_last",
        "size",
    )

    def __init__(self, limit: int, *, is_binary: bool = False, fault: Reply | None = None) -> None:
        self._limit = limit
        self._is_binary = is_binary
        self._ends_with_return = False
        self._left = 0
        self.announced = self.size = 0
        self.is_last = False
        self.fault = fault

    def begin(self, size: int, *, is_last: bool) -> None:
        """A chunk of *size* octets follows; too many are known for it before they come (RFC 1870 §6.1)."""
        self.announced = self._left = size
        self.is_last = is_last
        if self.size + size > self._limit and self.fault is None:
            self.fault = replies.TOO_LARGE

    @property
    def is_whole(self) -> bool:
        """Whether the chunk has come."""
        return not self._left

    def read(self, lines: Lines) -> bytes:
        """What has come of the chunk; b"" once there is a fault."""
        piece = lines.take(self._left)
        self._left -= len(piece)
        self.size += len(piece)
        if self.fault is not None:
            return b""
        if not self._is_binary and self._is_bare(piece):
            self.fault = replies.BARE_CONTENT
            return b""
        return piece

    def _is_bare(self, piece: bytes) -> bool:
        """Whether a CR or LF stands alone, as far as this piece lets one see."""
        is_end = self.is_last and not self._left
        text = b"\r" + piece if self._ends_with_return else piece
        self._ends_with_return = text.endswith(b"\r") and not is_end
        return is_bare(text[:-1] if self._ends_with_return else text)
