"""APPEND: a message from the client into a mailbox.

Spec: RFC 3501 §6.3.11; RFC 4315 §3 (APPENDUID); RFC 7888 §3, §4 (LITERAL+); RFC 7889 §3 (APPENDLIMIT).
Status: complete.
"""

import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass

from mailserver.base.errors import Cannot, OverQuota, PeerError, TooLarge
from mailserver.imap import access, flags, response
from mailserver.imap.conversation import (
    Conversation,
    Literal,
    Prepare,
    Read,
    RestOfLine,
    Thread,
    Write,
)
from mailserver.imap.flags import Flags
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, announce, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session
from mailserver.mime.derived import Derived
from mailserver.mime.scan import derive
from mailserver.store.blobs import Prepared
from mailserver.store.spool import Body
from mailserver.store.tx import Read as ReadTx
from mailserver.store.tx import Write as WriteTx

#: octets from which on a message is looked through in a thread
THREAD_SIZE = 65_536

_HEAD = re.compile(rb"[^ ]+ APPEND (?!\{[0-9]+\+?\}\Z)", re.IGNORECASE)

announce("LITERAL+", State.ANY)


@dataclass(frozen=True, slots=True)
class AppendArgs:
    """internal_at: UTC epoch seconds, None for now."""

    mailbox: str
    flags: Flags
    internal_at: int | None
    size: int
    is_synchronising: bool


def carries_message(line: bytes) -> bool:
    """Whether the literal announced at the end of *line* is the message of an APPEND, and not its mailbox name."""
    return _HEAD.match(line) is not None


def parse(p: Parser) -> AppendArgs:
    """SP mailbox [SP flag-list] [SP date-time] SP literal, whose octets are still to come (RFC 3501 §9)."""
    mailbox = p.sp().mailbox()
    found, at = Flags(0, ()), None
    if p.sp().peek(b"("):
        found = flags.read(p.flag_list(), p.limits)
        p.sp()
    if p.peek(b'"'):
        at = p.date_time()
        p.sp()
    size, is_synchronising = p.announcement()
    return AppendArgs(mailbox, found, at, size, is_synchronising)


@conversation("APPEND", state=State.AUTHENTICATED, parse=parse)
def append(session: Session, args: AppendArgs) -> Conversation:
    """Everything that can be refused is refused before the message is sent.

    Raises NoTarget, OverQuota, TooLarge, LimitReached; Cannot for an empty message or one with NUL, which no literal
    may have in it (RFC 3501 §9, CHAR8).
    """
    if args.size > session.limits.append_size:
        raise TooLarge(f"At most {session.limits.append_size} octets")
    if args.size == 0:
        raise Cannot("A message has at least one octet")

    def check(tx: ReadTx) -> int:
        target = access.target(session, tx, args.mailbox)
        owner = tx.accounts.get(target.account)
        if owner.quota is not None and owner.used + args.size > owner.quota:
            raise OverQuota("The mailbox is full.")
        return tx.domains.get(owner.domain_id).blob_threshold

    threshold: int = yield Read(check)
    body: Body = yield Literal(args.size, args.is_synchronising)
    prepared: Prepared | None = None
    try:
        if (yield RestOfLine()):
            raise PeerError("unexpected arguments after the message")
        view = body.view()
        if args.size <= THREAD_SIZE:
            derived = _derive(view, session)
        else:
            derived = yield Thread(lambda: _derive(view, session))
        prepared = yield Prepare(body, threshold)
        end: Tagged = yield Write(_job(session, args, prepared, derived), is_pure=True)
        return end
    finally:
        body.discard()
        if prepared is not None:
            prepared.discard()


def _derive(view: bytes | mmap.mmap, session: Session) -> Derived:
    if view.find(b"\0") >= 0:
        raise Cannot("The message has NUL in it")
    return derive(view, session.server.mime_limits)


def _job(
    session: Session, args: AppendArgs, prepared: Prepared, derived: Derived
) -> Callable[[WriteTx], Tagged]:
    def job(tx: WriteTx) -> Tagged:
        target = access.target(session, tx, args.mailbox)
        placed = tx.messages.add(
            target.account,
            target.id,
            tx.blobs.put(prepared),
            derived,
            flags=args.flags.bits,
            keywords=args.flags.keywords,
            internal_at=tx.now if args.internal_at is None else args.internal_at,
        )
        return Tagged(response.appenduid(target.uidvalidity, placed.uid))

    return job
