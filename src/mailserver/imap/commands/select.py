r"""SELECT and EXAMINE: open a mailbox.

Spec: RFC 3501 §6.3.1, §6.3.2, §2.3.2 (\Recent), §7.1.  Status: complete.
"""

from bisect import bisect_left
from collections.abc import Generator
from typing import Any, NamedTuple

from mailserver.base.ids import Uid
from mailserver.imap import access, response
from mailserver.imap.conversation import Conversation, Effect, Read, Send
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Response, Tagged
from mailserver.imap.session import Session
from mailserver.imap.snapshots import Snapshot
from mailserver.imap.telling import flag_names
from mailserver.imap.view import View
from mailserver.store.tx import Read as ReadTx
from mailserver.store.values import Mailbox


class _Found(NamedTuple):
    """One moment of a mailbox."""

    mailbox: Mailbox
    snapshot: Snapshot
    first_unseen: Uid | None
    keywords: list[str]
    rights: str


def parse(p: Parser) -> str:
    """SP mailbox (RFC 3501 §9)."""
    return p.sp().mailbox()


@conversation("SELECT", state=State.AUTHENTICATED, parse=parse)
def select(session: Session, args: str) -> Conversation:
    """Open for reading and writing.  Raises NotFound; no mailbox is selected then (RFC 3501 §6.3.1)."""
    return (yield from _open(session, args, read_only=False))


@conversation("EXAMINE", state=State.AUTHENTICATED, parse=parse)
def examine(session: Session, args: str) -> Conversation:
    r"""Open for reading only: nothing changes, also not who sees \Recent.  Raises NotFound."""
    return (yield from _open(session, args, read_only=True))


def _open(session: Session, name: str, *, read_only: bool) -> Generator[Effect, Any, Tagged]:
    session.unselect()
    server = session.server

    def job(tx: ReadTx) -> _Found:
        mailbox = access.find(session, tx, name, "r")
        return _Found(
            mailbox,
            server.snapshots.read(tx, mailbox),
            tx.messages.first_unseen(mailbox.id) if mailbox.unseen else None,
            tx.messages.keywords(mailbox.id),
            access.rights(session, tx, mailbox),
        )

    found: _Found = yield Read(job)
    mailbox, snapshot = found.mailbox, found.snapshot
    server.snapshots.put(mailbox.id, snapshot)
    place = mailbox.id, mailbox.uidvalidity
    first, last = mailbox.recent_from, Uid(mailbox.uidnext - 1)
    is_guest = mailbox.account != session.account.id
    if read_only or is_guest:
        first = server.snapshots.recent_from(*place, first)
    else:
        first = server.snapshots.claim(*place, first, mailbox.uidnext)
    view = View(
        mailbox.id,
        mailbox.uidvalidity,
        mailbox.uidnext,
        mailbox.modseq,
        snapshot.uids,
        {k.lower(): k for k in found.keywords},
        (first, last) if first <= last else None,
        read_only=read_only,
        rights=found.rights,
        is_guest=is_guest,
    )
    session.select(view)
    yield Send(_describe(found, view))
    may_write = not read_only and not access.CHANGING.isdisjoint(found.rights)
    return Tagged("READ-WRITE" if may_write else "READ-ONLY")


def _describe(found: _Found, view: View) -> list[Response]:
    out = flag_names(found.keywords, view.settable)
    out += [response.exists(len(view)), response.recent(view.recent)]
    if found.first_unseen is not None:
        number = bisect_left(view.uids, found.first_unseen) + 1
        out.append(response.ok(f"UNSEEN {number}", "First unseen."))
    return [
        *out,
        response.ok(f"UIDVALIDITY {view.uidvalidity}", "UIDs valid."),
        response.ok(f"UIDNEXT {view.uidnext}", "Predicted next UID."),
    ]
