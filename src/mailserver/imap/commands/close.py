r"""CLOSE and UNSELECT: leave the mailbox, with or without removing what is \Deleted.

Spec: RFC 3501 §6.4.2; RFC 3691 §2.  Status: complete.
"""

from mailserver.imap.commands.expunge import expunge_all
from mailserver.imap.conversation import Conversation
from mailserver.imap.registry import State, conversation
from mailserver.imap.session import Session


@conversation("CLOSE", state=State.SELECTED)
def close(session: Session, args: None) -> Conversation:
    """Expunges without a word; of a mailbox that is open for reading only, nothing."""
    mailbox, read_only = session.view.mailbox, session.read_only
    session.unselect()
    if not read_only:
        yield from expunge_all(mailbox)
    return None


@conversation("UNSELECT", state=State.SELECTED, capability="UNSELECT")
def unselect(session: Session, args: None) -> Conversation:
    """Nothing is expunged (RFC 3691 §2)."""
    session.unselect()
    return None
    yield
