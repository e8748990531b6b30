r"""EXPUNGE: remove for good what is \Deleted; UID EXPUNGE: of that, only the UIDs given.

Spec: RFC 3501 §6.4.3; RFC 4315 §2.1 (UIDPLUS); RFC 7162 §3.2.7, §3.2.9; RFC 9585 §4.  Status: complete.
"""

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

from mailserver.base.errors import ReadOnly
from mailserver.base.ids import MailboxId, Uid
from mailserver.base.numset import NumSet
from mailserver.imap import access
from mailserver.imap.conversation import Conversation, Effect, Read, Send, Write
from mailserver.imap.parser import Parser
from mailserver.imap.progress import Progress
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session
from mailserver.imap.transact import aside, catch_up
from mailserver.store import flags
from mailserver.store.tx import Read as ReadTx
from mailserver.store.tx import Write as WriteTx

#: messages in one transaction, so that nobody waits long behind a large expunge
SLICE = 1_000


def parse_uids(p: Parser) -> NumSet:
    """SP sequence-set (RFC 4315 §4)."""
    return p.sp().numset()


@conversation("EXPUNGE", state=State.SELECTED)
def expunge(session: Session, args: None) -> Conversation:
    """The EXPUNGE responses come with whatever else changed.  Raises ReadOnly."""
    _require_writable(session)
    return (
        yield from tell_expunged(session, (yield from expunge_all(session, session.view.mailbox)))
    )


@conversation(
    "EXPUNGE", state=State.SELECTED, parse=parse_uids, uid_only=True, capability="UIDPLUS"
)
def uid_expunge(session: Session, args: NumSet) -> Conversation:
    r"""Only what is \Deleted and among the UIDs (RFC 4315 §2.1).  Raises ReadOnly."""
    _require_writable(session)
    view = session.view
    uids = yield from aside(view.work(args), lambda: view.select(args))
    return (yield from tell_expunged(session, (yield from _in_slices(session, view.mailbox, uids))))


def tell_expunged(session: Session, count: int) -> Generator[Effect, Any, Tagged]:
    """What happened, and how the command ends that has removed *count* messages.

    Clients with QRESYNC learn the modseq of that (RFC 7162 §3.2.7, §3.2.9).
    """
    session.is_stale = True
    yield from catch_up(session, expunges=True)
    if count and session.has_qresync:
        return Tagged(f"HIGHESTMODSEQ {session.view.synced}", is_told=True)
    return Tagged(is_told=True)


def _require_writable(session: Session) -> None:
    if session.read_only:
        raise ReadOnly("The mailbox is open for reading only")


def expunge_all(session: Session, mailbox: MailboxId) -> Generator[Effect, Any, int]:
    r"""Removes what is \Deleted now, in slices; how many there were.  Raises NotAllowed."""

    def doomed(tx: ReadTx) -> list[Uid]:
        access.check(session, tx, mailbox, "e")
        found = tx.mailboxes.by_id(mailbox)
        if found is None or not found.deleted:
            return []
        rows = tx.messages.rows(mailbox, [(1, found.uidnext)], "uid", "flags")
        return [uid for uid, value in rows if value & flags.DELETED]

    return (yield from _in_slices(session, mailbox, (yield Read(doomed))))


def _in_slices(
    session: Session, mailbox: MailboxId, uids: Sequence[Uid]
) -> Generator[Effect, Any, int]:
    count, progress = 0, Progress(session, len(uids))
    for start in range(0, len(uids), SLICE):
        count += yield Write(partial(_expunge, mailbox, uids[start : start + SLICE]), is_pure=True)
        yield Send(progress.due(start + SLICE))
    return count


def _expunge(mailbox: MailboxId, uids: Sequence[Uid], tx: WriteTx) -> int:
    return len(tx.messages.expunge(mailbox, uids))
