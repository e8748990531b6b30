"""STATUS: the counters of a mailbox without opening it.

Spec: RFC 3501 §6.3.10; RFC 9051 §6.3.11; RFC 7162 §3.1.7.  Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.imap import access, names, response, statuses
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response, Tagged
from mailserver.imap.session import Session
from mailserver.imap.statuses import Statuses
from mailserver.store.tx import Read


@dataclass(frozen=True, slots=True)
class StatusArgs:
    """What to tell of which mailbox."""

    mailbox: str
    items: tuple[str, ...]


def parse(p: Parser) -> StatusArgs:
    """SP mailbox SP "(" status-att... ")" (RFC 3501 §9)."""
    return StatusArgs(p.sp().mailbox(), statuses.parse_items(p.sp()))


@command("STATUS", state=State.AUTHENTICATED, parse=parse)
def status(session: Session, args: StatusArgs, tx: Read) -> Generator[Response, None, Tagged]:
    r"""Nobody loses \Recent by it; who asks for HIGHESTMODSEQ is told modseqs (RFC 7162 §3.1).  Raises NotFound."""
    mailbox = access.find(session, tx, args.mailbox, "r")
    items = Statuses(tx, args.items, session.limits).of(mailbox)
    name = access.client_name(session, tx, mailbox)
    yield response.status(names.encode(name, is_utf8=session.is_utf8), items)
    return Tagged(enables="CONDSTORE" if "HIGHESTMODSEQ" in args.items else "")
