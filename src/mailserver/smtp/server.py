"""The server's side of one SMTP connection: bytes in, events and bytes out; no socket, no clock, no look-up.

Spec: RFC 5321 §4; RFC 2920 §3.2; RFC 3207 §4.2; RFC 4954 §4; RFC 6531 §3.  Status: complete.

    connection = Connection(service, is_tls=False, cleartext=False)
    write(connection.output())                      # the greeting
    connection.receive(data)
    while event := connection.next():               # None: more input is needed
        connection.answer(reply)                    # for the events that ask for one
    write(connection.output())

Grammar, order, limits and the authentication dialogue are kept here; whom mail is for and who may send it is the
caller's to say.  The next event comes only when the one before is answered, so answers are in the order of commands.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from mailserver.base.limits import SmtpLimits
from mailserver.sasl.mechanism import Credentials
from mailserver.sasl.registry import begin, offered
from mailserver.smtp import envelope, events, replies
from mailserver.smtp.announce import extensions, help_on
from mailserver.smtp.commands import COMMANDS, HTTP, Argument, Command, State
from mailserver.smtp.data import Content
from mailserver.smtp.events import Event
from mailserver.smtp.exchange import MAX_LINE, Exchange
from mailserver.smtp.lines import Line, Lines
from mailserver.smtp.parameters import Offer
from mailserver.smtp.patience import Patience
from mailserver.smtp.reply import Reply

SLACK = 1_048_576  #: octets beyond twice the largest message after which nobody waits for its end

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}|\[[A-Za-z0-9:.]{1,255}\]")
_FLUSH = events.Flush()
_DATA = events.Data()


@dataclass(frozen=True, slots=True)
class Service:
    """What a listener offers.

    is_submission: mail is submitted here, by users who log in; otherwise it comes in from other servers.
    has_tls:       there is a certificate, STARTTLS may be offered.
    """

    hostname: str
    is_submission: bool
    has_tls: bool
    limits: SmtpLimits


class Connection:
    """One connection.  The caller drives it with `receive`, `next`, `answer` and `output`.

    now: UTC epoch seconds, set by the caller before `receive`; only submission looks at it.
    """

    __slots__ = (
        "_accepted",
        "_cleartext",
        "_content",
        "_ended",
        "_exchange",
        "_flush",
        "_lines",
        "_offer",
        "_output",
        "_patience",
        "_pending",
        "_state",
        "_utf8",
        "closed",
        "is_authenticated",
        "is_tls",
        "now",
        "service",
    )

    def __init__(self, service: Service, *, is_tls: bool, cleartext: bool) -> None:
        """cleartext: the peer's network may log in without TLS."""
        self.service = service
        self.is_tls = is_tls
        self.is_authenticated = False
        self.closed = False
        self.now = 0
        self._offer = _offer(service, is_tls=is_tls)
        self._cleartext = cleartext
        self._state = State.NEW
        self._lines = Lines()
        self._output: list[bytes] = []
        self._pending: Event | None = None
        self._content: Content | None = None
        self._exchange: Exchange | None = None
        self._flush = False
        self._utf8 = False
        self._accepted = 0  # recipients of this transaction
        self._patience = Patience(service.limits)
        self._ended: events.Ended | None = None
        self._say(Reply(220, "", f"{service.hostname} ESMTP mailserver"))

    # -- what the caller sees

    @property
    def state(self) -> State:
        """How far the client has come."""
        return self._state

    @property
    def in_data(self) -> bool:
        """Whether the client is sending a message."""
        return self._content is not None

    @property
    def errors(self) -> int:
        """Commands refused so far, recipients not counted."""
        return self._patience.errors

    def receive(self, data: bytes) -> None:
        """Take what came from the client."""
        self._lines.receive(data)

    def output(self) -> bytes:
        """What is to be sent; each octet once."""
        said, self._output = self._output, []
        self._flush = False
        return said[0] if len(said) == 1 else b"".join(said)

    def next(self) -> Event | None:
        """What happened next; None when that needs more input, or nothing happens any more."""
        if self._pending is not None:
            raise RuntimeError(f"{type(self._pending).__name__} waits for its answer")
        if self._ended is not None:
            ended, self._ended = self._ended, None
            return ended
        while not self.closed:
            if self._flush and self._lines:
                self._flush = False
                return _FLUSH
            if self._content is not None:
                return self._read_content(self._content)
            line = self._lines.next(self._line_limit)
            if line is None:
                return None
            event = self._respond(self._exchange, line) if self._exchange else self._command(line)
            if event is not None:
                return event
        return self.next() if self._ended is not None else None

    def answer(self, reply: Reply) -> None:
        """Answer the event that waits for it; what follows depends on the sign of *reply*."""
        event, self._pending = self._pending, None
        match event:
            case events.Mail():
                self._answer_mail(event, reply)
            case events.Recipient():
                self._answer_recipient(reply)
            case events.Data():
                self._answer_data(reply)
            case events.EndOfData():
                self._reset()
                self._patience.end_of_message()
                self._say(reply, at_once=True)
            case events.Auth():
                self._answer_auth(reply)
            case events.StartTls():
                self._answer_tls(reply)
            case _:
                raise RuntimeError("nothing waits for an answer")

    def end(self, reply: Reply) -> None:
        """Say *reply* instead of any answer, and close (RFC 5321 §3.8)."""
        self._pending = None
        self._say(self._signed(reply))
        self.closed = True

    # -- commands

    def _line_limit(self, line: bytes) -> int:
        if self._exchange or line[:5].upper() == b"AUTH ":
            return MAX_LINE
        return self.service.limits.line_size

    def _command(self, line: Line) -> Event | None:
        if line.fault:
            return self._refuse("", line.fault)
        octets = line.octets.rstrip(b" \t")  # RFC 5321 §4.1.1: tolerated
        if _CONTROL.search(octets):
            return self._refuse("", replies.BAD_OCTETS)
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            return self._refuse("", replies.BAD_OCTETS)
        verb, _, rest = text.partition(" ")
        verb = verb.upper()
        command = COMMANDS.get(verb)
        if command is None:
            if verb in HTTP:
                return self._close(replies.NO_HTTP)
            return self._refuse("", replies.UNKNOWN_COMMAND)
        refusal = self._misplaced(verb, command, rest)
        if refusal is not None:
            return self._refuse(verb, refusal)
        if verb not in _MAILING and (enough := self._patience.idle()):
            return self._close(enough)
        return _HANDLERS[verb](self, rest)

    def _misplaced(self, verb: str, command: Command, rest: str) -> Reply | None:
        """Why the command cannot be heard at all, whatever its argument says."""
        if command.submission and not self.service.is_submission:
            return replies.NO_AUTH_HERE
        if not command.implemented:
            return replies.NOT_IMPLEMENTED
        if self._state not in command.allowed:
            if self._state is State.NEW:
                return replies.EHLO_FIRST
            if verb == "DATA" and self._patience.has_tried:
                return replies.NO_RECIPIENTS
            return replies.out_of_order(command.out_of_order)
        if command.argument is Argument.NONE and rest:
            return replies.NO_ARGUMENT_ALLOWED
        if command.argument is Argument.REQUIRED and not rest:
            return (
                replies.BAD_HELLO
                if verb in {"EHLO", "HELO"}
                else Reply(501, "5.5.4", f"Syntax: {command.syntax}")
            )
        return None

    def _on_ehlo(self, rest: str) -> Event | None:
        return self._hello("EHLO", rest)

    def _on_helo(self, rest: str) -> Event | None:
        return self._hello("HELO", rest)

    def _hello(self, verb: str, rest: str) -> Event | None:
        """Client: underscores and a comment behind the name are common and taken (RFC 5321 §4.1.1.1)."""
        name = rest.lstrip(" ").partition(" ")[0]
        if not _NAME.fullmatch(name):
            return self._refuse(verb, replies.BAD_HELLO)
        self._reset()
        self._state = State.READY
        lines = [self.service.hostname]
        if verb == "EHLO":
            lines += extensions(
                self.service.limits.message_size,
                starttls=self.service.has_tls and not self.is_tls,
                mechanisms=self._mechanisms() if self.service.is_submission else (),
            )
        self._say(Reply(250, "", "\n".join(lines)), at_once=True)
        return events.Hello(verb, name)

    def _on_mail(self, rest: str) -> Event | None:
        if self.service.is_submission and not self.is_authenticated:
            first = replies.AUTH_FIRST if self._mechanisms() else replies.TLS_FIRST
            return self._refuse("MAIL", first)
        if enough := self._patience.message():
            return self._close(enough)
        said = envelope.mail(rest, self._offer, self.service.limits.message_size, self.now)
        return self._refuse("MAIL", said) if isinstance(said, Reply) else self._ask(said)

    def _on_rcpt(self, rest: str) -> Event | None:
        if enough := self._patience.recipient():
            return self._close(enough)
        said = envelope.recipient(rest, smtputf8=self._utf8)
        if isinstance(said, Reply):
            return self._refuse("RCPT", said)
        if self._accepted >= self.service.limits.recipients:
            return self._refuse("RCPT", replies.TOO_MANY_RECIPIENTS)
        return self._ask(said)

    def _on_data(self, _rest: str) -> Event | None:
        return self._ask(_DATA)

    def _on_rset(self, _rest: str) -> Event | None:
        self._reset()
        self._say(replies.RESET)
        return events.Reset()

    def _on_vrfy(self, rest: str) -> Event | None:
        """Addresses are verified by RCPT alone, which is counted (RFC 5321 §7.3)."""
        if not rest.isascii() and not rest.upper().endswith(" SMTPUTF8"):
            return self._refuse("VRFY", replies.VRFY_WANTS_SMTPUTF8)
        self._say(replies.CANNOT_VRFY, at_once=True)
        return None

    def _on_help(self, rest: str) -> Event | None:
        text = help_on(rest, is_submission=self.service.is_submission)
        if text is None:
            return self._refuse("HELP", replies.NO_HELP)
        self._say(Reply(214, "2.0.0", text), at_once=True)
        return None

    def _on_noop(self, _rest: str) -> Event | None:
        self._say(replies.OK, at_once=True)
        return None

    def _on_quit(self, _rest: str) -> Event | None:
        self._reset()
        self._say(Reply(221, "2.0.0", f"{self.service.hostname} closing connection, goodbye"))
        self.closed = True
        return events.Quit()

    def _on_starttls(self, _rest: str) -> Event | None:
        if self.is_tls:
            return self._refuse("STARTTLS", replies.TLS_ALREADY)
        if not self.service.has_tls:
            return self._refuse("STARTTLS", replies.NO_STARTTLS)
        return self._ask(events.StartTls(len(self._lines)))

    # -- authentication (RFC 4954 §4)

    def _on_auth(self, rest: str) -> Event | None:
        if self.is_authenticated:
            return self._refuse("AUTH", replies.LOGGED_IN_ALREADY)
        if not self._mechanisms():
            return self._refuse("AUTH", replies.TLS_FOR_AUTH)
        name, _, initial = rest.partition(" ")
        mechanism = begin(name, self.is_tls, self._cleartext)
        if mechanism is None:
            return self._refuse("AUTH", replies.UNKNOWN_MECHANISM)
        exchange = Exchange(name.upper(), mechanism)
        return self._exchanged(exchange, exchange.begin(initial))

    def _respond(self, exchange: Exchange, line: Line) -> Event | None:
        if line.fault is replies.LINE_TOO_LONG:
            return self._exchanged(exchange, replies.RESPONSE_TOO_LONG)
        return self._exchanged(exchange, line.fault or exchange.hear(line.octets))

    def _exchanged(self, exchange: Exchange, said: Reply | Credentials) -> Event | None:
        self._exchange = None
        if isinstance(said, Credentials):
            return self._ask(events.Auth(exchange.name, said))
        if said.code != 334:
            return self._refuse("AUTH", said)
        self._exchange = exchange
        self._say(said, at_once=True)
        return None

    # -- content

    def _read_content(self, content: Content) -> Event | None:
        if not self._lines:
            return None
        piece, rest = content.feed(self._lines.take())
        if rest is None:
            if content.size > 2 * self.service.limits.message_size + SLACK:
                return self._close(replies.TOO_LARGE)
            return events.Content(piece) if piece else None
        self._lines.receive(rest)
        self._content = None
        fault = (
            replies.TOO_LARGE
            if content.is_large
            else replies.BARE_CONTENT
            if content.is_bare
            else None
        )
        return self._ask(events.EndOfData(piece, content.size, fault))

    # -- what answers do

    def _answer_mail(self, event: events.Mail, reply: Reply) -> None:
        if reply.is_positive:
            self._state = State.MAIL
            self._utf8 = event.smtputf8
            self._say(reply)
        else:
            self._count_error(reply, at_once=False)

    def _answer_recipient(self, reply: Reply) -> None:
        if reply.is_positive:
            self._state = State.RCPT
            self._accepted += 1
            self._say(reply)
        else:
            self._count_recipient(reply)

    def _answer_data(self, reply: Reply) -> None:
        if reply.is_positive:
            self._content = Content(self.service.limits.message_size)
            self._say(reply, at_once=True)
        else:
            self._count_error(reply, at_once=True)

    def _answer_auth(self, reply: Reply) -> None:
        if reply.is_positive:
            self.is_authenticated = True
        elif reply.is_permanent and (enough := self._patience.failed_login()):
            self._close(enough)
            return
        self._say(reply, at_once=True)

    def _answer_tls(self, reply: Reply) -> None:
        if not reply.is_positive:
            self._count_error(reply, at_once=True)
            return
        self._reset()
        self._state = State.NEW
        self._lines.discard()
        self.is_tls = True
        self._offer = _offer(self.service, is_tls=True)
        self.is_authenticated = False
        self._say(reply)

    # -- helpers

    def _mechanisms(self) -> tuple[str, ...]:
        return offered(self.is_tls, self._cleartext)

    def _ask(self, event: Event) -> Event:
        self._pending = event
        return event

    def _say(self, reply: Reply, *, at_once: bool = False) -> None:
        self._output.append(bytes(reply))
        self._flush = self._flush or at_once

    def _refuse(self, verb: str, reply: Reply) -> Event | None:
        if verb == "RCPT":
            self._count_recipient(reply)
        else:
            self._count_error(reply, at_once=not verb or not COMMANDS[verb].is_grouped)
        return None if self.closed else events.Refused(verb, reply)

    def _count_error(self, reply: Reply, *, at_once: bool) -> None:
        if enough := self._patience.error():
            self._close(enough)
        else:
            self._say(reply, at_once=at_once)

    def _count_recipient(self, reply: Reply) -> None:
        if enough := self._patience.refused_recipient(reply):
            self._close(enough)
        else:
            self._say(reply)

    def _close(self, reply: Reply) -> Event | None:
        """Answer with *reply* and close; the next event says so."""
        self._say(self._signed(reply))
        self._ended = events.Ended(reply)
        self.closed = True
        return None

    def _signed(self, reply: Reply) -> Reply:
        """A 421 begins with our name, for machines (RFC 5321 §4.2)."""
        if reply.code != 421:
            return reply
        return Reply(421, reply.status, f"{self.service.hostname} {reply.text}")

    def _reset(self) -> None:
        """No transaction (RFC 5321 §4.1.4)."""
        if self._state is not State.NEW:
            self._state = State.READY
        self._accepted = 0
        self._patience.reset()
        self._utf8 = False


def _offer(service: Service, *, is_tls: bool) -> Offer:
    hold_s = service.limits.hold_s if service.is_submission else 0
    return Offer(service.is_submission, is_tls, hold_s=hold_s)


_MAILING = frozenset({"MAIL", "RCPT", "DATA"})

_HANDLERS: dict[str, Callable[[Connection, str], Event | None]] = {
    "EHLO": Connection._on_ehlo,
    "HELO": Connection._on_helo,
    "MAIL": Connection._on_mail,
    "RCPT": Connection._on_rcpt,
    "DATA": Connection._on_data,
    "RSET": Connection._on_rset,
    "VRFY": Connection._on_vrfy,
    "HELP": Connection._on_help,
    "NOOP": Connection._on_noop,
    "QUIT": Connection._on_quit,
    "STARTTLS": Connection._on_starttls,
    "AUTH": Connection._on_auth,
}
