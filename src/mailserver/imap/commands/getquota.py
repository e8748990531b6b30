"""GETQUOTA and GETQUOTAROOT: how full it is.

Spec: RFC 9208 §4.1.1, §4.1.2, §6.  Status: complete.
"""

from collections.abc import Generator

from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId
from mailserver.imap import access, names, quotas, response
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.tx import Read


def parse(p: Parser) -> bytes:
    """SP quota-root-name (RFC 9208 §7)."""
    return p.sp().astring()


def parse_mailbox(p: Parser) -> str:
    """SP mailbox (RFC 9208 §7)."""
    return p.sp().mailbox()


@command("GETQUOTA", state=State.AUTHENTICATED, parse=parse)
def getquota(session: Session, args: bytes, tx: Read) -> Generator[Response, None, None]:
    """Raises NotFound."""
    yield quotas.quota(tx, quotas.of_root(session, tx, args), session.limits)


@command("GETQUOTAROOT", state=State.AUTHENTICATED, parse=parse_mailbox)
def getquotaroot(session: Session, args: str, tx: Read) -> Generator[Response, None, None]:
    """The mailbox need not exist: then it is told what would bound it (RFC 9208 §4.1.2).

    Raises NotFound, NotAllowed.
    """
    account = tx.accounts.get(_owner(session, tx, args))
    name = names.encode(args, is_utf8=session.is_utf8)
    yield response.line(b"QUOTAROOT %b %b" % (name, quotas.root(account)))
    yield quotas.quota(tx, account, session.limits)


def _owner(session: Session, tx: Read, name: str) -> AccountId:
    try:
        return access.named(session, tx, name, "r").account
    except NotFound:
        return access.place(session, tx, name).account
