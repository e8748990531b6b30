"""What AUTH does: the exchange of a mechanism, then the question who that is.

Spec: RFC 4954 §4, §6.  Status: complete.

A mechanism may ask in between what is kept of a login: that is an event, too, and the exchange goes on with a challenge
or with what the client has shown.
"""

from typing import TYPE_CHECKING

from mailserver.sasl.mechanism import Challenge
from mailserver.sasl.registry import offered
from mailserver.smtp import events, replies
from mailserver.smtp.events import Event
from mailserver.smtp.exchange import Exchange, Heard, challenge
from mailserver.smtp.lines import Line
from mailserver.smtp.reply import Reply

if TYPE_CHECKING:
    from mailserver.smtp.server import Connection


def auth(c: "Connection", rest: str) -> Event | None:
    """Begins an exchange."""
    if c.is_authenticated:
        return c.refuse("AUTH", replies.LOGGED_IN_ALREADY)
    if not offered(c.channel):
        return c.refuse("AUTH", replies.TLS_FOR_AUTH)
    name, _, initial = rest.partition(" ")
    exchange = Exchange.of(name, c.channel)
    if exchange is None:
        return c.refuse("AUTH", replies.UNKNOWN_MECHANISM)
    return _go_on(c, exchange, exchange.begin(initial))


def heard(c: "Connection", line: Line) -> Event | None:
    """The client's next line in the exchange."""
    assert c.exchange is not None  # else the line is a command
    return _go_on(c, c.exchange, c.exchange.hear(line))


def go_on(c: "Connection", said: Challenge) -> None:
    """What the mechanism says now that it knows what is kept of the login; the client is to answer."""
    c.say(challenge(said), at_once=True)


def answer(c: "Connection", reply: Reply) -> None:
    """Whether the client is who it claims to be."""
    c.exchange = None
    if reply.is_positive:
        c.is_authenticated = True
    elif reply.is_permanent and (enough := c.patience.failed_login()):
        c.close(enough)
        return
    c.say(reply, at_once=True)


def _go_on(c: "Connection", exchange: Exchange, said: Heard) -> Event | None:
    if not isinstance(said, Reply):
        c.exchange = exchange
        return c.ask(events.Auth(exchange.name, said))
    c.exchange = exchange if said.code == 334 else None
    if c.exchange is None:
        return c.refuse("AUTH", said)
    c.say(said, at_once=True)
    return None
