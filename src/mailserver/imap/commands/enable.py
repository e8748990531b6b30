"""ENABLE: extensions that change what the server says, switched on for this connection.

Spec: RFC 5161 §3; RFC 9051 §6.3.1; RFC 7162 §3.1, §3.2.3; RFC 9586 §3.
Status: complete; what can be enabled registers itself with `registry.enablable`.
"""

from mailserver.imap import response
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.observer import watch_metadata
from mailserver.imap.parser import Parser
from mailserver.imap.registry import ENABLABLE, State, announce, conversation, enablable
from mailserver.imap.session import Session

enablable("IMAP4rev2")
enablable("CONDSTORE")
enablable("QRESYNC", implies=("CONDSTORE",))  # RFC 7162 §3.2.3
enablable("UIDONLY")
announce("UIDONLY", State.ANY)
enablable("METADATA")  # RFC 5464 §4.1
enablable("UTF8=ACCEPT")  # RFC 9755 §3
announce("UTF8=ACCEPT", State.ANY)


def parse(p: Parser) -> list[str]:
    """1*(SP capability) (RFC 5161 §4)."""
    return p.sp().tokens(Parser.word)


@conversation("ENABLE", state=State.AUTHENTICATED, parse=parse, capability="ENABLE")
def enable(session: Session, args: list[str]) -> Conversation:
    """ENABLED names what this command switched on; everything unknown is passed over (RFC 5161 §3.1)."""
    wanted = [ENABLABLE[name] for name in dict.fromkeys(args) if name in ENABLABLE]
    new = [row for row in wanted if row.name.upper() not in session.enabled]
    out = [response.enabled(row.name for row in new)]
    for row in new:
        out += session.enable(row.name.upper())
        if row.name == "METADATA":
            watch_metadata(session)
    yield Send(out)
    return None
