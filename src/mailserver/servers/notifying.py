"""What scripts send beside the message itself: notifications, and copies of what they send.

Spec: RFC 5435 §3; RFC 5436 §2.7; RFC 8580 §3.  Status: complete.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from mailserver.base.errors import PeerError
from mailserver.base.ids import AccountId
from mailserver.base.log import Log
from mailserver.directory.senders import may_send_as
from mailserver.mime.scan import derive
from mailserver.mta import notification
from mailserver.mta.deliver import file_extra
from mailserver.mta.filtering import Plan, copy_of
from mailserver.mta.notify import letter
from mailserver.mta.route import Target
from mailserver.servers.filters import Mail, message_of
from mailserver.sieve.actions import FileInto, Notify
from mailserver.sieve.addresses import one_address
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account

if TYPE_CHECKING:
    from mailserver.servers.filtered import Post

Job = Callable[[Write], None]


def wanted_authors(account: AccountId, plan: Plan) -> set[tuple[AccountId, str]]:
    """As whom the scripts of *account* want to write (`:from`)."""
    senders = [notify.sender for notify in plan.notifications]
    if plan.answer is not None:
        senders.append(plan.answer.sender)
    return {(account, sender) for sender in senders if sender}


def authors(
    tx: Read, wanted: Iterable[tuple[AccountId, str]], hostname: str
) -> set[tuple[AccountId, str]]:
    """Those of them that may: their own addresses, aliases, and what was granted (RFC 5435 §3.3)."""
    out = set()
    for account, text in wanted:
        with suppress(PeerError):
            address = parse_mailbox(one_address(text) or "")
            if may_send_as(tx, account, address, hostname):
                out.add((account, text))
    return out


def notifying(
    notify: Notify, mail: Mail, target: Target, owner: Account, post: "Post"
) -> tuple[Job | None, str]:
    """What is to be done in the delivery's commit; or None, and why nobody is notified."""
    message = message_of(mail)
    why = notification.why_not(message)
    readers = []
    for text in notify.told:
        with suppress(PeerError):
            readers.append(parse_mailbox(text))
    if why or not readers:
        return None, why or "no address can be written to"
    own = Address(owner.localpart, owner.domain)
    id = post.token()
    data = notification.compose_notification(notify, message, own, owner.name, id=id, now=post.now)
    # of a message that nobody sent, nobody is told in a way that somebody is told of (RFC 5436 §2.7)
    sender = "" if mail.sender is None else str(own)
    letters = [
        letter(
            post.token(),
            mail.trace,
            reader,
            data,
            post.terms,
            sender=sender,
            written_by=owner.id,
        )
        for reader in readers
    ]
    carbon = carbon_of(notify.carbon, target, data, post)
    account, most = target.account, post.terms.limits.sieve.notify_hourly
    log = Log("sieve", trace=mail.trace, account=account)

    def send(tx: Write) -> None:
        if tx.sieve_memory.count(account, notification.MEMORY) >= most:
            log.warning("not notified: too often", most=most, to=", ".join(notify.told))
            return
        until = tx.now + notification.HOUR_S
        tx.sieve_memory.note(account, f"{notification.MEMORY}{id}", until)
        for one in letters:
            one.file(tx)
        carbon(tx)

    return send, ""


def carbon_of(where: FileInto | None, target: Target, data: bytes, post: "Post") -> Job:
    """Files a copy of *data*, which a script sends, in the user's mailbox; a full one gets none (RFC 8580 §3)."""
    if where is None:
        return lambda tx: None
    copy, derived = copy_of(where), derive(data, post.terms.limits.mime)

    def file(tx: Write) -> None:
        why = file_extra(tx, target, copy, data, derived)
        if why:
            log = Log("sieve", account=target.account)
            log.warning("no copy of what was sent", mailbox=copy.mailbox or "INBOX", why=why)

    return file
