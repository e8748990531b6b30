"""STARTTLS: from here on encrypted.

Spec: RFC 3501 §6.2.1.  Status: complete.
"""

from mailserver.base.errors import PeerError
from mailserver.imap.conversation import Conversation
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session


@conversation("STARTTLS", state=State.NOT_AUTHENTICATED)
def starttls(session: Session, args: None) -> Conversation:
    """The handshake follows the tagged OK; what the client sent before it is dropped by whoever drives."""
    if session.is_tls:
        raise PeerError("TLS is active already")
    if not session.server.has_tls:
        raise PeerError("TLS is not available")
    return Tagged(text="Begin TLS negotiation now", then="starttls")
    yield
