"""SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS: who may do what with a mailbox.

Spec: RFC 4314 §3, §2.1.1, §5.1.1, §6.  Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.directory import identifiers, rights, sharing
from mailserver.imap import access, names, response, wire
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, announce, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.sasl.saslprep import saslprep
from mailserver.store.tx import Read, Write
from mailserver.store.values import Mailbox

announce("ACL", State.ANY)
announce(f"RIGHTS={rights.NEW}", State.ANY)


@dataclass(frozen=True, slots=True)
class AclArgs:
    """identifier: as the client wrote it.      rights: "+letters", "-letters" or "letters", checked."""

    mailbox: str
    identifier: str = ""
    rights: str = ""


def parse_mailbox(p: Parser) -> AclArgs:
    """SP mailbox (RFC 4314 §7)."""
    return AclArgs(p.sp().mailbox())


def parse_identifier(p: Parser) -> AclArgs:
    """SP mailbox SP identifier (RFC 4314 §7)."""
    return AclArgs(p.sp().mailbox(), _identifier(p))


def parse_rights(p: Parser) -> AclArgs:
    """SP mailbox SP identifier SP mod-rights; unknown rights are BAD (RFC 4314 §3.1)."""
    args = parse_identifier(p)
    letters = p.sp().astring().decode("ascii", "replace")
    rights.modified("", letters)
    return AclArgs(args.mailbox, args.identifier, letters)


def _identifier(p: Parser) -> str:
    """Prepared with SASLprep; BAD where that fails or leaves nothing (RFC 4314 §3)."""
    try:
        prepared = saslprep(p.sp().astring().decode("utf-8"))
    except UnicodeDecodeError:
        prepared = None
    if prepared is None:
        raise p.error("this can be no identifier")
    return prepared.decode("utf-8")


@command("SETACL", state=State.AUTHENTICATED, parse=parse_rights, writes=True)
def set_acl(session: Session, args: AclArgs, tx: Write) -> Generator[Response, None, None]:
    """Raises NotFound for a mailbox or identifier, NotAllowed, Cannot for the owner, LimitReached."""
    sharing.change(tx, access.named(session, tx, args.mailbox, "a"), args.identifier, args.rights)
    yield from ()


@command("DELETEACL", state=State.AUTHENTICATED, parse=parse_identifier, writes=True)
def delete_acl(session: Session, args: AclArgs, tx: Write) -> Generator[Response, None, None]:
    """Also where there is no such entry.  Raises NotFound, NotAllowed, Cannot for the owner."""
    sharing.change(tx, access.named(session, tx, args.mailbox, "a"), args.identifier, "")
    yield from ()


@command("GETACL", state=State.AUTHENTICATED, parse=parse_mailbox)
def get_acl(session: Session, args: AclArgs, tx: Read) -> Generator[Response, None, None]:
    """The owner first, who is on no list and has all rights.  Raises NotFound, NotAllowed."""
    mailbox = access.named(session, tx, args.mailbox, "a")
    owner = tx.accounts.get(mailbox.account)
    pairs = [] if owner.is_shared else [(owner.address, rights.ALL)]
    pairs += [(identifiers.write(entry), entry.rights) for entry in tx.acl.entries(mailbox.id)]
    words = [_name(session, tx, mailbox)]
    for identifier, letters in pairs:
        words += [wire.astring(identifier.encode()), _letters(letters)]
    yield response.line(b"ACL " + b" ".join(words))


@command("LISTRIGHTS", state=State.AUTHENTICATED, parse=parse_identifier)
def list_rights(session: Session, args: AclArgs, tx: Read) -> Generator[Response, None, None]:
    """What can be given, each right by itself; the owner has all of them for ever.  Raises NotFound, NotAllowed."""
    mailbox = access.named(session, tx, args.mailbox, "a")
    to = identifiers.read(tx, args.identifier)
    words = [_name(session, tx, mailbox), wire.astring(args.identifier.encode())]
    if to.to.account == mailbox.account:
        words.append(_letters(rights.ALL))
    else:
        words += [b'""', *(letter.encode() for letter in rights.shown(rights.ALL))]
    yield response.line(b"LISTRIGHTS " + b" ".join(words))


@command("MYRIGHTS", state=State.AUTHENTICATED, parse=parse_mailbox)
def my_rights(session: Session, args: AclArgs, tx: Read) -> Generator[Response, None, None]:
    """For whoever has one of the rights "lrikxa" (RFC 4314 §4).  Raises NotFound."""
    mailbox = access.named(session, tx, args.mailbox)
    name = _name(session, tx, mailbox)
    yield response.my_rights(name, access.rights(session, tx, mailbox))


def _name(session: Session, tx: Read, mailbox: Mailbox) -> bytes:
    return names.encode(access.client_name(session, tx, mailbox), is_utf8=session.is_utf8)


def _letters(have: str) -> bytes:
    return rights.shown(have).encode() or b'""'
