"""LSUB: the names that the user subscribed to.

Spec: RFC 3501 §6.3.9.  Status: complete; IMAP4rev2 has LIST (SUBSCRIBED) instead, and this all the same.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.imap import names, response
from mailserver.imap.listing import subscribed
from mailserver.imap.parser import Parser
from mailserver.imap.patterns import matcher
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.tx import Read


@dataclass(frozen=True, slots=True)
class LsubArgs:
    """Which names."""

    reference: str
    pattern: str


def parse(p: Parser) -> LsubArgs:
    """SP mailbox SP list-mailbox (RFC 3501 §9)."""
    return LsubArgs(p.sp().mailbox(), p.sp().list_mailbox())


@command("LSUB", state=State.AUTHENTICATED, parse=parse)
def lsub(session: Session, args: LsubArgs, tx: Read) -> Generator[Response, None, None]:
    """The subscribed names that match, whether or not they exist (RFC 3501 §6.3.9)."""
    subscriptions = tx.mailboxes.subscriptions(session.account.id)
    for entry in subscribed(subscriptions, matcher(args.reference, [args.pattern])):
        name = names.encode(entry.name, is_utf8=session.is_utf8)
        yield response.mailbox_list(entry.attributes, name, what=b"LSUB")
