"""COPY and MOVE: put messages into another mailbox, and with MOVE take them out of this one.

Spec: RFC 3501 §6.4.7; RFC 6851 §3; RFC 4315 §3 (COPYUID); RFC 2180 §4.4.  Status: complete.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

from mailserver.base.errors import LimitReached, ReadOnly
from mailserver.base.ids import Uid
from mailserver.base.numset import NumSet
from mailserver.imap import access, events, response
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.parser import Parser
from mailserver.imap.progress import Progress
from mailserver.imap.registry import State, command, conversation
from mailserver.imap.response import Response, Tagged
from mailserver.imap.session import Session
from mailserver.imap.transact import aside, transact
from mailserver.store.events import COPY
from mailserver.store.tx import Write

#: messages that MOVE takes in one transaction; each is moved or is not (RFC 6851 §3.3)
SLICE = 2_000


@dataclass(frozen=True, slots=True)
class CopyArgs:
    """What to put where."""

    messages: NumSet
    mailbox: str


def parse(p: Parser) -> CopyArgs:
    """SP sequence-set SP mailbox (RFC 3501 §9; RFC 6851 §5)."""
    return CopyArgs(p.sp().numset(), p.sp().mailbox())


@command("COPY", state=State.SELECTED, parse=parse, uid_variant=True, writes=True)
def copy(session: Session, args: CopyArgs, tx: Write) -> Generator[Response, None, Tagged | None]:
    """All in one transaction, so all or none (RFC 3501 §6.4.7).  Raises NoTarget, LimitReached.

    What another session expunged is passed over (RFC 2180 §4.4); COPYUID says which were copied.
    """
    target = access.target(session, tx, args.mailbox)
    uids = session.view.select(args.messages)
    if len(uids) > session.limits.copy_messages:
        raise LimitReached(f"At most {session.limits.copy_messages} messages in one COPY")
    pairs = tx.messages.copy(session.view.mailbox, uids, target.id)
    if not pairs:  # then there is no COPYUID (RFC 4315 §3)
        return Tagged(text="No matching messages, so nothing copied.")
    old, new = zip(*pairs, strict=True)
    events.arrived(session, tx, target, new, COPY, session.view.mailbox)
    if not access.tells_uids(session, tx, target):
        return None
    return Tagged(response.copyuid(target.uidvalidity, old, new))
    yield


@conversation("MOVE", state=State.SELECTED, parse=parse, uid_variant=True, capability="MOVE")
def move(session: Session, args: CopyArgs) -> Conversation:
    """COPYUID in an untagged OK before the expunges (RFC 6851 §4.3).  Raises NoTarget, ReadOnly.

    Clients that follow modseqs learn the one of the expunges (RFC 6851 §4.4).
    """
    if session.read_only:
        raise ReadOnly("The mailbox is open for reading only")
    view = session.view
    uids = yield from aside(view.work(args.messages), lambda: view.select(args.messages))
    moved = False
    progress = Progress(session, len(uids))
    for start in range(0, max(len(uids), 1), SLICE):
        part = uids[start : start + SLICE]
        end = yield from transact(
            session, partial(_move, session, part, args.mailbox), writes=True, expunges=True
        )
        moved = moved or end.is_told
        yield Send(progress.due(start + len(part)))
    code = f"HIGHESTMODSEQ {view.synced}" if moved and session.has_condstore else ""
    return Tagged(code, is_told=True)


def _move(
    session: Session, uids: Sequence[Uid], name: str, tx: Write
) -> Generator[Response, None, Tagged | None]:
    target = access.target(session, tx, name)
    pairs = tx.messages.move(session.view.mailbox, uids, target.id)
    old, new = zip(*pairs, strict=True) if pairs else ((), ())
    events.arrived(session, tx, target, new, COPY, session.view.mailbox)
    if pairs and access.tells_uids(session, tx, target):
        yield response.ok(response.copyuid(target.uidvalidity, old, new), "Moved.")
    return Tagged(is_told=bool(pairs))
