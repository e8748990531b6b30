r"""EXPUNGE: remove for good what is \Deleted; UID EXPUNGE: of that, only the UIDs given.

Spec: RFC 3501 §6.4.3; RFC 4315 §2.1 (UIDPLUS).  Status: complete.
"""

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

from mailserver.base.errors import ReadOnly
from mailserver.base.ids import MailboxId, Uid
from mailserver.base.numset import NumSet
from mailserver.imap import access
from mailserver.imap.conversation import Conversation, Effect, Read, Write
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, conversation
from mailserver.imap.session import Session
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
    session.is_stale = True
    yield from expunge_all(session, session.view.mailbox)
    return None


@conversation(
    "EXPUNGE", state=State.SELECTED, parse=parse_uids, uid_only=True, capability="UIDPLUS"
)
def uid_expunge(session: Session, args: NumSet) -> Conversation:
    r"""Only what is \Deleted and among the UIDs (RFC 4315 §2.1).  Raises ReadOnly."""
    _require_writable(session)
    session.is_stale = True
    yield from _in_slices(session.view.mailbox, session.view.select(args))
    return None


def _require_writable(session: Session) -> None:
    if session.read_only:
        raise ReadOnly("The mailbox is open for reading only")


def expunge_all(session: Session, mailbox: MailboxId) -> Generator[Effect, Any, None]:
    r"""Removes what is \Deleted now, in slices.  Raises NotAllowed."""

    def doomed(tx: ReadTx) -> list[Uid]:
        access.check(session, tx, mailbox, "e")
        found = tx.mailboxes.by_id(mailbox)
        if found is None or not found.deleted:
            return []
        rows = tx.messages.rows(mailbox, [(1, found.uidnext)], "uid", "flags")
        return [uid for uid, value in rows if value & flags.DELETED]

    yield from _in_slices(mailbox, (yield Read(doomed)))


def _in_slices(mailbox: MailboxId, uids: Sequence[Uid]) -> Generator[Effect, Any, None]:
    for start in range(0, len(uids), SLICE):
        yield Write(partial(_expunge, mailbox, uids[start : start + SLICE]), is_pure=True)


def _expunge(mailbox: MailboxId, uids: Sequence[Uid], tx: WriteTx) -> None:
    tx.messages.expunge(mailbox, uids)
