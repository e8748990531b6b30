"""UNAUTHENTICATE: another user on the same connection.

Spec: RFC 8437 §3, §4.  Status: complete.
"""

from mailserver.imap.conversation import Conversation
from mailserver.imap.registry import State, announce, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session

announce("UNAUTHENTICATE", State.AUTHENTICATED)


@conversation("UNAUTHENTICATE", state=State.AUTHENTICATED)
def unauthenticate(session: Session, args: None) -> Conversation:
    """Nothing but TLS stays; nothing of the mailbox is told any more (RFC 8437 §3)."""
    return Tagged(is_told=True, then="unauthenticate")
    yield
