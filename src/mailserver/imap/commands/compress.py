"""COMPRESS: DEFLATE from here on, inside of TLS.

Spec: RFC 4978 §3.  Status: complete.  TLS itself never compresses here, so there is no other layer that does.
"""

from mailserver.base.errors import PeerError
from mailserver.imap.conversation import Conversation
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, announce, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session

announce("COMPRESS=DEFLATE", State.AUTHENTICATED)


def parse(p: Parser) -> None:
    """SP algorithm: there is one (RFC 4978 §5)."""
    if p.sp().word() != "DEFLATE":
        raise p.error("unknown algorithm")


@conversation("COMPRESS", state=State.AUTHENTICATED, parse=parse)
def compress(session: Session, args: None) -> Conversation:
    """It begins behind the tagged OK.  Raises PeerError where it is active (RFC 4978 §3)."""
    if session.is_compressed:
        raise PeerError("DEFLATE is active already")
    return Tagged(text="DEFLATE active", then="compress")
    yield
