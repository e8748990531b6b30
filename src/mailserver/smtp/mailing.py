"""What the commands of a mail transaction do: MAIL, RCPT, DATA, BDAT, and the content that follows them.

Spec: RFC 5321 §3.3, §4.1.1.2, §4.1.1.3, §4.1.1.4; RFC 3030 §2, §3; RFC 2033 §4.2, §4.3.  Status: complete.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailserver.sasl.registry import offered
from mailserver.smtp import chunks, envelope, events, replies
from mailserver.smtp.chunks import Chunks
from mailserver.smtp.commands import State
from mailserver.smtp.data import Content
from mailserver.smtp.events import Event
from mailserver.smtp.reply import Reply

if TYPE_CHECKING:
    from mailserver.smtp.server import Connection

SLACK = 1_048_576  #: octets beyond twice the largest message after which nobody waits for its end

_DATA = events.Data()


def mail(c: "Connection", rest: str) -> Event | None:
    """A transaction begins."""
    if c.service.is_submission and not c.is_authenticated:
        can_log_in = offered(c.channel)
        return c.refuse("MAIL", replies.AUTH_FIRST if can_log_in else replies.TLS_FIRST)
    if enough := c.patience.message():
        return c.close(enough)
    said = envelope.mail(rest, c.offer, c.message_size, c.now)
    return c.refuse("MAIL", said) if isinstance(said, Reply) else c.ask(said)


def answer_mail(c: "Connection", event: events.Mail, reply: Reply) -> None:
    """Whether the sender may send."""
    if reply.is_positive:
        c.state = State.MAIL
        c.is_utf8 = event.smtputf8
        c.is_binary = event.body == "BINARYMIME"
        c.say(reply)
    else:
        c.count_error(reply, at_once=False)


def rcpt(c: "Connection", rest: str) -> Event | None:
    """A recipient."""
    if enough := c.patience.recipient():
        return c.close(enough)
    said = envelope.recipient(rest, smtputf8=c.is_utf8)
    if isinstance(said, Reply):
        return c.refuse("RCPT", said)
    if c.accepted >= c.service.limits.recipients:
        return c.refuse("RCPT", replies.TOO_MANY_RECIPIENTS)
    return c.ask(said)


def answer_recipient(c: "Connection", reply: Reply) -> None:
    """Whether mail for him is taken."""
    if reply.is_positive:
        c.state = State.RCPT
        c.accepted += 1
        c.say(reply)
    else:
        c.count_recipient(reply)


def data(c: "Connection", _rest: str) -> Event | None:
    """The content is about to come, in lines."""
    if c.is_binary:
        return c.refuse("DATA", replies.BINARY_WANTS_CHUNKS)
    return c.ask(_DATA)


def bdat(c: "Connection", rest: str, refusal: Reply | None) -> Event | None:
    """A chunk of the content follows; *refusal*: why it has no place here.

    Whatever is wrong, its octets are read before that is said (RFC 3030 §2), unless nobody could wait for them.
    """
    announced = chunks.announced(rest)
    if announced is None:
        return c.close(replies.BAD_CHUNK)
    size, is_last = announced
    if size > _most(c):
        return c.close(replies.TOO_LARGE)
    if not size and not is_last and (enough := c.patience.idle()):
        return c.close(enough)
    if refusal is not None:
        stray = Chunks(0, fault=no_recipients(c) if c.state is State.MAIL else refusal)
        stray.begin(size, is_last=is_last)
        c.content = stray
        return None
    is_first = c.chunks is None
    if c.chunks is None:
        c.chunks = Chunks(c.message_size, is_binary=c.is_binary)
    c.chunks.begin(size, is_last=is_last)
    if is_first and c.chunks.fault is None:
        return c.ask(_DATA)
    c.content = c.chunks
    return None


def answer_data(c: "Connection", reply: Reply) -> None:
    """Whether there is room for the content; behind BDAT it comes unasked, and a refusal follows it."""
    if c.chunks is not None:
        if not reply.is_positive:
            c.chunks.fault = reply
        c.state = State.BDAT
        c.content = c.chunks
    elif reply.is_positive:
        c.content = Content(c.message_size)
        c.say(reply, at_once=True)
    else:
        c.count_error(reply, at_once=True)


def read(c: "Connection", content: Content | Chunks) -> Event | None:
    """What has come of the content."""
    piece = content.read(c.lines)
    if not content.is_whole:
        if content.size > _most(c):
            return c.close(replies.TOO_LARGE)
        return events.Content(piece) if piece else None
    c.content = None
    if isinstance(content, Content):
        return c.ask(events.EndOfData(piece, content.size, content.fault))
    if content is c.chunks and content.is_last:
        return c.ask(events.EndOfData(piece, content.size, content.fault))
    if content is c.chunks or c.state is State.MAIL:
        return c.ask(events.Chunk(piece, content.announced, content.fault))
    return c.refuse("BDAT", content.fault or replies.BAD_CHUNK)


def answer_chunk(c: "Connection", reply: Reply) -> None:
    """Whether the chunk was kept; without it there is no message, and what is still on its way is no part of one."""
    if reply.is_positive:
        c.say(reply)
    else:
        c.reset()
        c.count_error(reply, at_once=False)


def answer_message(c: "Connection", said: Sequence[Reply]) -> None:
    """What became of the message; over LMTP, for each recipient."""
    c.reset()
    c.patience.end_of_message()
    for reply in said if c.service.is_lmtp else said[:1]:
        c.say(reply, at_once=True)


def no_recipients(c: "Connection") -> Reply:
    """Content without anybody to get it (RFC 5321 §3.3; RFC 2033 §4.2)."""
    return replies.NO_LMTP_RECIPIENTS if c.service.is_lmtp else replies.NO_RECIPIENTS


def _most(c: "Connection") -> int:
    """Octets beyond which a client is cut off rather than read to the end; few for one that may not send yet."""
    may_send = c.is_authenticated or not c.service.is_submission
    return 2 * c.message_size + SLACK if may_send else SLACK
