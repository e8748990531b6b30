"""Stored octets on their way out: what to read, one short transaction after the other.

Status: complete.
"""

from collections.abc import Callable, Iterator
from functools import partial

from mailserver.base.errors import Corrupt
from mailserver.base.ids import BlobId
from mailserver.imap.conversation import BlobDecoded, BlobRange
from mailserver.imap.fetching.decoded import Decoding
from mailserver.store.tx import Read


def reads(chunk: BlobRange | BlobDecoded, piece: int) -> Iterator[Callable[[Read], bytes]]:
    """Jobs, each to be run before the next is asked for; together they give the octets of *chunk*.

    piece: octets of a body that one job reads at most; decoded ones may be a little more.  A job that gives b"" has
    come to an end too early.  They raise Expunged, Corrupt.
    """
    if isinstance(chunk, BlobRange):
        for start in range(0, chunk.length, piece):
            length = min(piece, chunk.length - start)
            yield partial(_range, chunk.blob, chunk.offset + start, length)
        return
    decoding = Decoding(chunk.part, chunk.skip, chunk.length)
    while decoding.left:
        yield partial(_decoded, chunk.blob, decoding)


def _range(blob: BlobId, offset: int, length: int, tx: Read) -> bytes:
    data = tx.blobs.read(blob, offset, length)
    if len(data) != length:
        raise Corrupt("The stored message is too short.")
    return data


def _decoded(blob: BlobId, decoding: Decoding, tx: Read) -> bytes:
    return decoding.next(lambda offset, length: tx.blobs.read(blob, offset, length))
