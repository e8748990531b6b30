r"""DELETE: remove a mailbox and everything in it.

Spec: RFC 3501 §6.3.4; RFC 9051 §6.3.5, §6.3.9.7 (OLDNAME); RFC 2180 §3.3.  Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.imap import access, names, response
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.tx import Write


@dataclass(frozen=True, slots=True)
class DeleteArgs:
    """Which mailbox.  written: the name as it came."""

    mailbox: str
    written: bytes


def parse(p: Parser) -> DeleteArgs:
    """SP mailbox (RFC 3501 §9)."""
    return DeleteArgs(p.sp().mailbox(), p.written)


@command("DELETE", state=State.AUTHENTICATED, parse=parse, writes=True, may_unselect=True)
def delete(session: Session, args: DeleteArgs, tx: Write) -> Generator[Response, None, None]:
    r"""With inferior names it stays as a \Noselect name.  Raises NotFound, Cannot for INBOX.

    Sessions that have it selected are sent away (RFC 2180 §3.3); the one that deletes it just has it no longer.
    """
    mailbox = access.named(session, tx, args.mailbox, "x")
    tx.mailboxes.delete(mailbox.account, mailbox.name)
    if session.is_rev2 and (was := names.old_name(args.written, args.mailbox)):
        name = names.encode(args.mailbox, is_utf8=True)
        yield response.mailbox_list(("\\NonExistent",), name, extended=was)
