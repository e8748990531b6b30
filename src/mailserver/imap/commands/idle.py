"""IDLE: changes as they happen, until the client says DONE.

Spec: RFC 2177 §3; RFC 5465 §4 (with NOTIFY).  Status: complete.
"""

from mailserver.base.errors import PeerError
from mailserver.imap import response
from mailserver.imap.conversation import Conversation, LineOrChanges, Send
from mailserver.imap.elsewhere import State
from mailserver.imap.listening import hear
from mailserver.imap.registry import State as At
from mailserver.imap.registry import conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session
from mailserver.imap.transact import catch_up
from mailserver.store.values import Delta


@conversation("IDLE", state=At.AUTHENTICATED, capability="IDLE")
def idle(session: Session, args: None) -> Conversation:
    """With no mailbox selected there is nothing to tell, and the client may idle all the same."""
    yield Send([response.continuation(b"idling")])
    yield from catch_up(session, expunges=True)
    while True:
        heard: bytes | Delta | State = yield LineOrChanges()
        if isinstance(heard, bytes):
            break
        yield from hear(session, heard, expunges=True)
    if heard.upper() != b"DONE":
        raise PeerError("expected DONE")
    return Tagged(text="IDLE terminated.")
