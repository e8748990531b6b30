"""NOOP and CHECK: nothing, and so a good moment to hear what changed.

Spec: RFC 3501 §6.1.2, §6.4.1.  Status: complete; everything is always on disk, so CHECK has nothing to do.
"""

from mailserver.imap.conversation import Conversation
from mailserver.imap.registry import State, conversation
from mailserver.imap.session import Session


@conversation("NOOP", state=State.ANY)
@conversation("CHECK", state=State.SELECTED)
def noop(session: Session, args: None) -> Conversation:
    """Looks at the selected mailbox again, whether or not anybody said that it changed."""
    session.is_stale = True
    return None
    yield
