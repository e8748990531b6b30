"""What the commands around mail do: EHLO and its kin, RSET, VRFY, HELP, NOOP, QUIT, STARTTLS.

Spec: RFC 5321 §3.1, §4.1.1; RFC 3207 §4; RFC 2033 §4.1.  Status: complete.
"""

from typing import TYPE_CHECKING

from mailserver.sasl.registry import Channel, offered
from mailserver.smtp import events, replies
from mailserver.smtp.announce import client_name, extensions, help_on
from mailserver.smtp.commands import State
from mailserver.smtp.events import Event
from mailserver.smtp.reply import Reply
from mailserver.smtp.service import Service

if TYPE_CHECKING:
    from mailserver.smtp.server import Connection


def greeting(service: Service) -> Reply:
    """What the server says first (RFC 5321 §4.3.1)."""
    return Reply(220, "", f"{service.hostname} {'LMTP' if service.is_lmtp else 'ESMTP'} mailserver")


def ehlo(c: "Connection", rest: str) -> Event | None:
    """The client says who it is and asks what we can."""
    return _hello(c, "EHLO", rest)


def helo(c: "Connection", rest: str) -> Event | None:
    """The client says who it is."""
    return _hello(c, "HELO", rest)


def lhlo(c: "Connection", rest: str) -> Event | None:
    """EHLO as LMTP calls it (RFC 2033 §4.1)."""
    return _hello(c, "LHLO", rest)


def _hello(c: "Connection", verb: str, rest: str) -> Event | None:
    name = client_name(rest)
    if name is None:
        return c.refuse(verb, replies.BAD_HELLO)
    c.reset()
    c.state = State.READY
    lines = [c.service.hostname]
    if verb != "HELO":
        mechanisms = offered(c.channel) if c.service.is_submission else ()
        lines += extensions(
            c.service, c.message_size, is_tls=c.is_tls, mechanisms=mechanisms, now=c.now
        )
    c.say(Reply(250, "", "\n".join(lines)), at_once=True)
    return events.Hello(verb, name)


def rset(c: "Connection", _rest: str) -> Event | None:
    """The transaction, if there is one, is forgotten."""
    c.reset()
    c.say(replies.RESET)
    return events.Reset()


def vrfy(c: "Connection", rest: str) -> Event | None:
    """Addresses are verified by RCPT alone, which is counted (RFC 5321 §7.3)."""
    if not rest.isascii() and not rest.upper().endswith(" SMTPUTF8"):
        return c.refuse("VRFY", replies.VRFY_WANTS_SMTPUTF8)
    c.say(replies.CANNOT_VRFY, at_once=True)
    return None


def help(c: "Connection", rest: str) -> Event | None:
    """What there is to say about a command, or which there are."""
    text = help_on(rest, c.service.kind)
    if text is None:
        return c.refuse("HELP", replies.NO_HELP)
    c.say(Reply(214, "2.0.0", text), at_once=True)
    return None


def noop(c: "Connection", _rest: str) -> Event | None:
    """Nothing but the answer."""
    c.say(replies.OK, at_once=True)
    return None


def quit(c: "Connection", _rest: str) -> Event | None:
    """The end."""
    c.reset()
    c.say(Reply(221, "2.0.0", f"{c.service.hostname} closing connection, goodbye"))
    c.closed = True
    return events.Quit()


def starttls(c: "Connection", _rest: str) -> Event | None:
    """Asks for the handshake (RFC 3207 §4)."""
    if c.is_tls:
        return c.refuse("STARTTLS", replies.TLS_ALREADY)
    if not c.service.has_tls:
        return c.refuse("STARTTLS", replies.NO_STARTTLS)
    return c.ask(events.StartTls(len(c.lines)))


def answer_tls(c: "Connection", reply: Reply) -> None:
    """The client is a stranger once the handshake begins: all that it said is forgotten (RFC 3207 §4.2)."""
    if not reply.is_positive:
        c.count_error(reply, at_once=True)
        return
    c.reset()
    c.state = State.NEW
    c.lines.discard()
    c.is_tls = True
    c.channel = Channel(is_private=True)
    c.is_authenticated = False
    c.offer = c.service.offer(is_tls=True)
    c.message_size = c.service.limits.message_size
    c.say(reply)
