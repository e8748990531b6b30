r"""CLOSE and UNSELECT: leave the mailbox, with or without removing what is \Deleted.

Spec: RFC 3501 §6.4.2; RFC 3691 §2; RFC 7162 §3.2.8.  Status: complete.
"""

from mailserver.base.errors import NotAllowed
from mailserver.imap.commands.expunge import expunge_all
from mailserver.imap.conversation import Conversation
from mailserver.imap.registry import State, conversation
from mailserver.imap.session import Session


@conversation("CLOSE", state=State.SELECTED)
def close(session: Session, args: None) -> Conversation:
    """Expunges without a word, also of its modseq (RFC 7162 §3.2.8).

    Of a mailbox that is open for reading only, or without the right to it, nothing.
    """
    view = session.view
    try:
        if not view.read_only and "e" in view.rights:
            yield from expunge_all(session, view.mailbox)
    except NotAllowed:  # no longer: then nothing is removed (RFC 4314 §4, CLOSE)
        session.log.info("nothing expunged", mailbox=view.mailbox, reason="no right to")
    finally:
        session.unselect()
    return None


@conversation("UNSELECT", state=State.SELECTED, capability="UNSELECT")
def unselect(session: Session, args: None) -> Conversation:
    """Nothing is expunged (RFC 3691 §2)."""
    session.unselect()
    return None
    yield
