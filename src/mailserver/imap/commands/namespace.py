"""NAMESPACE: where mailboxes are; here, all of them are the user's own and begin at the root.

Spec: RFC 2342 §5.  Status: complete; there are no shared mailboxes.
"""

from mailserver.imap import response
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.registry import State, conversation
from mailserver.imap.session import Session


@conversation("NAMESPACE", state=State.AUTHENTICATED, capability="NAMESPACE")
def namespace(session: Session, args: None) -> Conversation:
    """Personal, other users', shared (RFC 2342 §6)."""
    yield Send([response.line(b'NAMESPACE (("" "/")) NIL NIL')])
    return None
