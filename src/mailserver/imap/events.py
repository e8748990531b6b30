r"""What commands do in mailboxes, noted for the scripts that are to run for it.

Spec: RFC 6785 §2.2, §4.3, §4.5; RFC 6851 §3.  Status: complete; MOVE is a COPY to the mailbox where messages arrive.

The scripts run later, in a job of their own (`jobs/mailbox_events.py`).
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from mailserver.base.ids import MailboxId, Uid
from mailserver.imap.session import Session
from mailserver.store import flags as bits
from mailserver.store.events import FLAG
from mailserver.store.tx import Write
from mailserver.store.values import FlagRow, Mailbox

#: the flags of messages before they change; None: nobody wants to know
Watched: TypeAlias = Mapping[Uid, FlagRow] | None


def arrived(
    session: Session,
    tx: Write,
    mailbox: Mailbox,
    uids: Sequence[Uid],
    cause: str,
    source: MailboxId | None = None,
) -> None:
    """Messages were put into *mailbox*."""
    actor = session.account.id
    tx.events.note(mailbox.account, mailbox.id, cause, uids, actor=actor, source=source)


def before(session: Session, tx: Write, uids: Sequence[Uid]) -> Watched:
    """To be asked before flags of *uids* in the selected mailbox are changed."""
    mailbox = tx.mailboxes.by_id(session.view.mailbox)
    if not uids or mailbox is None or not tx.events.are_wanted(mailbox.account, mailbox.id):
        return None
    return {row.uid: row for row in tx.messages.flags(mailbox.id, uids)}


def changed(session: Session, tx: Write, watched: Watched, rows: Sequence[FlagRow]) -> None:
    r"""Flags are now as *rows* say.  A guest's \Seen is his own affair: the owner's script hears nothing of it."""
    mailbox = tx.mailboxes.by_id(session.view.mailbox) if watched else None
    if not watched or mailbox is None:
        return
    found: dict[tuple[str, ...], list[Uid]] = {}
    for row in rows:
        was = watched.get(row.uid)
        if was is not None and (names := _difference(was, row, session)):
            found.setdefault(names, []).append(row.uid)
    for names, uids in found.items():
        actor = session.account.id
        tx.events.note(mailbox.account, mailbox.id, FLAG, uids, actor=actor, changed=names)


def _difference(was: FlagRow, now: FlagRow, session: Session) -> tuple[str, ...]:
    other = was.flags ^ now.flags
    if session.view.is_guest:
        other &= ~bits.SEEN
    names = [name for bit, name in bits.NAMES.items() if other & bit]
    return (*names, *sorted(set(was.keywords.split()) ^ set(now.keywords.split())))
