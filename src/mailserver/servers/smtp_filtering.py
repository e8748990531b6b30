"""Sieve between the end of the data and the commit: what a transaction's scripts make of it.

Spec: RFC 5228 §2.10; RFC 5429 §2.1, §2.2; RFC 2033 §4.2.  Status: complete.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mailserver.base.ids import AccountId
from mailserver.mime.derived import Derived
from mailserver.mta import route
from mailserver.mta.deliver import Edited
from mailserver.mta.leave import Departure, Leaving, leaving
from mailserver.mta.notice import Kind
from mailserver.mta.notice import Recipient as Told
from mailserver.mta.notify import Terms, prepare, returned
from mailserver.mta.receive import Transaction
from mailserver.mta.route import Route
from mailserver.servers.filtered import Part, Post, Together, filtered, variants
from mailserver.servers.filters import Mail
from mailserver.sieve.header import Header
from mailserver.smtp.address import Address
from mailserver.smtp.events import Recipient
from mailserver.smtp.reply import Reply
from mailserver.store.spool import Body
from mailserver.store.tx import Write

if TYPE_CHECKING:
    from mailserver.servers.smtp import Shared

Parts = dict[AccountId, Part]


async def parts_of(
    shared: "Shared", transaction: Transaction, body: Body, derived: Derived
) -> Parts:
    """What the scripts of those who get it say; {} where none says anything.  Raises MailError."""
    mail = mail_of(transaction, body, derived)
    targets = shared.filters.asked(mail, transaction.targets())
    if not targets:
        return {}
    context = shared.context
    recipients: dict[AccountId, Address] = {}
    for recipient, found in zip(transaction.recipients, transaction.routes, strict=True):
        for target in found.targets:
            recipients.setdefault(target.account, recipient.address)
    post = Post(
        Terms(context.hostname, context.limits, context.smarthost),
        shared.token,
        transaction.received_at,
    )
    header = transaction.header(body, derived, context.limits)
    return await filtered(
        context.work,
        shared.filters,
        mail,
        targets,
        recipients,
        header,
        post,
        transaction.suspects(),
    )


def mail_of(transaction: Transaction, body: Body, derived: Derived) -> Mail:
    """The message for scripts."""
    raw, client = body.view(), transaction.client.peer
    header = Header.of(raw[: derived.header_size])
    return Mail(transaction.id, transaction.sender, raw, body.size, derived, header, client)


def refusal(shared: "Shared", transaction: Transaction, parts: Parts) -> Reply | None:
    """What the client hears if nobody takes the message; over LMTP each recipient has a reply of its own.

    Where others take it, the sender gets a notice (`notices`).
    """
    if not any(part.rejection for part in parts.values()):
        return None

    def refused(recipient: Recipient, found: Route) -> Reply | None:
        if found.remotes or not found.targets:
            return None
        said = [parts[t.account].rejection if t.account in parts else None for t in found.targets]
        if not all(said) or said[0] is None:
            return None
        return rejected(recipient.address, said[0].reason)

    replies = [
        refused(recipient, found)
        for recipient, found in zip(transaction.recipients, transaction.routes, strict=True)
    ]
    if all(replies):
        return replies[0]
    if shared.service.is_lmtp:
        transaction.leave_out(refused)
    return None


def rejected(address: Address, reason: str) -> Reply:
    """A reason in a reply: ASCII, not endless (RFC 5429 §2.1.2)."""
    text = " ".join(reason.encode("ascii", "replace").decode().split())[:400]
    return Reply(550, "5.7.1", f"{route.shown(address)}: {text or 'refused'}")


async def notices(
    shared: "Shared", transaction: Transaction, body: Body, derived: Derived, parts: Parts
) -> Sequence[Callable[[Write], None]]:
    """Notices of those who refuse a message that others take (RFC 5429 §2.1.1)."""
    told = []
    for n, (recipient, found) in enumerate(
        zip(transaction.recipients, transaction.routes, strict=True)
    ):
        for target in found.targets:
            part = parts.get(target.account)
            if part is not None and part.rejection is not None and n not in transaction.left_out:
                reply = rejected(recipient.address, part.rejection.reason)
                said = recipient.address, recipient.original, recipient.notify
                told.append(Told(str(said[0]), *said[1:], reply.status, reply.code, reply.text))
                break
    if not told:
        return ()
    context = shared.context
    size = body.size - transaction.skip

    def read(offset: int, length: int) -> bytes:
        at = transaction.skip + offset
        return bytes(body.view()[at : at + length])

    def make() -> list[Callable[[Write], None]]:
        original = transaction.original(derived)
        notice = prepare(
            Kind.FAILED,
            original,
            told,
            returned(Kind.FAILED, original, size, read, context.limits),
            Terms(context.hostname, context.limits, context.smarthost),
            id=shared.token(),
            now=transaction.received_at,
        )
        return [] if notice is None else [notice.file]

    return await context.work.thread(make)


async def edited(
    shared: "Shared", transaction: Transaction, body: Body, derived: Derived, found: Together
) -> list[Edited]:
    """The message once more for each other header that scripts want.  Raises MailError."""
    if not found.edited:
        return []
    context = shared.context
    table, key = await shared.hops()

    def leave(made: Body, whole: Derived, departures: Sequence[Departure]) -> list[Leaving]:
        envelope = replace(transaction.envelope_of(made, 0), is_edited=True)
        return leaving(envelope, departures, whole, table, key, context.limits.queue)

    mail = mail_of(transaction, body, derived)
    local = transaction.local_fields(body)
    return await variants(
        context.work, context.spool, context.limits, mail, found, local=local, leave=leave
    )
