"""APPEND: messages from the client into a mailbox, all of them or none.

Spec: RFC 3501 §6.3.11; RFC 3502 §2 (MULTIAPPEND); RFC 4315 §3 (APPENDUID); RFC 4469 (CATENATE); RFC 7888 §3, §4
(LITERAL+); RFC 7889 §3 (APPENDLIMIT).  Status: complete.
"""

from functools import partial

from mailserver.imap import appending, names, response
from mailserver.imap.appending import Arguments, Intake
from mailserver.imap.conversation import Conversation, Read, Send, Write
from mailserver.imap.registry import State, announce, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session

for name in ("LITERAL+", "MULTIAPPEND", "CATENATE"):
    announce(name, State.ANY)


@conversation("APPEND", state=State.AUTHENTICATED, parse=appending.parse)
def append(session: Session, args: Arguments) -> Conversation:
    """The UIDs come with the OK.  Raises NoTarget, NotAllowed, OverQuota, TooLarge, LimitReached, Cannot, BADURL."""
    rooms, account = session.server.rooms, session.account.id
    room = rooms.get(account, args.mailbox) if appending.comes_unasked(args.line) else None
    is_fresh = room is None
    if room is None:
        epoch = rooms.epoch
        room = yield Read(partial(appending.room, session, args.mailbox))
        rooms.put(account, args.mailbox, room, epoch)
    intake = Intake(session, args, room, is_fresh=is_fresh)
    try:
        yield from intake.all()
        job = partial(appending.file, session, args.mailbox, intake.drafts)
        uidvalidity, placed = yield Write(job, is_pure=True)
        if session.is_rev2 and (was := names.old_name(args.written, args.mailbox)):
            name = names.encode(args.mailbox, is_utf8=True)  # RFC 9051 §6.3.12
            yield Send([response.mailbox_list((), name, extended=was)])
        if uidvalidity is None:
            return Tagged()
        return Tagged(response.appenduid(uidvalidity, [message.uid for message in placed]))
    finally:
        intake.discard()
