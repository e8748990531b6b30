"""The content of DATA: where it ends, what its dots stand for, and whether its lines are lines.

Spec: RFC 5321 §4.1.1.4, §4.5.2.  Status: complete.

Only CRLF "." CRLF ends the content.  A CR or LF that stands alone is neither taken for a line end nor repaired: servers
that disagree about such octets see different messages in one stream, which is how mail is smuggled past them.  The
content is read to its real end and then refused as a whole.
"""

from mailserver.smtp import replies
from mailserver.smtp.line_ends import first_odd, has_bare_lf, is_bare
from mailserver.smtp.lines import Lines
from mailserver.smtp.reply import Reply

END = b"\r\n.\r\n"


class Content:
    """Reads the content of one DATA command, in any pieces, at the speed of `bytes.find`.

    size:     octets so far, without the doubled dots and the final one (RFC 1870 §5).
    is_bare:  a CR or LF stood alone.
    is_large: it is longer than *limit*.
    is_whole: its end has come.
    """

    __slots__ = ("_held", "_is_first", "_limit", "is_bare", "is_large", "is_whole", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = (
            b"\r\n"  # the CRLF that ended the DATA command counts as the end of a line before
        )
        self._is_first = True
        self.size = 0
        self.is_bare = False
        self.is_large = False
        self.is_whole = False

    @property
    def fault(self) -> Reply | None:
        """Why the content has to be refused."""
        if self.is_large:
            return replies.TOO_LARGE
        return replies.BARE_CONTENT if self.is_bare else None

    def read(self, lines: Lines) -> bytes:
        """What has come of the content; what follows its end stays with *lines*."""
        piece, rest = self.feed(lines.take())
        if rest is not None:
            self.is_whole = True
            lines.receive(rest)
        return piece

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """The content in *data*, and what follows its end; None while the end has not come.

        Content that will be refused for being bare or large is counted and not returned.
        """
        data = self._held + data
        odd = first_odd(data)  # most pieces have nothing: then neither an end nor a stuffed dot
        dot = data.find(b"\r\n.", odd) if odd >= 0 else -1
        end = data.find(END, dot) if dot >= 0 else -1
        rest: bytes | None
        if end >= 0:
            piece, rest = data[: end + 2], data[end + 5 :]
        else:
            keep = _begun(data)
            piece, self._held = (data[:-keep], data[-keep:]) if keep else (data, b"")
            rest = None
        if odd < 0 or odd == end:  # no CR of the piece stands alone, and no line begins with a dot
            self.is_bare = self.is_bare or has_bare_lf(piece)
        else:
            self.is_bare = self.is_bare or is_bare(piece)
            piece = piece.replace(b"\r\n.", b"\r\n")
        if self._is_first and piece:
            self._is_first = False
            piece = piece[2:]
        self.size += len(piece)
        if self.size > self._limit:
            self.is_large = True
        return b"" if self.is_bare or self.is_large else piece, rest


def _begun(data: bytes) -> int:
    """How many of the last octets may be the beginning of END."""
    for size in range(min(len(END) - 1, len(data)), 0, -1):
        if data.endswith(END[:size]):
            return size
    return 0
