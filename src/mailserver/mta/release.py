"""Mail for ours that waited for its time: filed and passed on as the directory is now.

Spec: RFC 4865 §4, §5; RFC 5321 §4.2.5.  Status: complete.

The queue's runner calls `release` in the write job that settles the recipients, so that each copy is filed once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mailserver.base.errors import PeerError
from mailserver.base.ids import AccountId, BlobId
from mailserver.base.limits import QueueLimits
from mailserver.directory.resolve import Why
from mailserver.mime.derived import Derived
from mailserver.mta.deliver import Edited, delivery
from mailserver.mta.filtering import Copy
from mailserver.mta.leave import Departure, Envelope, leaving, loops, put
from mailserver.mta.nexthop import Hops
from mailserver.mta.route import Remote, Route, Target, full, refusal, route
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.smtp.events import Recipient
from mailserver.smtp.reply import Reply
from mailserver.store.blobs import Prepared
from mailserver.store.queue_values import Queued, QueuedRecipient
from mailserver.store.tx import Write

FILED = Reply(250, "2.1.5", "Delivered")
PASSED_ON = Reply(250, "2.1.5", "Passed on")
BAD_ADDRESS = Reply(550, "5.1.3", "No valid address")


@dataclass(frozen=True, slots=True)
class Terms:
    """What all releases of a server have in common.  key: of `srs`."""

    hostname: str
    limits: QueueLimits
    hops: Hops
    key: bytes


@dataclass(frozen=True, slots=True)
class Filtered:
    """What the scripts of one account want.

    refusal: the message is refused with it, and nothing else counts.
    also:    to be done in the same job.
    """

    refusal: Reply | None = None
    copies: Sequence[tuple[Target, Copy]] = ()
    departures: Sequence[Departure] = ()
    edited: Sequence[Edited] = ()
    also: Sequence[Callable[[Write], None]] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """The message that is released.

    message:  as it is queued, without a prefix: with what was one *prepared* begins.
    header:   as it came, in which a loop shows.
    filtered: of those accounts that have scripts.
    """

    message: Queued
    prepared: Prepared
    derived: Derived
    header: bytes
    filtered: Mapping[AccountId, Filtered] = field(default_factory=dict)


def release(
    tx: Write, content: Content, recipients: Sequence[QueuedRecipient], terms: Terms
) -> list[Reply]:
    """What became of each of *recipients*: 2yz filed or passed on, 4yz not now, 5yz never; all of it in *tx*.

    Nobody gets it twice.  Raises TryLater or LimitReached when the queue is full: the job must fail then, so that
    nothing of it stays.
    """
    blob = tx.blobs.put(content.prepared)
    given: set[AccountId] = set()
    return [_one(tx, content, blob, to, terms, given) for to in recipients]


def _one(
    tx: Write,
    content: Content,
    blob: BlobId,
    to: QueuedRecipient,
    terms: Terms,
    given: set[AccountId],
) -> Reply:
    message, derived, header = content.message, content.derived, content.header
    try:
        address = parse_mailbox(to.address) if "@" in to.address else Address(to.address, "")
    except PeerError:
        return BAD_ADDRESS
    found = route(tx, address, terms.hostname, tx.now)
    if isinstance(found, Route):
        departures = [Departure(remote) for remote in found.remotes]
        fresh = [target for target in found.targets if target.account not in given]
    elif found.why in (Why.ELSEWHERE, Why.BACKUP):  # the domain has moved away meanwhile
        departures = [Departure(Remote(address), Recipient(address, to.notify, to.original))]
        fresh = []
    else:
        return refusal(address, found)
    if (again := loops(header, departures)) is not None:
        return Reply(554, "5.4.6", f"Mail loop: {again} has passed this message on before")
    if not all(_has_room(tx, target, message) for target in fresh):
        return full(address)
    filtered = {
        t.account: content.filtered[t.account] for t in fresh if t.account in content.filtered
    }
    refusals = [one.refusal for one in filtered.values() if one.refusal is not None]
    if refusals and len(refusals) == len(fresh) and not departures:
        return refusals[0]
    envelope = envelope_of(message, message.skip + message.size, tx.now)
    departures += [d for one in filtered.values() for d in one.departures]
    if departures:
        put(tx, leaving(envelope, departures, derived, terms.hops, terms.key, terms.limits), blob)
    for target in fresh:
        given.add(target.account)
        one = filtered.get(target.account)
        if one is None:
            tx.messages.add(target.account, target.mailbox, blob, derived, internal_at=tx.now)
        elif one.refusal is None:
            file = delivery(
                content.prepared,
                derived,
                (),
                tx.now,
                also=one.also,
                copies=one.copies,
                edited=one.edited,
            )
            file(tx)
    return FILED if isinstance(found, Route) and found.targets else PASSED_ON


def _has_room(tx: Write, target: Target, message: Queued) -> bool:
    account = tx.accounts.get(target.account)
    return account.has_room(message.skip + message.size)


def envelope_of(message: Queued, size: int, now: int) -> Envelope:
    """The envelope of what leaves of *message*, of whose *size* octets the first ones stay here."""
    return Envelope(
        message.trace,
        message.account if message.origin == "submitted" else None,
        parse_mailbox(message.sender) if message.sender else None,
        message.skip,
        size,
        message.is_8bit,
        message.is_utf8,
        message.needs_tls,
        message.ret,
        message.envid,
        now,
        waives_tls=message.waives_tls,
    )
