"""RENAME: another name for a mailbox and its inferiors; for INBOX, a new home for its messages.

Spec: RFC 3501 §6.3.5; RFC 9051 §6.3.6, §6.3.9.7 (OLDNAME).  Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.base.errors import Cannot
from mailserver.imap import access, names, response
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.names import INBOX
from mailserver.store.tx import Write


@dataclass(frozen=True, slots=True)
class RenameArgs:
    """From which name to which.  written: the old name as it came."""

    old: str
    written: bytes
    new: str


def parse(p: Parser) -> RenameArgs:
    """SP mailbox SP mailbox (RFC 3501 §9).  Raises Cannot for a wrong new name."""
    return RenameArgs(p.sp().mailbox(), p.written, p.sp().new_mailbox())


@command("RENAME", state=State.AUTHENTICATED, parse=parse, writes=True, may_unselect=True)
def rename(session: Session, args: RenameArgs, tx: Write) -> Generator[Response, None, None]:
    """Missing superior names are created.  Raises NotFound, AlreadyExists, Cannot, LimitReached."""
    mailbox = access.named(session, tx, args.old, "x")
    if mailbox.name == INBOX and mailbox.account != session.account.id:
        raise Cannot("An INBOX is renamed by its owner alone: its messages would go.")
    place = access.place(session, tx, args.new)
    if place.account != mailbox.account:
        raise Cannot("A mailbox cannot go to another account; its messages can.")
    renamed = tx.mailboxes.rename(place.account, mailbox.name, place.name)
    if session.is_rev2:
        name = access.client_name(session, tx, renamed)
        was = names.old_name(args.written, name)
        yield response.mailbox_list((), names.encode(name, is_utf8=True), extended=was)
