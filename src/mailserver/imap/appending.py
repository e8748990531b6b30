"""The messages that a client sends with APPEND or REPLACE, one after the other, until they can be filed.

Spec: RFC 3501 §6.3.11; RFC 3502 §2 (MULTIAPPEND); RFC 3516 §4.4 (literal8); RFC 4466 §2.2; RFC 4469 §3, §5 (CATENATE);
RFC 6855 §4 and RFC 9755 (UTF8); RFC 7888 §4; RFC 7889 §4.  Status: complete.
Deviates: RFC 3516 §6: a message with NUL is told by BODY[] as it was sent, since no octet of a message changes; the
client that put it here knows BINARY.
Deviates: RFC 6855 §4: 8-bit octets in a header are taken from every client, as people's programs send them.

The command's line ends where a message begins, and goes on behind it.  So it is parsed as it comes, and all that can be
refused is refused before the message is sent.
"""

import mmap
import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from mailserver.base.errors import (
    Cannot,
    LimitReached,
    MailError,
    NotFound,
    OverQuota,
    PeerError,
    TooLarge,
    TryLater,
)
from mailserver.base.ids import MailboxId, Uid, UidValidity
from mailserver.imap import access, events, flags, urls
from mailserver.imap.conversation import (
    Assemble,
    BlobRange,
    Effect,
    Literal,
    Prepare,
    Read,
    RestOfLine,
    Thread,
)
from mailserver.imap.errors import Code
from mailserver.imap.fetching.item import cut
from mailserver.imap.fetching.pieces import Message
from mailserver.imap.flags import Flags
from mailserver.imap.parser import Parser
from mailserver.imap.rooms import Room
from mailserver.imap.session import Session
from mailserver.imap.statuses import append_limit
from mailserver.mime.derived import Derived
from mailserver.mime.layout import unpack
from mailserver.mime.scan import derive
from mailserver.store.blobs import Prepared
from mailserver.store.events import APPEND
from mailserver.store.flags import DELETED, SEEN
from mailserver.store.spool import Body
from mailserver.store.tx import Read as ReadTx
from mailserver.store.tx import Write as WriteTx
from mailserver.store.values import Placed

#: octets from which on a message is looked through in a thread
THREAD_SIZE: Final = 65_536
#: octets of one command's messages in memory; those that come after are in files
HELD: Final = 1_048_576

_HEAD: Final = re.compile(
    rb"[^ ]+ (?:APPEND|(?:UID )?REPLACE [^ ]+) (?!\{[0-9]+\+?\}\Z)", re.IGNORECASE
)

Talk = Generator[Effect, Any, None]


def carries_message(line: bytes) -> bool:
    """Whether the literal announced at the end of *line* belongs to a message, and is not a mailbox's name."""
    return _HEAD.match(line) is not None


class Arguments(NamedTuple):
    """A mailbox, and where in the command's line the messages begin.  written: its name as it came."""

    mailbox: str
    line: bytes
    at: int
    written: bytes = b""


def parse(p: Parser) -> Arguments:
    """SP mailbox, and what follows up to the end of the line, which is read by `Intake` (RFC 4466 §2.2)."""
    mailbox = p.sp().mailbox()
    found = Arguments(mailbox, p.line, p.at, p.written)
    p.sp()
    p.at = len(p.line)
    return found


def comes_unasked(line: bytes) -> bool:
    """Whether the message that *line* announces is on its way already, whatever is said to it (RFC 7888 §4)."""
    return line.endswith(b"+}")


def room(session: Session, mailbox: str, tx: ReadTx, *, freed: int = 0) -> Room:
    """Whether *mailbox* takes messages, and how much of them once a message of *freed* octets is gone.

    Raises NoTarget, NotAllowed.
    """
    target = access.target(session, tx, mailbox, "i")
    owner = tx.accounts.get(target.account)
    left = None if owner.quota is None else owner.quota - owner.used + freed
    messages = None
    if owner.max_messages is not None:
        messages = owner.max_messages - owner.messages + (1 if freed else 0)
    largest = append_limit(tx, owner, session.limits)
    return Room(tx.domains.get(owner.domain_id).blob_threshold, left, messages, largest)


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that has come in.  internal_at: UTC epoch seconds, None for now."""

    flags: Flags
    internal_at: int | None
    prepared: Prepared
    derived: Derived


class Intake:
    """What one command brings; `discard` whatever happens.

    is_fresh: *room* was looked up for this command.
    drafts: the complete messages, in order.
    """

    __slots__ = (
        "_bodies",
        "_held",
        "_is_fresh",
        "_mailbox",
        "_p",
        "_room",
        "_session",
        "_total",
        "drafts",
    )

    def __init__(
        self, session: Session, args: Arguments, room: Room, *, is_fresh: bool = True
    ) -> None:
        self._session = session
        self._p = Parser(args.line, session.limits, at=args.at)
        self._mailbox, self._is_fresh = args.mailbox, is_fresh
        self._room = room
        self._bodies: list[Body] = []
        self._held = self._total = 0
        self.drafts: list[Draft] = []

    def all(self) -> Talk:
        """Take messages to the end of the command.

        Raises PeerError, TooLarge, OverQuota, LimitReached, Cannot, Code (BADURL), TryLater.
        """
        yield from self.one()
        while not self._p.at_end():
            if len(self.drafts) == self._session.limits.append_messages:
                raise LimitReached(f"At most {self._session.limits.append_messages} messages")
            yield from self.one()

    def last(self) -> Talk:
        """Take one message, after which the command ends (RFC 8508 §6)."""
        yield from self.one()
        self._p.end()

    def one(self) -> Talk:
        """[SP flag-list] [SP date-time] SP append-data (RFC 4466 §2.2, append-message)."""
        p = self._p.sp()
        found, at = Flags(0, ()), None
        if p.peek(b"("):
            found = flags.read(p.flag_list(), p.limits)
            p.sp()
        if p.peek(b'"'):
            at = p.date_time()
            p.sp()
        before, may_have_nul = len(self._bodies), True
        if p.accept(b"CATENATE "):
            body: Body = yield from self._catenated()
        elif p.accept(b"UTF8 ("):
            body = yield from self._utf8()
        else:
            may_have_nul = p.peek(b"~")
            body = yield from self._literal()
        view = body.view()
        look = partial(_derive, view, self._session, may_have_nul=may_have_nul)
        derived: Derived = look() if body.size <= THREAD_SIZE else (yield Thread(look))
        prepared: Prepared = yield Prepare(body, self._room.threshold)
        self.drafts.append(Draft(found, at, prepared, derived))
        for used in self._bodies[before:]:
            if used is not body:
                used.discard()

    def discard(self) -> None:
        """Forget what was not filed."""
        for body in self._bodies:
            body.discard()
        for draft in self.drafts:
            draft.prepared.discard()

    # what a message may be

    def _literal(self, *, is_piece: bool = False) -> Generator[Effect, Any, Body]:
        """literal / literal8; afterwards the parser stands behind it.

        Raises TooLarge, OverQuota, LimitReached before it is sent; Cannot for an empty message, with which a client
        gives up what it has begun (RFC 3502 §2).
        """
        self._p.accept(b"~")
        size, is_synchronising = self._p.announcement()
        if not size and not is_piece:
            raise Cannot("A message has at least one octet")
        if not self._is_fresh and not self._fits(size):
            self._room = yield Read(partial(room, self._session, self._mailbox))
            self._is_fresh = True
        self._count(size)
        is_large = self._held + size > HELD
        body: Body = yield Literal(size, is_synchronising, to_file=is_large)
        self._bodies.append(body)
        if not is_large:
            self._held += size
        self._p = Parser((yield RestOfLine()), self._session.limits)
        return body

    def _utf8(self, *, is_piece: bool = False) -> Generator[Effect, Any, Body]:
        """literal8 ")": a message with UTF-8 in its header (RFC 6855 §4)."""
        if not self._p.peek(b"~"):
            raise self._p.error("expected literal8")
        body = yield from self._literal(is_piece=is_piece)
        self._p.expect(b")")
        return body

    def _catenated(self) -> Generator[Effect, Any, Body]:
        """ "(" cat-part *(SP cat-part) ")", put together (RFC 4469 §5)."""
        self._p.expect(b"(")
        limits = self._session.limits
        pieces: list[Body | bytes | BlobRange] = []
        size = 0
        while True:
            if len(pieces) == limits.catenate_parts:
                raise LimitReached(f"At most {limits.catenate_parts} parts in one message")
            piece = yield from self._piece()
            pieces.append(piece)
            size += _size(piece)
            if size > self._room.largest:
                raise TooLarge(f"At most {self._room.largest} octets")
            if not self._p.accept(b" "):
                break
        self._p.expect(b")")
        if not size:
            raise Cannot("A message has at least one octet")
        body: Body = yield Assemble(pieces)
        self._bodies.append(body)
        return body

    def _piece(self) -> Generator[Effect, Any, Body | bytes | BlobRange]:
        """cat-part (RFC 4469 §5; RFC 6855 §4).  Raises Code (BADURL)."""
        p = self._p
        if p.accept(b"TEXT "):
            return (yield from self._literal(is_piece=True))
        if p.accept(b"UTF8 ("):
            return (yield from self._utf8(is_piece=True))
        p.expect(b"URL ", "TEXT, URL or UTF8")
        if p.peek(b"{"):
            if self._announced() > p.limits.literal_size:
                raise TooLarge("URL too long")
            body = yield from self._literal(is_piece=True)
            url = bytes(body.view())
        else:
            url = p.astring()
        octets: bytes | BlobRange = yield Read(partial(_octets, self._session, url))
        self._count(_size(octets))
        return octets

    def _announced(self) -> int:
        """The size of the literal that comes next."""
        at = self._p.at
        size, _ = self._p.announcement()
        self._p.at = at
        return size

    def _fits(self, size: int) -> bool:
        """Whether *size* octets more have room."""
        room = self._room
        return (
            size <= room.largest
            and (room.left is None or self._total + size <= room.left)
            and (room.messages is None or len(self.drafts) < room.messages)
        )

    def _count(self, size: int) -> None:
        """Raises TooLarge, OverQuota, LimitReached when *size* octets more are too many."""
        limits, room = self._session.limits, self._room
        if size > room.largest:
            raise TooLarge(f"At most {room.largest} octets")
        if not self._fits(size):
            raise OverQuota("The mailbox is full.")
        self._total += size
        if self._total > max(limits.append_total, limits.append_size):
            raise LimitReached(f"At most {limits.append_total} octets in one command")


def file(
    session: Session, mailbox: str, drafts: Sequence[Draft], tx: WriteTx
) -> tuple[UidValidity | None, list[Placed]]:
    """UIDVALIDITY of *mailbox* and where the messages are now, in order; all of them or none (RFC 3502 §2).

    None for UIDVALIDITY where the user must not hear of UIDs (RFC 4315 §3).
    Flags that the user has no right to set are left out (RFC 4314 §4).  Raises NoTarget, NotAllowed, OverQuota.
    """
    target = access.target(session, tx, mailbox, "i")
    rights = access.rights(session, tx, target)
    placed = []
    for draft in drafts:
        bits, keywords = _permitted(draft.flags, rights)
        placed.append(
            tx.messages.add(
                target.account,
                target.id,
                tx.blobs.put(draft.prepared),
                draft.derived,
                flags=bits,
                keywords=keywords,
                internal_at=tx.now if draft.internal_at is None else draft.internal_at,
            )
        )
    events.arrived(session, tx, target, [message.uid for message in placed], APPEND)
    tells = access.tells_uids(session, tx, target)
    return target.uidvalidity if tells else None, placed


def _permitted(wanted: Flags, rights: str) -> Flags:
    kept = wanted.bits
    if "s" not in rights:
        kept &= ~SEEN
    if "t" not in rights:
        kept &= ~DELETED
    if "w" not in rights:
        return Flags(kept & (SEEN | DELETED), ())
    return Flags(kept, wanted.keywords)


def _derive(view: bytes | mmap.mmap, session: Session, *, may_have_nul: bool) -> Derived:
    """Raises Cannot for NUL, which no literal may have in it (RFC 3501 §9, CHAR8)."""
    if not may_have_nul and view.find(b"\0") >= 0:
        raise Cannot("The message has NUL in it")
    return derive(view, session.server.mime_limits)


def _size(piece: Body | bytes | BlobRange) -> int:
    if isinstance(piece, Body):
        return piece.size
    return len(piece) if isinstance(piece, bytes) else piece.length


def _octets(session: Session, url: bytes, tx: ReadTx) -> bytes | BlobRange:
    r"""What *url* stands for, as BODY.PEEK would give it (RFC 4469 §3).  Raises Code: BADURL (§4.1)."""
    try:
        return _named(session, urls.parse(url, session.limits), tx)
    except TryLater:
        raise
    except (MailError, PeerError) as error:
        text = str(error)
        raise Code(f"BADURL {urls.shown(url)}", text[:1].upper() + text[1:]) from None


def _named(session: Session, url: urls.MessageUrl, tx: ReadTx) -> bytes | BlobRange:
    mailbox: MailboxId
    if url.mailbox is not None:
        found = access.find(session, tx, url.mailbox, "r")
        mailbox, uidvalidity = found.id, found.uidvalidity
    else:
        view = session.view
        access.check(session, tx, view.mailbox, "r")
        mailbox, uidvalidity = view.mailbox, view.uidvalidity
    if url.uidvalidity not in (0, uidvalidity):
        raise NotFound("That UIDVALIDITY is no more.")
    columns = "blob", "size", "header_size", "layout"
    rows = list(tx.messages.rows(mailbox, [Uid(url.uid)], *columns))
    if not rows:
        raise NotFound("No such message.")
    ((blob, size, header_size, layout),) = rows
    read: Callable[[int, int | None], bytes] = partial(tx.blobs.read, blob)
    message = Message(blob, size, header_size, read, lambda: unpack(layout))
    octets = message.piece(cut(b"", url.section, url.partial))
    if not isinstance(octets, bytes | BlobRange):
        raise NotFound("No such part.")
    return octets
