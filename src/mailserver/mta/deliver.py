"""Filing a message for all its recipients, here and elsewhere: one job, one blob, one commit.

Spec: RFC 5321 §4.2.5, §6.1.  Status: complete.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailserver.base.errors import OverQuota
from mailserver.base.ids import AccountId, BlobId, QueuedId
from mailserver.mime.derived import Derived
from mailserver.mta.leave import Leaving, put
from mailserver.mta.route import Target
from mailserver.store.blobs import Prepared
from mailserver.store.domains import BLOB_THRESHOLD
from mailserver.store.queue_values import AtOnce, Claimed
from mailserver.store.tx import Write
from mailserver.store.values import Placed


class Full(OverQuota):
    """The message does not fit into *account*; it was filed nowhere."""

    def __init__(self, account: AccountId) -> None:
        super().__init__("The mailbox is full.")
        self.account = account


@dataclass(frozen=True, slots=True)
class Filed:
    """A copy of the message in an INBOX."""

    target: Target
    placed: Placed


@dataclass(frozen=True, slots=True)
class Delivered:
    """All copies of a message: in mailboxes, and in the queue."""

    filed: list[Filed]
    queued: list[QueuedId]
    claimed: list[Claimed]  # what the queue's runner carries at once


def threshold(targets: list[Target]) -> int:
    """Octets above which the message is a file: the smallest of the domains that get it."""
    return min((target.blob_threshold for target in targets), default=BLOB_THRESHOLD)


def delivery(
    prepared: Prepared,
    derived: Derived | None,
    targets: list[Target],
    received_at: int,
    leaving: Sequence[Leaving] = (),
    also: Sequence[Callable[[Write], None]] = (),
    at_once: AtOnce | None = None,
) -> Callable[[Write], Delivered]:
    """The job that files the message for all *targets* and queues all that is *leaving*, or nothing of it.

    derived: of the message; None when there are no *targets*.
    also:    done in the same job, such as filing notices.
    at_once: what of the queue is claimed as it comes.
    Raises Full, NotFound or NoTarget for a mailbox, TryLater or LimitReached for the queue.
    """

    if targets and derived is None:
        raise ValueError("a message for mailboxes of which only the header was read")

    def file(tx: Write) -> Delivered:
        blob = tx.blobs.put(prepared)
        filed = []
        if derived is not None:
            filed = [_filed(tx, target, blob, derived, received_at) for target in targets]
        entered = put(tx, leaving, blob, at_once)
        for act in also:
            act(tx)
        queued = [one.id for one in entered]
        return Delivered(filed, queued, [claimed for one in entered for claimed in one.claimed])

    return file


def _filed(tx: Write, target: Target, blob: BlobId, derived: Derived, received_at: int) -> Filed:
    try:
        placed = tx.messages.add(
            target.account, target.mailbox, blob, derived, internal_at=received_at
        )
    except OverQuota as error:
        raise Full(target.account) from error
    return Filed(target, placed)
