"""REPLACE: a message in the place of another, as of a draft that was edited, in one act.

Spec: RFC 8508 §3, §4.  Status: complete.
"""

from dataclasses import dataclass
from functools import partial

from mailserver.base.errors import Expunged, ReadOnly
from mailserver.base.ids import Uid, UidValidity
from mailserver.base.numset import STAR, NumSet
from mailserver.imap import access, appending, response
from mailserver.imap.appending import Arguments, Draft, Intake
from mailserver.imap.commands.expunge import tell_expunged
from mailserver.imap.conversation import Conversation, Read, Send, Write
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, conversation
from mailserver.imap.rooms import Room
from mailserver.imap.session import Session
from mailserver.store.flags import DELETED
from mailserver.store.tx import Read as ReadTx
from mailserver.store.tx import Write as WriteTx

#: what the user needs in the mailbox that the old message goes from (RFC 8508 §4.1)
NEEDS = "te"


@dataclass(frozen=True, slots=True)
class ReplaceArgs:
    """old: one message by its number, or by its UID after "UID"."""

    old: NumSet
    new: Arguments


def parse(p: Parser) -> ReplaceArgs:
    """SP seq-number SP mailbox append-message (RFC 8508 §6)."""
    number = STAR if p.sp().accept(b"*") else p.nz_number()
    return ReplaceArgs(NumSet(((number, number),), p.is_uid), appending.parse(p))


@conversation("REPLACE", state=State.SELECTED, parse=parse, uid_variant=True, capability="REPLACE")
def replace(session: Session, args: ReplaceArgs) -> Conversation:
    """APPENDUID in an untagged OK before the EXPUNGE (RFC 8508 §4.3).

    Nothing happens unless all of it does.  Raises ReadOnly, Expunged when the old message is gone, and what APPEND
    raises.
    """
    if session.read_only:
        raise ReadOnly("The mailbox is open for reading only")
    old = session.view.select(args.old)
    if not old:
        raise Expunged("There is no such message any more.")
    room: Room = yield Read(partial(_room, session, args.new.mailbox, old[0]))
    intake = Intake(session, args.new, room)
    try:
        yield from intake.last()
        job = partial(_replace, session, args.new.mailbox, intake.drafts[0], old[0])
        uidvalidity, uid = yield Write(job, is_pure=True)
    finally:
        intake.discard()
    if uidvalidity is not None:
        said = response.ok(response.appenduid(uidvalidity, [uid]), "The new message is there.")
        yield Send([said])
    return (yield from tell_expunged(session, 1))  # RFC 8508 §4.5


def _room(session: Session, mailbox: str, old: Uid, tx: ReadTx) -> Room:
    """What the old message takes counts as free (RFC 8508 §3.4)."""
    access.check(session, tx, session.view.mailbox, NEEDS)
    sizes = list(tx.messages.rows(session.view.mailbox, [old], "size"))
    if not sizes:
        raise Expunged("There is no such message any more.")
    return appending.room(session, mailbox, tx, freed=sizes[0][0])


def _replace(
    session: Session, mailbox: str, new: Draft, old: Uid, tx: WriteTx
) -> tuple[UidValidity | None, Uid]:
    """The old one goes first, so that quota is asked for what is left over."""
    source = session.view.mailbox
    access.check(session, tx, source, NEEDS)
    tx.messages.change_flags(source, [old], "add", DELETED)
    if not tx.messages.expunge(source, [old]):
        raise Expunged("There is no such message any more.")
    uidvalidity, (placed,) = appending.file(session, mailbox, [new], tx)
    return uidvalidity, placed.uid
