"""The content of a message on its way from the connection into memory or a file.

Spec: RFC 5321 §4.2.5.  Status: complete.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from mailserver.mta.receive import Transaction
from mailserver.servers.context import Context
from mailserver.store.spool import Spool

HEAD = 8_192  #: octets that our own fields may add to a message, with room to spare
FIRST = 65_536  #: octets of memory for a message of unknown size, to begin with


class Intake:
    """One connection's.

    trouble: why the disk did not take it, if it did not; what still comes is dropped.
    """

    __slots__ = ("_context", "_reserved", "trouble")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reserved = 0  # octets of the memory that all connections share
        self.trouble: OSError | None = None

    def begin(self, transaction: Transaction, *, changes: bool = False) -> None:
        """Memory for it, for the beginning; without any it goes to a file from the first octet on.

        changes: what is found of it will be written on top of it.
        Raises OSError; nothing of the transaction's content is left then.
        """
        context = self._context
        most = context.limits.connections.spool_memory
        wanted = min(most, FIRST, transaction.declared + HEAD if transaction.declared else FIRST)
        if not self._reserved and context.memory.take(wanted):
            self._reserved = wanted
        try:
            transaction.begin(
                Spool(context.spool, self._reserved, changes=changes),
                context.hostname,
                int(context.now()),
                context.limits.mime,
                hides_client=context.hides_clients,
            )
        except OSError:
            transaction.discard()
            raise

    async def write(self, transaction: Transaction, piece: bytes, *, is_last: bool = False) -> None:
        """Keep a piece.  A disk that fails is `trouble` from then on."""
        if self.trouble is not None or not (piece or is_last):
            return
        try:
            missing = transaction.missing(len(piece))
            if not missing or self._has_more(transaction, missing):
                transaction.write(piece, is_last=is_last)
            else:
                await self._finished(lambda: transaction.write(piece, is_last=is_last))
        except OSError as error:
            self.trouble = error
            transaction.discard()

    def _has_more(self, transaction: Transaction, missing: int) -> bool:
        """Whether *transaction* has got the memory that it is missing.

        It gets twice as much each time, as long as half of all memory is free: a few large messages are quicker
        without a file, and leave to many small ones what those need.
        """
        memory, had = self._context.memory, self._reserved
        most = self._context.limits.connections.spool_memory
        wanted = min(max(2 * had, had + missing), most)
        if transaction.is_in_file or had + missing > most or not memory.take_spare(wanted - had):
            return False
        self._reserved = wanted
        transaction.allow(wanted)
        return True

    def end(self) -> None:
        """The transaction is over, its memory free; harmless at any time."""
        self._context.memory.give(self._reserved)
        self._reserved = 0
        self.trouble = None

    async def _finished(self, act: Callable[[], None]) -> None:
        """Does *act* in a thread; when cancelled it ends with it, not before, so that its file stays open till then."""
        acting = asyncio.ensure_future(self._context.work.thread(act))
        try:
            await asyncio.shield(acting)
        except asyncio.CancelledError:
            with suppress(OSError):
                await acting
            raise
