"""The message as a script has made it, told in octets of its own and in stretches of the message that came.

Spec: RFC 5293 §7; RFC 5703 §5, §6.  Status: complete.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

PIECE = 1_048_576


class Span(NamedTuple):
    """Octets of the message that came: message[start:end]."""

    start: int
    end: int


Pieces: TypeAlias = tuple[bytes | Span, ...]


@dataclass(frozen=True, slots=True)
class Edited:
    """Two that are equal are the same message, as long as they are made of the same one.

    header: with its empty line.     body: what follows it; None: the body that came.
    """

    header: bytes
    body: Pieces | None = None

    def pieces(self, header_size: int, size: int) -> Iterator[bytes | Span]:
        """All of it in order, in pieces of at most PIECE octets, of a message that came with *size* octets."""
        yield self.header
        for piece in (Span(header_size, size),) if self.body is None else self.body:
            if isinstance(piece, bytes):
                yield piece
                continue
            for at in range(piece.start, piece.end, PIECE):
                yield Span(at, min(at + PIECE, piece.end))
