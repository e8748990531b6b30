r"""SELECT and EXAMINE: open a mailbox.

Spec: RFC 3501 §6.3.1, §6.3.2, §2.3.2 (\Recent), §7.1; RFC 9051 §6.3.2, §6.3.3;
RFC 7162 §3.1.2, §3.1.8, §3.2.5, §3.2.11; RFC 8474 §4.2; RFC 9586 §3.  Status: complete.
"""

from bisect import bisect_left
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

from mailserver.base.errors import PeerError
from mailserver.base.ids import Uid
from mailserver.imap import access, names, response
from mailserver.imap.conversation import Conversation, Effect, Read, Send
from mailserver.imap.listing import Listing
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, announce, conversation
from mailserver.imap.response import Response, Tagged
from mailserver.imap.resync import Missed, Resync, missed, parse_resync, tell_flags
from mailserver.imap.session import Session
from mailserver.imap.snapshots import Snapshot
from mailserver.imap.telling import flag_names, highest_modseq
from mailserver.imap.view import View
from mailserver.store.names import object_id
from mailserver.store.tx import Read as ReadTx
from mailserver.store.values import Mailbox

for _name in ("CONDSTORE", "QRESYNC", "OBJECTID"):
    announce(_name, State.ANY)


class _Found(NamedTuple):
    """One moment of a mailbox."""

    mailbox: Mailbox
    snapshot: Snapshot
    first_unseen: Uid | None
    keywords: list[str]
    rights: str
    is_nobodys: bool  # a shared mailbox: there is no owner who would miss \\Recent
    listed: Response | None
    missed: Missed | None


@dataclass(frozen=True, slots=True)
class SelectArgs:
    """written: the name as it came.      condstore, resync: parameters of RFC 7162."""

    mailbox: str
    written: bytes
    condstore: bool
    resync: Resync | None


def parse(p: Parser) -> SelectArgs:
    """SP mailbox [SP "(" select-param... ")"] (RFC 4466 §2.1; RFC 7162 §7)."""
    mailbox = p.sp().mailbox()
    written = p.written
    found: dict[str, Resync | None] = {}
    if p.accept(b" "):
        for name, value in p.group(_parameter):
            if name in found:
                raise p.error(f"{name} twice")
            found[name] = value
    return SelectArgs(mailbox, written, "CONDSTORE" in found, found.get("QRESYNC"))


def _parameter(p: Parser) -> tuple[str, Resync | None]:
    name = p.word()
    if name == "QRESYNC":
        return name, parse_resync(p)
    if name == "CONDSTORE":
        return name, None
    raise p.error(f"unknown parameter {name}")


@conversation("SELECT", state=State.AUTHENTICATED, parse=parse)
def select(session: Session, args: SelectArgs) -> Conversation:
    """Open for reading and writing.  Raises NotFound; no mailbox is selected then (RFC 3501 §6.3.1)."""
    return (yield from _open(session, args, read_only=False))


@conversation("EXAMINE", state=State.AUTHENTICATED, parse=parse)
def examine(session: Session, args: SelectArgs) -> Conversation:
    r"""Open for reading only: nothing changes, also not who sees \Recent.  Raises NotFound."""
    return (yield from _open(session, args, read_only=True))


def _open(session: Session, args: SelectArgs, *, read_only: bool) -> Generator[Effect, Any, Tagged]:
    if args.resync is not None and not session.has_qresync:
        raise PeerError("QRESYNC has to be enabled first")  # RFC 7162 §3.2.5
    if session.selected is not None:
        session.unselect()
        yield Send([response.ok("CLOSED", "The mailbox that was open is closed.")])
    if args.condstore:
        session.enable("CONDSTORE")
    server, resync = session.server, args.resync

    def job(tx: ReadTx) -> _Found:
        mailbox = access.find(session, tx, args.mailbox, "r")
        snapshot = server.snapshots.read(tx, mailbox)
        is_same = resync is not None and resync.uidvalidity == mailbox.uidvalidity
        return _Found(
            mailbox,
            snapshot,
            tx.messages.first_unseen(mailbox.id) if mailbox.unseen else None,
            tx.messages.keywords(mailbox.id),
            access.rights(session, tx, mailbox),
            mailbox.account != session.account.id and tx.accounts.get(mailbox.account).is_shared,
            _listed(session, tx, mailbox, args.written) if session.is_rev2 else None,
            missed(tx, mailbox, snapshot.uids, resync) if resync is not None and is_same else None,
        )

    found: _Found = yield Read(job)
    view = _view(session, found, read_only=read_only)
    session.select(view)
    yield Send(_describe(session, found, view))
    if found.missed is not None:  # VANISHED before any FETCH (RFC 7162 §3.2.6)
        yield Send(found.missed.vanished)
        yield from tell_flags(session, found.missed.changed)
    may_write = not read_only and not access.CHANGING.isdisjoint(found.rights)
    return Tagged("READ-WRITE" if may_write else "READ-ONLY")


def _view(session: Session, found: _Found, *, read_only: bool) -> View:
    """What the client is told of, as of *found*; who opens for writing takes the \\Recent messages."""
    mailbox, snapshots = found.mailbox, session.server.snapshots
    snapshots.put(mailbox.id, found.snapshot)
    place = mailbox.id, mailbox.uidvalidity
    is_guest = mailbox.account != session.account.id
    given, last = mailbox.recent_from, Uid(mailbox.uidnext - 1)
    takes_recent = not read_only and (not is_guest or found.is_nobodys)
    first = (
        snapshots.claim(*place, given, mailbox.uidnext)
        if takes_recent
        else snapshots.recent_from(*place, given)
    )
    return View(
        mailbox.id,
        mailbox.uidvalidity,
        mailbox.uidnext,
        mailbox.modseq,
        found.snapshot.uids,
        {k.lower(): k for k in found.keywords},
        (first, last) if first <= last else None,
        read_only=read_only,
        rights=found.rights,
        is_guest=is_guest,
        takes_recent=takes_recent,
    )


def _describe(session: Session, found: _Found, view: View) -> list[Response]:
    """In the order of the examples of RFC 3501 §6.3.1, what is newer behind it."""
    out = flag_names(found.keywords, view.settable)
    out.append(response.exists(len(view)))
    if not session.is_rev2:  # RFC 9051 Appendix E, 16
        out.append(response.recent(view.recent))
        if found.first_unseen is not None and not session.is_uid_only:  # a number (RFC 9586 §3)
            number = bisect_left(view.uids, found.first_unseen) + 1
            out.append(response.ok(f"UNSEEN {number}", "First unseen."))
    out += [
        response.ok(f"UIDVALIDITY {view.uidvalidity}", "UIDs valid."),
        response.ok(f"UIDNEXT {view.uidnext}", "Predicted next UID."),
        response.ok(f"MAILBOXID ({object_id(view.mailbox)})", "For good."),  # RFC 8474 §4.2
    ]
    if session.has_condstore:
        out.append(highest_modseq(view.modseq))
    if found.listed is not None:
        out.append(found.listed)
    return out


def _listed(session: Session, tx: ReadTx, mailbox: Mailbox, written: bytes) -> Response:
    """LIST of the mailbox, with the name it was called by if that was another (RFC 9051 §6.3.2, §6.3.9.7)."""
    name = access.client_name(session, tx, mailbox)
    listing = Listing(access.visible(session, tx), (), session.account.id)
    return response.mailbox_list(
        listing.attributes(name),
        names.encode(name, is_utf8=True),
        extended=names.old_name(written, name),
    )
