"""IDLE: changes as they happen, until the client says DONE.

Spec: RFC 2177 §3.  Status: complete.
"""

from mailserver.base.errors import PeerError
from mailserver.imap import response
from mailserver.imap.conversation import Conversation, LineOrChanges, Send
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session
from mailserver.imap.transact import catch_up, tell
from mailserver.store.values import Delta


@conversation("IDLE", state=State.AUTHENTICATED, capability="IDLE")
def idle(session: Session, args: None) -> Conversation:
    """With no mailbox selected there is nothing to tell, and the client may idle all the same."""
    yield Send([response.continuation(b"idling")])
    yield from catch_up(session, expunges=True)
    while True:
        heard: bytes | Delta = yield LineOrChanges()
        if isinstance(heard, bytes):
            break
        out = yield from tell(session, heard, expunges=True)
        if out:
            yield Send(out)
    if heard.upper() != b"DONE":
        raise PeerError("expected DONE")
    return Tagged(text="IDLE terminated.")
