"""SETMETADATA: annotations set and removed, all of a command or none.

Spec: RFC 5464 §4.3; RFC 6154 §4 (/private/specialuse).  Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.base.errors import Cannot, LimitReached
from mailserver.base.ids import AccountId
from mailserver.imap import metadata, special_use
from mailserver.imap.errors import Code
from mailserver.imap.metadata import SPECIAL_USE
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.annotations import SERVER
from mailserver.store.tx import Write
from mailserver.store.values import Mailbox


@dataclass(frozen=True, slots=True)
class SetMetadataArgs:
    """mailbox: "" for the server.  values: entry -> value, None to remove it; the last word on each."""

    mailbox: str
    values: dict[str, bytes | None]


def parse(p: Parser) -> SetMetadataArgs:
    """SP mailbox SP "(" entry SP value *(SP entry SP value) ")" (RFC 5464 §5)."""
    mailbox = p.sp().mailbox()
    return SetMetadataArgs(mailbox, dict(p.sp().group(_pair)))


def _pair(p: Parser) -> tuple[str, bytes | None]:
    name = metadata.new_entry(p)
    return name, p.sp().value()


@command("SETMETADATA", state=State.AUTHENTICATED, parse=parse, writes=True)
def setmetadata(
    session: Session, args: SetMetadataArgs, tx: Write
) -> Generator[Response, None, None]:
    """Raises NotFound, NotAllowed, OverQuota, Cannot; METADATA MAXSIZE, METADATA TOOMANY, USEATTR."""
    most = session.limits.annotation_size
    if any(len(value or b"") > most for value in args.values.values()):
        raise metadata.too_large(most)
    mailbox = metadata.place(session, tx, args.mailbox, changes=args.values)
    by_payer: dict[AccountId, dict[str, bytes | None]] = {}
    for name, value in args.values.items():
        if name == SPECIAL_USE and mailbox is not None:
            _assign(session, tx, mailbox, value)
        else:
            by_payer.setdefault(metadata.payer(session, mailbox, name), {})[name] = value
    at, owner = (SERVER, None) if mailbox is None else (mailbox.id, mailbox.account)
    for payer, values in by_payer.items():
        try:
            tx.annotations.set(payer, at, values, owner=owner)
        except LimitReached as error:
            raise metadata.too_many(str(error)) from None
    yield from ()


def _assign(session: Session, tx: Write, mailbox: Mailbox, value: bytes | None) -> None:
    r"""Changes the special use, checked as CREATE does; the mailbox that has it loses it (RFC 6154 §4, §5.4)."""
    uses = (value or b"").decode("ascii", "replace").split()
    if any(not use.startswith("\\") for use in uses):
        raise Code("USEATTR", "A special use begins with a backslash")
    if not mailbox.is_selectable:
        raise Cannot("There can be no messages in it.")
    tx.mailboxes.assign(mailbox.id, special_use.assignable(session, mailbox.account, uses))
