"""DEFLATE in both directions of a connection, in bounded memory whatever is sent.

Spec: RFC 1951; RFC 4978 §3, §4.  Status: complete.

Input is inflated a step at a time, as it is taken: what a few octets could grow into is never in memory.  Each piece
of output ends at an octet, so that the peer has all of it; the window is small, since many connections have one.
"""

import zlib
from typing import Final

STEP: Final = 65_536  #: octets that are inflated at a time
LEVEL: Final = 1  #: IMAP's responses repeat themselves; more effort finds little more (RFC 4978 §4)
WINDOW: Final = -13  #: 8 KiB, raw: 64 KiB of memory with MEMORY
MEMORY: Final = 6


class Deflate:
    """Both directions.  `compress` and `feed`/`take` do not know of each other."""

    __slots__ = ("_has_more", "_inflate", "_squeeze", "_waiting")

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._squeeze: zlib._Compress | None = None
        self._waiting = b""  # compressed input
        self._has_more = False

    # out

    def compress(self, data: bytes) -> bytes:
        """What to send for *data*, all of which the peer can read then."""
        squeeze = self._squeeze
        if squeeze is None:
            squeeze = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW, MEMORY)
            self._squeeze = squeeze
        return squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH)

    def let_go(self) -> None:
        """Free the memory of the compressor; a new one goes on where it ended, as it refers to nothing before."""
        self._squeeze = None

    def finish(self) -> bytes:
        """The end of what we compress."""
        squeeze = self._squeeze or zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW, MEMORY)
        self._squeeze = None
        return squeeze.flush(zlib.Z_FINISH)

    # in

    @property
    def held(self) -> int:
        """Octets of compressed input that wait."""
        return len(self._waiting)

    @property
    def has_more(self) -> bool:
        """`take` may give something without further input."""
        return self._has_more

    @property
    def is_over(self) -> bool:
        """The peer has ended its stream, and all of it was taken."""
        return self._inflate.eof

    def feed(self, data: bytes) -> None:
        """Compressed input."""
        self._waiting += data
        self._has_more = not self._inflate.eof

    def take(self) -> bytes:
        """At most STEP octets, b"" when there is nothing to be had for now.  Raises zlib.error."""
        if not self._has_more:
            return b""
        data = self._inflate.decompress(self._waiting, STEP)
        self._waiting = (
            self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        )
        self._has_more = not self._inflate.eof and (bool(self._waiting) or len(data) == STEP)
        return data

    def rest(self) -> bytes:
        """What came behind the end of the peer's stream, or was not inflated yet."""
        rest, self._waiting, self._has_more = self._waiting, b"", False
        return rest
