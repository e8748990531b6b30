"""Parts without their transfer encoding: how long they are, and their octets, piece by piece, without holding them.

Spec: RFC 3516 §4.2, §4.3; RFC 9051 §6.4.5.1.  Status: complete.

A literal says its length first.  So a long part is decoded once to be counted, and again while it is sent; what was
counted is remembered, and who asks for BINARY.SIZE first, or in pieces, does not have it counted again.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from mailserver.base.errors import Corrupt, MailError
from mailserver.base.ids import BlobId
from mailserver.mime import decode
from mailserver.mime.layout import Part

Read = Callable[[int, int | None], bytes]

#: encodings that change nothing
PLAIN: Final = frozenset({"7bit", "8bit", "binary"})
#: parts whose count is remembered in this process
REMEMBERED: Final = 4_096

_counts: dict[tuple[BlobId, int, int], "Count"] = {}


class UnknownEncoding(MailError):
    """A part is in a transfer encoding that nobody here can undo (RFC 3516 §4.3, UNKNOWN-CTE)."""


class Count(NamedTuple):
    """The size of a decoded part, and whether NUL is in it, which decides between a string and a literal8."""

    size: int
    has_nul: bool


def encoding_of(part: Part) -> str:
    """The encoding to undo, "" for none: what has parts inside is never encoded itself (RFC 2045 §6.4).

    Raises UnknownEncoding.
    """
    if part.children or part.message is not None or part.encoding in PLAIN:
        return ""
    if part.encoding not in decode.ENCODINGS:
        raise UnknownEncoding("A part is in a transfer encoding that is not known here.")
    return part.encoding


def count(blob: BlobId, part: Part, read: Read) -> Count:
    """The size of *part* once it is decoded.  Raises UnknownEncoding, Corrupt, Expunged."""
    key = blob, part.body_start, part.end
    known = _counts.get(key)
    if known is None:
        size, has_nul = 0, False
        for piece in decode.content(Octets(read), _as_is(part)):
            size += len(piece)
            has_nul = has_nul or b"\0" in piece
        known = Count(size, has_nul)
        while len(_counts) >= REMEMBERED:
            _counts.pop(next(iter(_counts)), None)
        _counts[key] = known
    return known


def octets(part: Part, read: Read) -> bytes:
    """The whole of a short part, decoded.  Raises UnknownEncoding, Corrupt, Expunged."""
    return b"".join(decode.content(Octets(read), _as_is(part)))


def _as_is(part: Part) -> Part:
    """*part* with the encoding that is to be undone, as `decode.content` takes it."""
    return part._replace(encoding=encoding_of(part))


class Octets:
    """A stored message that can be sliced.  read: (offset, length) -> octets; may be replaced between two slices."""

    __slots__ = ("read",)

    def __init__(self, read: Read) -> None:
        self.read = read

    def __getitem__(self, where: slice, /) -> bytes:
        start: int = where.start
        length: int = where.stop - start
        data = self.read(start, length)
        if len(data) != length:
            raise Corrupt("The stored message is damaged.")
        return data


class Decoding:
    """The decoded octets of *part* from *skip* on, *length* of them, in pieces that are each read on demand."""

    __slots__ = ("_octets", "_pieces", "_skip", "left")

    def __init__(self, part: Part, skip: int, length: int) -> None:
        self._octets = Octets(_nothing)
        self._pieces = decode.content(self._octets, _as_is(part))
        self._skip = skip
        self.left = length  #: octets that are still to come

    def next(self, read: Read) -> bytes:
        """The next octets, b"" where there are none though some are left.  Raises Corrupt, Expunged."""
        self._octets.read = read
        try:
            for piece in self._pieces:
                data = piece[self._skip : self._skip + self.left]
                self._skip = max(0, self._skip - len(piece))
                self.left -= len(data)
                if data:
                    return data
        finally:
            self._octets.read = _nothing
        return b""


def _nothing(offset: int, length: int | None) -> bytes:
    return b""
