"""CAPABILITY: what this server can do for this client now.

Spec: RFC 3501 §6.1.1, §7.2.1.  Status: complete.
"""

from mailserver.imap import capabilities, response
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.registry import State, conversation
from mailserver.imap.session import Session


@conversation("CAPABILITY", state=State.ANY)
def capability(session: Session, args: None) -> Conversation:
    """The list, which changes with STARTTLS and log-in, and with nothing else."""
    yield Send([response.capability(capabilities.names(session))])
    return None
