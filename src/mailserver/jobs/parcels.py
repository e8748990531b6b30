"""A claimed message on its way to a next hop: its envelope, its octets, and what became of its recipients.

Spec: RFC 5321 §3.3.  Status: complete.
"""

import hashlib
from collections import deque
from collections.abc import Collection, Iterable, Sequence

from mailserver.base.errors import Corrupt, MailError
from mailserver.base.ids import RecipientId
from mailserver.base.limits import QueueLimits
from mailserver.mta import schedule
from mailserver.servers.work import Work
from mailserver.smtp.outgoing import Outgoing, Rcpt
from mailserver.store.queue_values import (
    DEFERRED,
    EXPIRED,
    Attempt,
    Claimed,
    Queued,
    QueuedRecipient,
    Result,
)
from mailserver.store.tx import Read

INLINE = 65_536  #: octets; smaller messages are read when they are claimed
PIECE = 65_536  #: octets of a larger one that are held at a time

#: the octets of a small message; why they cannot be read; None: they are read when it is their turn
Data = bytes | MailError | None


class Parcel:
    """One claimed message.

    recipients: those of whom nothing is known yet.
    data:       its octets, if they are few and there was room for them; or why they cannot be read.
    avoid:      hosts that have had their chance.
    returns:    how often it came back untried, from a connection that had ended.
    signed:     who has signed it, or why nobody did.
    """

    __slots__ = ("avoid", "data", "message", "recipients", "returns", "signed")

    def __init__(self, claimed: Claimed, data: Data) -> None:
        self.message: Queued = claimed.queued
        self.recipients: Sequence[QueuedRecipient] = claimed.recipients
        self.data = data
        self.avoid: set[str] = set()
        self.returns = 0
        self.signed = ""

    @property
    def held(self) -> int:
        """Octets in memory."""
        return len(self.data) if isinstance(self.data, bytes) else 0

    @property
    def needs_own_way(self) -> bool:
        """It may not use the connection of others: it asks for more than they, or for less (RFC 8689 §4.2)."""
        return self.needs_tls or self.message.waives_tls

    @property
    def needs_tls(self) -> bool:
        """REQUIRETLS holds for it; not for notices (RFC 8689 §5)."""
        return self.message.needs_tls and bool(self.message.sender)

    def part(self, recipients: Sequence[QueuedRecipient]) -> "Parcel":
        """The same message for some of its recipients."""
        other = Parcel(
            Claimed(self.message, recipients[0].destination, tuple(recipients)), self.data
        )
        other.avoid = set(self.avoid)
        other.signed = self.signed
        return other

    def outgoing(self) -> Outgoing:
        """Its envelope for the recipients that are left."""
        message = self.message
        return Outgoing(
            message.sender,
            tuple(Rcpt(r.address, r.notify, r.original) for r in self.recipients),
            message.size,
            is_8bit=message.is_8bit,
            is_utf8=message.is_utf8,
            needs_tls=self.needs_tls,
            ret=message.ret,
            envid=message.envid,
        )


def small(tx: Read, message: Queued) -> bytes:
    """What leaves, all at once; checked against its hash."""
    if message.blob is None:
        raise Corrupt("A claimed message has no content.")
    return message.prefix + tx.blobs.read(message.blob)[message.skip :]


class Content:
    """What leaves of a large message, by ranges in their order; Corrupt at the end if it is not what was stored."""

    __slots__ = ("_hash", "_message", "_sha256", "_work")

    def __init__(self, work: Work, message: Queued) -> None:
        self._work = work
        self._message = message
        self._hash = hashlib.sha256()
        self._sha256 = b""

    async def __call__(self, offset: int) -> bytes:
        """The piece that begins at *offset*, where the one before ended; b"" at the end.  Raises Corrupt, Expunged."""
        message, blob = self._message, self._message.blob
        if blob is None:
            raise Corrupt("A claimed message has no content.")
        if offset < len(message.prefix):
            return message.prefix[offset : offset + PIECE]
        start = offset - len(message.prefix) + message.skip

        def read(tx: Read) -> tuple[bytes, bytes]:
            head = b""
            if not self._sha256:
                self._sha256 = tx.blobs.sha256(blob)
                head = tx.blobs.read(blob, 0, start) if start else b""
            return head, tx.blobs.read(blob, start, PIECE)

        head, piece = await self._work.read(read)
        self._hash.update(head)
        self._hash.update(piece)
        if not piece and self._hash.digest() != self._sha256:
            raise Corrupt("The stored message is damaged.")
        return piece


def result(
    limits: QueueLimits,
    message: Queued,
    recipient: QueuedRecipient,
    state: str,
    attempt: Attempt,
    *,
    now: int,
    chance: float,
) -> Result:
    """What is noted of *recipient* after *attempt*: what is deferred comes again, unless its time is over."""
    if state != DEFERRED:
        return Result(recipient.id, state, None, attempt)
    if schedule.is_over(now, message.expires_at):
        return Result(recipient.id, EXPIRED, None, attempt)
    due_at = schedule.retry_at(
        limits,
        attempts=recipient.attempts + 1,
        now=now,
        expires_at=message.expires_at,
        chance=chance,
    )
    return Result(recipient.id, DEFERRED, due_at, attempt)


def given_back(recipients: Iterable[QueuedRecipient], now: int) -> list[Result]:
    """Nothing was tried: due at once."""
    return [Result(recipient.id, DEFERRED, now, None) for recipient in recipients]


def split(
    parcels: Iterable[Parcel], recalled: Collection[RecipientId]
) -> tuple[deque[Parcel], list[Parcel]]:
    """*parcels* without the recipients that are *recalled*, and those recipients."""
    kept: deque[Parcel] = deque()
    dropped: list[Parcel] = []
    for parcel in parcels:
        gone = [one for one in parcel.recipients if one.id in recalled]
        left = [one for one in parcel.recipients if one.id not in recalled]
        if not gone:
            kept.append(parcel)
            continue
        dropped.append(parcel.part(gone))
        if left:
            kept.append(parcel.part(left))
    return kept, dropped
