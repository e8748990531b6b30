r"""DELETE: remove a mailbox and everything in it.

Spec: RFC 3501 §6.3.4; RFC 2180 §3.3.  Status: complete.
"""

from collections.abc import Generator

from mailserver.imap import access
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.tx import Write


def parse(p: Parser) -> str:
    """SP mailbox (RFC 3501 §9)."""
    return p.sp().mailbox()


@command("DELETE", state=State.AUTHENTICATED, parse=parse, writes=True, may_unselect=True)
def delete(session: Session, args: str, tx: Write) -> Generator[Response, None, None]:
    r"""With inferior names it stays as a \Noselect name.  Raises NotFound, Cannot for INBOX.

    Sessions that have it selected are sent away (RFC 2180 §3.3); the one that deletes it just has it no longer.
    """
    mailbox = access.named(session, tx, args, "x")
    tx.mailboxes.delete(mailbox.account, mailbox.name)
    yield from ()
