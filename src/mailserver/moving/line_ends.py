"""CRLF on the wire, LF in files: there and back without losing an octet.

Files of mail have LF by custom.  A message is written so when all its lines end with CRLF, which can be undone; any
other is written as it is.

Status: complete.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Shape(NamedTuple):
    """size: octets.    lines: CRLFs.    is_plain: LF for CRLF can be undone by whoever finds no CRLF in it."""

    size: int
    lines: int
    is_plain: bool


def shape(pieces: Iterable[bytes]) -> Shape:
    r"""Of the octets in *pieces*.

    Not plain are a bare LF, and CR CRLF, of which a CRLF would be left.
    """
    size = crlfs = lfs = 0
    is_plain, tail = True, b""
    for piece in pieces:
        size += len(piece)
        lfs += piece.count(b"\n")
        piece = tail + piece
        crlfs += piece.count(b"\r\n") - tail.count(b"\r\n")
        is_plain = is_plain and b"\r\r\n" not in piece
        tail = piece[-2:]
    return Shape(size, crlfs, is_plain and crlfs == lfs)


def with_lf(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """*pieces* with LF for each CRLF."""
    held = b""
    for piece in pieces:
        piece = held + piece
        held = b"\r" if piece.endswith(b"\r") else b""
        piece = piece[: len(piece) - len(held)].replace(b"\r\n", b"\n")
        if piece:
            yield piece
    if held:
        yield held


def with_crlf(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """*pieces* with CRLF for each LF; there is no CRLF in them."""
    for piece in pieces:
        yield piece.replace(b"\n", b"\r\n")
