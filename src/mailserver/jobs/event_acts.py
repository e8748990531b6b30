"""What scripts want for messages in a mailbox, done in the transaction that forgets the event.

Spec: RFC 6785 §3.1 - §3.8, §2.2.4.  Status: complete.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Literal, NamedTuple

from mailserver.base.errors import LimitReached, MailError, NotFound, OverQuota, PeerError
from mailserver.base.ids import MailboxId, Uid
from mailserver.base.log import Log
from mailserver.jobs.registry import Site
from mailserver.mime import compose
from mailserver.mime.scan import derive
from mailserver.mta import notification
from mailserver.mta.deliver import file_extra, mailbox_elsewhere, mailbox_of
from mailserver.mta.filtering import Copy, copy_of
from mailserver.mta.mailbox_events import EventPlan
from mailserver.mta.notify import Terms, letter
from mailserver.mta.route import Target
from mailserver.mta.trace import date_time
from mailserver.sieve.actions import FileInto, Notify, Redirect
from mailserver.sieve.addresses import one_address
from mailserver.sieve.edited import Edited
from mailserver.sieve.message import Message
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.store import flags as bits
from mailserver.store.events import FLAG, Event
from mailserver.store.tx import Write
from mailserver.store.values import Account, Mailbox


class Planned(NamedTuple):
    """A message in the mailbox, and what scripts want of it."""

    uid: Uid
    header_size: int
    message: Message
    plan: EventPlan


TOLD_S = 86_400  #: a broken script is told of once a day
#: fields at the head of a message that say how it came into a mailbox, and do not leave with it
_LOCAL = re.compile(
    rb"\A(?:(?:return-path|delivered-to):[^\n]*\n(?:[ \t][^\n]*\n)*)+", re.IGNORECASE
)
_BITS = {name.lower(): bit for bit, name in bits.NAMES.items()}


def act(
    tx: Write,
    site: Site,
    event: Event,
    owner: Account,
    mailbox: Mailbox,
    plans: Sequence[Planned],
) -> None:
    """Carries out *plans*.  What cannot be done is logged; then the message is kept as it is."""
    there = {row.uid for row in tx.messages.flags(mailbox.id, [one.uid for one in plans])}
    for one in plans:
        uid, plan = one.uid, one.plan
        if uid not in there:  # expunged meanwhile
            continue
        log = Log("sieve", account=owner.id, mailbox=mailbox.id, uid=uid, cause=event.cause)
        if plan.error:
            log.warning("a script for mailbox events broke off", reason=plan.error)
            _complain(tx, site, owner, mailbox, plan.error)
            continue
        for note in plan.notes:
            log.info("mailbox event", what=note)
        is_moved = _act(tx, site, owner, mailbox, one, log)
        _mark(tx, event, mailbox, uid, plan, is_deleted=plan.is_deleted and is_moved)
        for key, seconds in plan.seen:
            tx.sieve_memory.note(owner.id, key, tx.now + seconds, renews=True)


def _act(
    tx: Write,
    site: Site,
    owner: Account,
    mailbox: Mailbox,
    one: Planned,
    log: Log,
) -> bool:
    """Whether all that takes the message elsewhere was done, so that it need not stay."""
    is_done, plan = True, one.plan
    for wanted in plan.copies:
        why = _file(tx, site, owner, mailbox, one, wanted)
        if why:
            is_done = False
            log.warning("not copied", mailbox=wanted.mailbox, reason=why)
    for redirect in plan.redirects:
        if not _send_on(tx, site, owner, one, redirect):
            is_done = False
            log.warning("not sent on", to=redirect.address)
    for notify in plan.notifications:
        _notify(tx, site, owner, one.message, notify, log)
    return is_done


def _file(
    tx: Write,
    site: Site,
    owner: Account,
    mailbox: Mailbox,
    one: Planned,
    wanted: FileInto,
) -> str:
    """Why it was not copied; "" if it was.  Where it is already it stays (RFC 6785 §3.3)."""
    copy = copy_of(wanted)
    others = mailbox_elsewhere(tx, owner, copy)
    if others is not None:  # the message is theirs, and has no flags of this user's
        raw = _octets(one, copy.edited)
        return file_extra(
            tx,
            Target(others.account, others.id, None, 0, 0),
            Copy(),
            raw,
            derive(raw, site.limits.mime),
        )
    place = mailbox_of(tx, owner.id, copy)
    if place is None:
        return "there is no such mailbox"
    if place == mailbox.id:
        return "it is there already"
    if copy.edited is not None:
        raw = _octets(one, copy.edited)
        there = Target(owner.id, place, owner.quota, owner.used, 0, owner=owner)
        stored = Copy(flags=copy.flags, keywords=copy.keywords)
        return file_extra(tx, there, stored, raw, derive(raw, site.limits.mime))
    try:
        pairs = tx.messages.copy(mailbox.id, [one.uid], place)
        for _, new in pairs:
            _set(tx, place, new, copy.flags, copy.keywords)
    except (OverQuota, NotFound, LimitReached) as error:
        return str(error)
    return ""


def _set(tx: Write, mailbox: MailboxId, uid: Uid, flags: int, keywords: Sequence[str]) -> None:
    try:
        tx.messages.change_flags(mailbox, [uid], "replace", flags, keywords)
    except LimitReached:
        tx.messages.change_flags(mailbox, [uid], "replace", flags)


def _octets(one: Planned, edited: Edited | None) -> bytes:
    """What is filed elsewhere or sent on."""
    raw = one.message.raw
    if edited is None:
        return bytes(raw[: one.message.size])
    return b"".join(
        piece if isinstance(piece, bytes) else bytes(raw[piece.start : piece.end])
        for piece in edited.pieces(one.header_size, one.message.size)
    )


def _terms(site: Site) -> Terms:
    return Terms(site.hostname, site.limits, site.smarthost)


def _send_on(tx: Write, site: Site, owner: Account, one: Planned, redirect: Redirect) -> bool:
    """From the owner of the mailbox (RFC 6785 §3.4)."""
    try:
        reader = parse_mailbox(redirect.address)
    except PeerError:
        return False
    if tx.suppressions.find(str(reader), tx.now) is not None:
        return False
    raw = _LOCAL.sub(b"", _octets(one, redirect.edited), count=1)
    own = owner.address
    sent = letter(site.token(), "", reader, raw, _terms(site), sender=own, written_by=owner.id)
    try:
        replace(sent, forwarder=owner.id).file(tx)
    except LimitReached:
        return False
    return True


def _notify(
    tx: Write, site: Site, owner: Account, message: Message, notify: Notify, log: Log
) -> None:
    """As at delivery (RFC 6785 §3.6), from the owner."""
    why = notification.why_not(message)
    most = site.limits.sieve.notify_hourly
    if not why and tx.sieve_memory.count(owner.id, notification.MEMORY) >= most:
        why = f"more than {most} in an hour"
    if why:
        log.warning("not notified", reason=why)
        return
    id, own = site.token(), Address(owner.localpart, owner.domain)
    data = notification.compose_notification(notify, message, own, owner.name, id=id, now=tx.now)
    until = tx.now + notification.HOUR_S
    tx.sieve_memory.note(owner.id, f"{notification.MEMORY}{id}", until)
    for text in notify.told:
        with suppress(PeerError):
            reader = parse_mailbox(one_address(text) or "")
            letter(
                site.token(),
                "",
                reader,
                data,
                _terms(site),
                sender=owner.address,
                written_by=owner.id,
            ).file(tx)


def _mark(
    tx: Write, event: Event, mailbox: Mailbox, uid: Uid, plan: EventPlan, *, is_deleted: bool
) -> None:
    """The flags that changed; of arrivals a script for flags hears of it, but not of \\Deleted (RFC 6785 §2.2.4)."""
    changes: tuple[tuple[Literal["remove", "add"], tuple[str, ...]], ...]
    changes = (("remove", plan.removed), ("add", plan.added))
    for how, names in changes:
        value = sum(_BITS.get(name.lower(), 0) for name in names)
        words = [name for name in names if not name.startswith("\\")]
        if value or words:
            with suppress(LimitReached):
                tx.messages.change_flags(mailbox.id, [uid], how, value, words)
    changed = (*plan.added, *plan.removed)
    if changed and event.cause != FLAG and event.actor is not None:
        tx.events.note(event.account, mailbox.id, FLAG, [uid], actor=event.actor, changed=changed)
    if is_deleted:
        tx.messages.change_flags(mailbox.id, [uid], "add", bits.DELETED)


def _complain(tx: Write, site: Site, owner: Account, mailbox: Mailbox, error: str) -> None:
    """Tells the owner, once a day."""
    if not tx.sieve_memory.note(owner.id, f"error {error}"[:500], tx.now + TOLD_S):
        return
    id = site.token()
    text = (
        f'The filter for your mailbox "{mailbox.name}" has a mistake, so that it did nothing:\r\n\r\n'
        f"    {error}\r\n\r\n"
        "Please mend it, or take it from the mailbox.  You are told of it once a day at most.\r\n"
    )
    own = Address(owner.localpart, owner.domain)
    fields = (
        ("From", f"Mail filter <postmaster@{site.hostname}>"),
        ("To", str(own)),
        ("Subject", "The filter for one of your mailboxes has a mistake"),
        ("Date", date_time(tx.now)),
        ("Message-ID", f"<{id}@{site.hostname}>"),
        ("Auto-Submitted", "auto-generated"),
    )
    head = b"".join(compose.field(name, value) for name, value in fields)
    message = head + b"MIME-Version: 1.0\r\n" + compose.text_part(text)
    with suppress(MailError):
        letter(id, "", own, message, _terms(site)).file(tx)
