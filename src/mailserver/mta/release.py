"""Mail for ours that waited for its time: filed and passed on as the directory is now.

Spec: RFC 4865 §4, §5; RFC 5321 §4.2.5.  Status: complete.

The queue's runner calls `release` in the write job that settles the recipients, so that each copy is filed once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailserver.base.errors import PeerError
from mailserver.base.ids import AccountId, BlobId
from mailserver.base.limits import QueueLimits
from mailserver.directory.resolve import Why
from mailserver.mime.derived import Derived
from mailserver.mta.leave import Departure, Envelope, leaving, loops, put
from mailserver.mta.nexthop import Hops
from mailserver.mta.route import Remote, Route, Target, full, refusal, route
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.smtp.events import Recipient
from mailserver.smtp.reply import Reply
from mailserver.store.queue_values import Queued, QueuedRecipient
from mailserver.store.tx import Write

FILED = Reply(250, "2.1.5", "Delivered")
PASSED_ON = Reply(250, "2.1.5", "Passed on")
GONE = Reply(550, "5.3.0", "The message has no content any more")
BAD_ADDRESS = Reply(550, "5.1.3", "No valid address")


@dataclass(frozen=True, slots=True)
class Terms:
    """What all releases of a server have in common.  key: of `srs`."""

    hostname: str
    limits: QueueLimits
    hops: Hops
    key: bytes


def release(
    tx: Write,
    message: Queued,
    recipients: Sequence[QueuedRecipient],
    derived: Derived,
    header: bytes,
    terms: Terms,
) -> list[Reply]:
    """What became of each of *recipients*: 2yz filed or passed on, 4yz not now, 5yz never; all of it in *tx*.

    derived, header: of the message as it is stored.  Nobody gets it twice.  Raises TryLater or LimitReached when the
    queue is full: the job must fail then, so that nothing of it stays.
    """
    blob = message.blob
    if blob is None:
        return [GONE for _ in recipients]
    given: set[AccountId] = set()
    return [_one(tx, message, blob, to, derived, header, terms, given) for to in recipients]


def _one(
    tx: Write,
    message: Queued,
    blob: BlobId,
    to: QueuedRecipient,
    derived: Derived,
    header: bytes,
    terms: Terms,
    given: set[AccountId],
) -> Reply:
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
    if departures:
        away = leaving(
            _envelope(tx, message), departures, derived, terms.hops, terms.key, terms.limits
        )
        put(tx, away, blob)
    for target in fresh:
        tx.messages.add(target.account, target.mailbox, blob, derived, internal_at=tx.now)
        given.add(target.account)
    return FILED if isinstance(found, Route) and found.targets else PASSED_ON


def _has_room(tx: Write, target: Target, message: Queued) -> bool:
    account = tx.accounts.get(target.account)
    return account.has_room(message.skip + message.size)


def _envelope(tx: Write, message: Queued) -> Envelope:
    return Envelope(
        message.trace,
        message.account,
        parse_mailbox(message.sender) if message.sender else None,
        message.skip,
        message.skip + message.size,
        message.is_8bit,
        message.is_utf8,
        message.needs_tls,
        message.ret,
        message.envid,
        tx.now,
    )
