"""ENABLE: extensions that change what the server says, switched on for this connection.

Spec: RFC 5161 §3.  Status: complete; what can be enabled registers itself with `registry.enablable`.
"""

from mailserver.imap import response
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.parser import Parser
from mailserver.imap.registry import ENABLABLE, State, conversation
from mailserver.imap.session import Session


def parse(p: Parser) -> list[str]:
    """1*(SP capability) (RFC 5161 §4)."""
    return p.sp().tokens(Parser.word)


@conversation("ENABLE", state=State.AUTHENTICATED, parse=parse, capability="ENABLE")
def enable(session: Session, args: list[str]) -> Conversation:
    """ENABLED names what this command switched on; everything unknown is passed over (RFC 5161 §3.1)."""
    new = [name for name in dict.fromkeys(args) if name in ENABLABLE - session.enabled]
    session.enabled |= frozenset(new)
    yield Send([response.enabled(new)])
    return None
