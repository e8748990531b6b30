"""Messages on their way through an IMAP connection: taken from a client, put together, sent.

Spec: RFC 3501 §4.3, §7.5; RFC 4469 §3; RFC 7888 §4.  Status: complete.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from mailserver.base.errors import MailError, TryLater
from mailserver.base.log import Log
from mailserver.imap.conversation import BlobDecoded, BlobRange, Literal
from mailserver.imap.fetching.sending import reads
from mailserver.imap.framing import Framer
from mailserver.servers.context import Context
from mailserver.servers.stream import Stream
from mailserver.servers.work import Work
from mailserver.store.spool import Body, Spool

PIECE: Final = 262_144  #: octets of a body that are in memory at once
SMALL: Final = 262_144  #: octets of a message up to which it may have what memory there is; beyond, what is to spare


async def send_blob(work: Work, stream: Stream, blob: BlobRange | BlobDecoded, log: Log) -> bool:
    """Whether all of *blob* was sent; each piece is read in a transaction of its own.  Raises as `Stream.drain`."""
    left = blob.length
    for read in reads(blob, PIECE):
        try:
            data = await work.read(read)
        except MailError as error:
            log.warning("cannot send a message", blob=blob.blob, reason=str(error))
            return False
        if not data:
            break
        left -= len(data)
        stream.write(data)
        await stream.drain()
    if left:
        log.error("a stored message is too short", blob=blob.blob)
    return not left


async def take_literal(
    context: Context, framer: Framer, wanted: Literal, more: Callable[[], Awaitable[None]], log: Log
) -> Body:
    """The message a client sends, in memory or in a file; *more* waits for input.

    Raises TryLater for trouble with the disk; the rest of it is read all the same then, and forgotten.
    """
    left = wanted.size
    most = 0 if wanted.to_file else context.limits.connections.spool_memory
    with _spool(context, min(wanted.size, most)) as spool:
        try:
            framer.message()
            while left:
                data = framer.take(left)
                if not data:
                    await more()
                    continue
                left -= len(data)
                spool.write(data)
            return spool.finish()
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            framer.skip(left)
            raise _no_disk(log, error) from error


async def assemble(context: Context, pieces: Sequence[Body | bytes | BlobRange], log: Log) -> Body:
    """*pieces* as one body, in memory or in a file.  Raises Expunged, Corrupt, TryLater."""
    with _spool(context, context.limits.connections.spool_memory) as spool:
        try:
            for piece in pieces:
                if isinstance(piece, BlobRange):
                    for read in reads(piece, PIECE):
                        spool.write(await context.work.read(read))
                    continue
                view = piece if isinstance(piece, bytes) else piece.view()
                for start in range(0, len(view), PIECE):
                    spool.write(view[start : start + PIECE])
            return spool.finish()
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            raise _no_disk(log, error) from error


@contextmanager
def _spool(context: Context, in_memory: int) -> Iterator[Spool]:
    """A spool with so many octets of the common memory, if there is enough; otherwise it begins with a file."""
    memory = context.memory
    if not (memory.take(in_memory) if in_memory <= SMALL else memory.take_spare(in_memory)):
        in_memory = 0
    spool = Spool(context.spool, in_memory)
    try:
        yield spool
    finally:
        context.memory.give(in_memory)
        spool.discard()


def _no_disk(log: Log, error: OSError) -> TryLater:
    log.error("cannot spool a message", error=error)
    return TryLater("The storage is not available at the moment.")
