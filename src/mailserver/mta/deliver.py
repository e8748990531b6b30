"""Filing a message for all its recipients, here and elsewhere: one job, one commit.

Spec: RFC 5321 §4.2.5, §6.1; RFC 5228 §4.1; RFC 5232 §5; RFC 8579 §4; RFC 9042 §3.  Status: complete.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mailserver.base.errors import Cannot, LimitReached, NotFound, OverQuota
from mailserver.base.ids import AccountId, BlobId, MailboxId, QueuedId
from mailserver.directory.sharing import takes_mail, takes_mail_of
from mailserver.mime.derived import Derived
from mailserver.mta.filtering import Copy
from mailserver.mta.leave import Leaving, put
from mailserver.mta.route import Target
from mailserver.store.blobs import Prepared
from mailserver.store.domains import BLOB_THRESHOLD
from mailserver.store.names import USES, canonical, mailbox_with
from mailserver.store.queue_values import AtOnce, Claimed
from mailserver.store.spool import body_of
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account, Mailbox, Placed


class Full(OverQuota):
    """The message does not fit into *account*; it was filed nowhere."""

    def __init__(self, account: AccountId) -> None:
        super().__init__("The mailbox is full.")
        self.account = account


@dataclass(frozen=True, slots=True)
class Filed:
    """A copy of the message in a mailbox, which is that of *target*."""

    target: Target
    placed: Placed


@dataclass(frozen=True, slots=True)
class Delivered:
    """All copies of a message: in mailboxes, and in the queue."""

    filed: list[Filed]
    queued: list[QueuedId]
    claimed: list[Claimed]  # what the queue's runner carries at once


@dataclass(frozen=True, slots=True)
class Edited:
    """The message with another header, as a script wants it, and who gets it like that."""

    prepared: Prepared
    derived: Derived
    copies: Sequence[tuple[Target, Copy]]
    leaving: Sequence[Leaving] = ()


def threshold(targets: list[Target]) -> int:
    """Octets above which the message is a file: the smallest of the domains that get it."""
    return min((target.blob_threshold for target in targets), default=BLOB_THRESHOLD)


def delivery(
    prepared: Prepared,
    derived: Derived | None,
    targets: Sequence[Target],
    received_at: int,
    leaving: Sequence[Leaving] = (),
    also: Sequence[Callable[[Write], None]] = (),
    at_once: AtOnce | None = None,
    copies: Sequence[tuple[Target, Copy]] = (),
    edited: Sequence[Edited] = (),
) -> Callable[[Write], Delivered]:
    """The job that files the message for all *targets* and queues all that is *leaving*, or nothing of it.

    derived: of the message; None when it goes into no mailbox.
    targets: whose INBOX gets it; copies: where scripts want it; edited: the same with another header.
    also:    done in the same job, such as filing notices.
    at_once: what of the queue is claimed as it comes.
    Raises Full, NotFound or NoTarget for a mailbox, TryLater or LimitReached for the queue.
    """

    if (targets or copies) and derived is None:
        raise ValueError("a message for mailboxes of which only the header was read")

    def file(tx: Write) -> Delivered:
        filed: list[Filed] = []
        entered = []
        if targets or copies or leaving or not edited:
            blob = tx.blobs.put(prepared)
            if derived is not None:
                filed = [_filed(tx, target, blob, derived, received_at) for target in targets]
                filed += _copied(tx, copies, blob, derived, received_at)
            entered = put(tx, leaving, blob, at_once)
        for one in edited:
            blob = tx.blobs.put(one.prepared)
            filed += _copied(tx, one.copies, blob, one.derived, received_at)
            entered += put(tx, one.leaving, blob)
        for act in also:
            act(tx)
        queued = [one.id for one in entered]
        return Delivered(filed, queued, [claimed for one in entered for claimed in one.claimed])

    return file


def file_extra(tx: Write, target: Target, copy: Copy, data: bytes, derived: Derived) -> str:
    """Files *data*, which came with the delivery, where *copy* says; why it could not be, "" if it could."""
    blob = tx.blobs.put(Prepared(body_of(data), data, None, None))
    try:
        _copied(tx, [(target, copy)], blob, derived, tx.now)
    except (OverQuota, NotFound, LimitReached) as error:
        return str(error)
    return ""


def _filed(tx: Write, target: Target, blob: BlobId, derived: Derived, received_at: int) -> Filed:
    try:
        placed = tx.messages.add(
            target.account, target.mailbox, blob, derived, internal_at=received_at
        )
    except OverQuota as error:
        raise Full(target.account) from error
    return Filed(target, placed)


def _copied(
    tx: Write,
    copies: Sequence[tuple[Target, Copy]],
    blob: BlobId,
    derived: Derived,
    received_at: int,
) -> list[Filed]:
    """The copies that scripts want; two that end up in one mailbox are one (RFC 5228 §2.10.3).

    An account has the message once, in however many mailboxes.  What goes into a mailbox of somebody else is his, and
    has no flags of this user's; where that one is full, this user keeps it.
    """
    done: dict[AccountId, dict[MailboxId, Filed]] = {}

    def file(there: Target, copy: Copy) -> None:
        placed = done.setdefault(there.account, {})
        if there.mailbox in placed:
            return
        if not placed:
            filed = _filed(tx, there, blob, derived, received_at)
        else:
            filed = _again(tx, next(iter(placed.values())), there)
        placed[there.mailbox] = filed
        if (
            copy.flags or copy.keywords or len(placed) > 1
        ):  # a further one came with the first one's
            _mark(tx, filed, copy)

    for target, copy in copies:
        others = mailbox_elsewhere(tx, target.owner, copy) if target.owner is not None else None
        if others is None:
            file(target._replace(mailbox=_mailbox(tx, target, copy)), copy)
            continue
        try:
            file(target._replace(account=others.account, mailbox=others.id), Copy())
        except Full:
            file(target, Copy())
    return [filed for placed in done.values() for filed in placed.values()]


def _again(tx: Write, first: Filed, there: Target) -> Filed:
    """The same message in another mailbox of its account."""
    ((_, uid),) = tx.messages.copy(first.target.mailbox, [first.placed.uid], there.mailbox)
    return Filed(there, first.placed._replace(uid=uid))


def _mark(tx: Write, filed: Filed, copy: Copy) -> None:
    """The flags that the script wants; keywords only as far as the mailbox takes more (RFC 5232 §5)."""
    mailbox, uids = filed.target.mailbox, [filed.placed.uid]
    try:
        tx.messages.change_flags(mailbox, uids, "replace", copy.flags, copy.keywords)
    except LimitReached:
        tx.messages.change_flags(mailbox, uids, "replace", copy.flags)


def _mailbox(tx: Write, target: Target, copy: Copy) -> MailboxId:
    """Where the copy goes: INBOX if nothing of what the script asks for is there, or can be made."""
    if not copy.mailbox and not copy.special_use and not copy.mailbox_id:
        return target.mailbox
    return mailbox_of(tx, target.account, copy) or target.mailbox


def mailbox_elsewhere(tx: Read, own: Account, copy: Copy) -> Mailbox | None:
    """The mailbox of somebody else that a script of *own* asks for, and may file into; None where it means his own.

    Names come last, as with his own: an id, then a special use (RFC 9042 §3, RFC 8579 §4).
    """
    found = _with_id(tx, copy)
    if found is not None:
        if found.account == own.id:
            return None
        if takes_mail(tx, own, found):
            return found
    if copy.special_use and _special(tx, own.id, copy) is not None:
        return None
    return takes_mail_of(tx, own, copy.mailbox)


def _with_id(tx: Read, copy: Copy) -> Mailbox | None:
    found = mailbox_with(copy.mailbox_id)
    return None if found is None else tx.mailboxes.by_id(found)


def _special(tx: Read, account: AccountId, copy: Copy) -> Mailbox | None:
    return tx.mailboxes.special(account, _attribute(copy))


def _attribute(copy: Copy) -> str:
    return "\\" + copy.special_use.removeprefix("\\").capitalize()


def mailbox_of(tx: Write, account: AccountId, copy: Copy) -> MailboxId | None:
    """The mailbox of *account* that a script asks for; None if it is not there, and cannot be made."""
    boxes = tx.mailboxes
    found = _with_id(tx, copy)
    if (found is None or found.account != account) and copy.special_use:
        found = _special(tx, account, copy)
    if found is None or found.account != account:
        name = canonical(copy.mailbox) if copy.mailbox else "INBOX"
        found = boxes.find(account, name)
        if copy.creates and (found is None or not found.is_selectable):
            with suppress(Cannot, LimitReached, OverQuota):
                use = USES.get(_attribute(copy).lower())  # nobody has it (RFC 8579 §4.1)
                found = boxes.create(account, name, use)
    return found.id if found is not None and found.is_selectable else None
