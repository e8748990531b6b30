"""SUBSCRIBE and UNSUBSCRIBE: the list of names that LSUB shows.

Spec: RFC 3501 §6.3.6, §6.3.7.  Status: complete.
"""

from collections.abc import Generator

from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.tx import Write


def parse(p: Parser) -> str:
    """SP mailbox (RFC 3501 §9)."""
    return p.sp().mailbox().removesuffix("/")


@command("SUBSCRIBE", state=State.AUTHENTICATED, parse=parse, writes=True)
def subscribe(session: Session, args: str, tx: Write) -> Generator[Response, None, None]:
    """The mailbox need not exist, now or later (RFC 3501 §6.3.6).  Raises Cannot, LimitReached."""
    tx.mailboxes.subscribe(session.account.id, args)
    yield from ()


@command("UNSUBSCRIBE", state=State.AUTHENTICATED, parse=parse, writes=True)
def unsubscribe(session: Session, args: str, tx: Write) -> Generator[Response, None, None]:
    """Raises NotFound for a name that was not subscribed."""
    tx.mailboxes.unsubscribe(session.account.id, args)
    yield from ()
