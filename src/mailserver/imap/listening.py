"""Between two commands: a client that has asked for events hears of them.

Spec: RFC 5465 §3.1, §5.2.  Status: complete.
"""

from collections.abc import Generator
from typing import Any

from mailserver.base.errors import MailError
from mailserver.imap import response
from mailserver.imap.conversation import Effect, InputOrChanges, Send
from mailserver.imap.elsewhere import State
from mailserver.imap.session import Gone, Session
from mailserver.imap.transact import tell
from mailserver.store.values import Delta


def listen(session: Session) -> Generator[Effect, Any, None]:
    """Tell events until the client sends something."""
    if session.observer is not None:
        session.observer.is_acting = False
    try:
        while True:
            heard: Delta | State | None = yield InputOrChanges()
            if heard is None or session.observer is None:
                return
            yield from hear(session, heard, expunges=session.observer.may_expunge)
    except Gone as error:
        session.unselect()
        session.is_over = True
        yield Send([response.bye(str(error))])
    except MailError as error:  # what was not told now, comes with what happens next
        session.is_stale = True
        session.log.warning("cannot tell what changed", reason=str(error))


def hear(session: Session, heard: Delta | State, *, expunges: bool) -> Generator[Effect, Any, None]:
    """Tell the client of changes in the selected mailbox, or elsewhere."""
    if isinstance(heard, Delta):
        out = yield from tell(session, heard, expunges=expunges)
    else:
        out = session.observer.told(session, heard) if session.observer is not None else []
    if out:
        yield Send(out)
