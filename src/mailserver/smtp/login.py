"""What AUTH does: the exchange of a mechanism, then the question who that is.

Spec: RFC 4954 §4, §6.  Status: complete.
"""

from typing import TYPE_CHECKING

from mailserver.sasl.mechanism import Credentials
from mailserver.sasl.registry import offered
from mailserver.smtp import events, replies
from mailserver.smtp.events import Event
from mailserver.smtp.exchange import Exchange
from mailserver.smtp.lines import Line
from mailserver.smtp.reply import Reply

if TYPE_CHECKING:
    from mailserver.smtp.server import Connection


def auth(c: "Connection", rest: str) -> Event | None:
    """Begins an exchange."""
    if c.is_authenticated:
        return c.refuse("AUTH", replies.LOGGED_IN_ALREADY)
    if not offered(c.is_tls, c.cleartext):
        return c.refuse("AUTH", replies.TLS_FOR_AUTH)
    name, _, initial = rest.partition(" ")
    exchange = Exchange.of(name, is_tls=c.is_tls, cleartext=c.cleartext)
    if exchange is None:
        return c.refuse("AUTH", replies.UNKNOWN_MECHANISM)
    return _go_on(c, exchange, exchange.begin(initial))


def heard(c: "Connection", line: Line) -> Event | None:
    """The client's next line in the exchange."""
    assert c.exchange is not None  # else the line is a command
    return _go_on(c, c.exchange, c.exchange.hear(line))


def answer(c: "Connection", reply: Reply) -> None:
    """Whether the client is who it claims to be."""
    if reply.is_positive:
        c.is_authenticated = True
    elif reply.is_permanent and (enough := c.patience.failed_login()):
        c.close(enough)
        return
    c.say(reply, at_once=True)


def _go_on(c: "Connection", exchange: Exchange, said: Reply | Credentials) -> Event | None:
    c.exchange = None
    if isinstance(said, Credentials):
        return c.ask(events.Auth(exchange.name, said))
    if said.code != 334:
        return c.refuse("AUTH", said)
    c.exchange = exchange
    c.say(said, at_once=True)
    return None
