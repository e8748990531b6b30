"""NOTIFY: from now on the client hears of what it asks for, also while no command runs.

Spec: RFC 5465 §3.1.  Status: complete.
"""

from dataclasses import replace

from mailserver.imap import elsewhere
from mailserver.imap.conversation import Conversation, Read, Send
from mailserver.imap.elsewhere import State
from mailserver.imap.errors import Code
from mailserver.imap.notify import Request, parse
from mailserver.imap.observer import Observer
from mailserver.imap.registry import State as At
from mailserver.imap.registry import conversation
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.imap.transact import catch_up
from mailserver.store.tx import Read as ReadTx


@conversation("NOTIFY", state=At.AUTHENTICATED, parse=parse, capability="NOTIFY")
def notify(session: Session, args: Request) -> Conversation:
    """What has happened in the selected mailbox is told first.  Raises NOTIFICATIONOVERFLOW, BADEVENT."""

    def job(tx: ReadTx) -> tuple[State, list[Response]]:
        now = elsewhere.read(session, tx)
        if len(now.mailboxes) > session.limits.notify_mailboxes:
            raise Code("NOTIFICATIONOVERFLOW", "There are too many mailboxes to watch")
        return now, elsewhere.statuses(session, args, tx, now)

    now: State | None = None
    out: list[Response] = []
    if args.groups:
        now, out = yield Read(job)
    session.observer = None
    yield from catch_up(session, expunges=True)
    yield Send(out)
    request = args.with_metadata() if "METADATA" in session.enabled else args
    session.observer = Observer(replace(request, wants_status=False), now)
    return None
