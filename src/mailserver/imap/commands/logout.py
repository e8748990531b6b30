"""LOGOUT: BYE, OK, and the end of the connection.

Spec: RFC 3501 §6.1.3, §7.1.5.  Status: complete.
"""

from mailserver.imap import response
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session


@conversation("LOGOUT", state=State.ANY)
def logout(session: Session, args: None) -> Conversation:
    r"""Nothing is expunged, \Deleted or not."""
    session.unselect()
    yield Send([response.bye("Goodbye")])
    return Tagged(then="close")
