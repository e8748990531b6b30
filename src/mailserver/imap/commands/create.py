"""CREATE: a new mailbox, perhaps with a special use.

Spec: RFC 3501 §6.3.3; RFC 6154 §3 (CREATE-SPECIAL-USE); RFC 4466 §2.2.  Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.base.errors import Cannot, PeerError
from mailserver.imap import access
from mailserver.imap.errors import Code
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.tx import Write

#: special uses a mailbox can have here, lower case -> as listed (RFC 6154 §2); \All and \Flagged would be virtual
USES = {use.lower(): use for use in ("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash")}


@dataclass(frozen=True, slots=True)
class CreateArgs:
    """uses: attributes as written."""

    mailbox: str
    uses: tuple[str, ...]


def parse(p: Parser) -> CreateArgs:
    """SP mailbox [SP "(" "USE" SP "(" use-attr... ")" ")"] (RFC 6154 §6).  Raises Cannot for a wrong name."""
    mailbox = p.sp().new_mailbox()
    uses: list[str] = []
    if p.accept(b" "):
        p.open()
        if p.word() != "USE":
            raise p.error("unknown parameter of CREATE")
        uses = p.sp().flag_list()
        p.close()
    return CreateArgs(mailbox, tuple(uses))


@command(
    "CREATE",
    state=State.AUTHENTICATED,
    parse=parse,
    writes=True,
    capability="CREATE-SPECIAL-USE",
)
def create(session: Session, args: CreateArgs, tx: Write) -> Generator[Response, None, None]:
    """Missing superior names are created too.  Raises AlreadyExists, Cannot, LimitReached, USEATTR.

    A "/" at the end says that inferior names will follow; here any mailbox may have them (RFC 3501 §6.3.3).
    """
    place = access.place(session, tx, args.mailbox)
    if len(args.uses) > 1:
        raise Code("USEATTR", "A mailbox has at most one special use")
    use: str | None = None
    for name in args.uses:
        if not name.startswith("\\"):
            raise PeerError(f"{name} is no special use")
        use = USES.get(name.lower())
        if use is None:
            raise Code("USEATTR", f"{name} is not supported")
        if tx.mailboxes.special(place.account, use):
            raise Code("USEATTR", f"There is a mailbox for {use} already")
    if not args.mailbox.removesuffix("/"):
        raise Cannot("A mailbox needs a name")
    tx.mailboxes.create(place.account, place.name, use)
    yield from ()
