"""CREATE: a new mailbox, perhaps with a special use.

Spec: RFC 3501 §6.3.3; RFC 9051 §6.3.4; RFC 6154 §3 (CREATE-SPECIAL-USE); RFC 4466 §2.2; RFC 8474 §4.1 (MAILBOXID).
Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.base.errors import Cannot
from mailserver.imap import access, names, response, special_use
from mailserver.imap.errors import Code
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response, Tagged
from mailserver.imap.session import Session
from mailserver.store.names import object_id
from mailserver.store.tx import Write


@dataclass(frozen=True, slots=True)
class CreateArgs:
    """written: the name as it came.     uses: attributes as written."""

    mailbox: str
    written: bytes
    uses: tuple[str, ...]


def parse(p: Parser) -> CreateArgs:
    """SP mailbox [SP "(" "USE" SP "(" use-attr... ")" ")"] (RFC 6154 §6).  Raises Cannot for a wrong name."""
    mailbox = p.sp().new_mailbox()
    written = p.written
    uses: list[str] = []
    if p.accept(b" "):
        p.open()
        if p.word() != "USE":
            raise p.error("unknown parameter of CREATE")
        uses = p.sp().flag_list()
        p.close()
    return CreateArgs(mailbox, written, tuple(uses))


@command(
    "CREATE",
    state=State.AUTHENTICATED,
    parse=parse,
    writes=True,
    capability="CREATE-SPECIAL-USE",
)
def create(session: Session, args: CreateArgs, tx: Write) -> Generator[Response, None, Tagged]:
    """Missing superior names are created too.  Raises AlreadyExists, Cannot, LimitReached, OverQuota, USEATTR.

    A "/" at the end says that inferior names will follow; here any mailbox may have them (RFC 3501 §6.3.3).
    """
    if not args.mailbox.removesuffix("/"):
        raise Cannot("A mailbox needs a name")
    place = access.place(session, tx, args.mailbox)
    use = special_use.assignable(session, place.account, args.uses)
    if use is not None and (holder := tx.mailboxes.special(place.account, use)):
        raise Code("USEATTR", f"{holder.name} is for {use} already")
    made = tx.mailboxes.create(place.account, place.name, use)
    if session.is_rev2 and (was := names.old_name(args.written, args.mailbox)):
        name = access.client_name(session, tx, made)
        yield response.mailbox_list((), names.encode(name, is_utf8=True), extended=was)
    return Tagged(f"MAILBOXID ({object_id(made.id)})")
