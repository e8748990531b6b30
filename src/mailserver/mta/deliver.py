"""Filing a message for all its recipients: one job, one blob, one commit.

Spec: RFC 5321 §4.2.5, §6.1.  Status: complete for mailboxes on this server.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mailserver.base.errors import OverQuota
from mailserver.base.ids import AccountId
from mailserver.mime.derived import Derived
from mailserver.mta.route import Target
from mailserver.store.blobs import Prepared
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


def threshold(targets: list[Target]) -> int:
    """Octets above which the message is a file: the smallest of the domains that get it."""
    return min(target.blob_threshold for target in targets)


def delivery(
    prepared: Prepared, derived: Derived, targets: list[Target], received_at: int
) -> Callable[[Write], list[Filed]]:
    """The job that files the message for all *targets* or, raising Full, NotFound or NoTarget, for none."""

    def file(tx: Write) -> list[Filed]:
        blob = tx.blobs.put(prepared)
        filed = []
        for target in targets:
            try:
                placed = tx.messages.add(
                    target.account, target.mailbox, blob, derived, internal_at=received_at
                )
            except OverQuota as error:
                raise Full(target.account) from error
            filed.append(Filed(target, placed))
        return filed

    return file
