"""The server's side of one SMTP connection: bytes in, events and bytes out; no socket, no clock, no look-up.

Spec: RFC 5321 §4; RFC 2920 §3.2; RFC 3207 §4.2; RFC 4954 §4; RFC 6531 §3; RFC 3030 §2; RFC 2033 §4.  Status: complete.

    connection = Connection(service, is_tls=False, cleartext=False)
    write(connection.output())                      # the greeting
    connection.receive(data)
    while event := connection.next():               # None: more input is needed
        connection.answer(reply)                    # for the events that ask for one
    write(connection.output())

Grammar, order, limits and the authentication dialogue are kept here; whom mail is for and who may send it is the
caller's to say.  The next event comes only when the one before is answered, so answers are in the order of commands.
What each command does stands in `simple.py`, `mailing.py` and `login.py`.
"""

import re
from collections.abc import Callable, Sequence

from mailserver.sasl.mechanism import Challenge
from mailserver.sasl.registry import Channel
from mailserver.smtp import events, login, mailing, replies, simple
from mailserver.smtp.chunks import Chunks
from mailserver.smtp.commands import COMMANDS, HTTP, State, misplaced
from mailserver.smtp.data import Content
from mailserver.smtp.events import Event
from mailserver.smtp.exchange import MAX_LINE, Exchange
from mailserver.smtp.lines import Line, Lines
from mailserver.smtp.patience import Patience
from mailserver.smtp.reply import Reply
from mailserver.smtp.service import Service

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FLUSH = events.Flush()


class Connection:
    """One connection.  The caller drives it with `receive`, `next`, `answer` and `output`.

    now:          UTC epoch seconds, set by the caller before `receive`; only submission looks at it.
    message_size: octets that a message may have; the caller may set what holds for an account once it has logged in.
    state:        how far the client has come.
    closed:       nothing is read any more: send the output and close.
    The other attributes are for the handlers of the commands.
    """

    __slots__ = (
        "_ended",
        "_flush",
        "_output",
        "_pending",
        "accepted",
        "channel",
        "chunks",
        "closed",
        "content",
        "exchange",
        "is_authenticated",
        "is_binary",
        "is_tls",
        "is_utf8",
        "lines",
        "message_size",
        "now",
        "offer",
        "patience",
        "service",
        "state",
    )

    def __init__(self, service: Service, *, is_tls: bool, cleartext: bool) -> None:
        """cleartext: passwords may be sent without TLS on this connection.

        Whoever knows more of the connection, such as data to bind a log-in to it, replaces `channel`, also after TLS.
        """
        self.service = service
        self.is_tls = is_tls
        self.channel = Channel(is_private=is_tls or cleartext)
        self.is_authenticated = False
        self.closed = False
        self.now = 0
        self.message_size = service.limits.message_size
        self.offer = service.offer(is_tls=is_tls)
        self.state = State.NEW
        self.lines = Lines()
        self.patience = Patience(service.limits)
        self.exchange: Exchange | None = None
        self.content: Content | Chunks | None = None  # what is being read
        self.chunks: Chunks | None = None  # of this transaction
        self.accepted = 0  # recipients of this transaction
        self.is_utf8 = self.is_binary = False  # its sender has said so
        self._output: list[bytes] = []
        self._flush = False
        self._pending: Event | None = None
        self._ended: events.Ended | None = None
        self.say(simple.greeting(service))

    # -- what the caller sees

    @property
    def in_data(self) -> bool:
        """Whether the client is sending a message."""
        return self.content is not None

    @property
    def errors(self) -> int:
        """Commands refused so far, recipients not counted."""
        return self.patience.errors

    def receive(self, data: bytes) -> None:
        """Take what came from the client."""
        self.lines.receive(data)

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
            if self._flush and self.lines:
                self._flush = False
                return _FLUSH
            if self.content is not None:
                if not self.lines and not self.content.is_whole:
                    return None
                event = mailing.read(self, self.content)
            else:
                line = self.lines.next(self.service.limits.line_size, self._line_limit)
                if line is None:
                    return None
                event = login.heard(self, line) if self.exchange else self._command(line)
            if event is not None:
                return event
        return self.next() if self._ended is not None else None

    def answer(self, reply: Reply) -> None:
        """Answer the event that waits for it; what follows depends on the sign of *reply*."""
        event, self._pending = self._pending, None
        answer = ANSWERS.get(type(event))
        if answer is not None:
            answer(self, reply)
        elif isinstance(event, events.Mail):
            mailing.answer_mail(self, event, reply)
        else:
            raise RuntimeError("nothing waits for an answer")

    def answer_each(self, said: Sequence[Reply]) -> None:
        """Answer EndOfData over LMTP: a reply for each recipient that was accepted, in their order (RFC 2033 §4.2)."""
        self._pending = None
        mailing.answer_message(self, said)

    def go_on(self, challenge: Challenge) -> None:
        """Answer Auth with what the mechanism says next."""
        self._pending = None
        login.go_on(self, challenge)

    def end(self, reply: Reply) -> None:
        """Say *reply* instead of any answer, and close (RFC 5321 §3.8)."""
        self._pending = None
        self.say(self._signed(reply))
        self.closed = True

    # -- what the handlers call

    def ask(self, event: Event) -> Event:
        """*event*, which waits for an answer."""
        self._pending = event
        return event

    def say(self, reply: Reply, *, at_once: bool = False) -> None:
        """Answer a command; *at_once* when the client may wait for it before it goes on (RFC 2920 §3.1)."""
        self._output.append(bytes(reply))
        self._flush = self._flush or at_once

    def refuse(self, verb: str, reply: Reply) -> Event | None:
        """Refuse a command and count that."""
        if verb == "RCPT":
            self.count_recipient(reply)
        else:
            self.count_error(reply, at_once=not verb or not COMMANDS[verb].is_grouped)
        return None if self.closed else events.Refused(verb, reply)

    def count_error(self, reply: Reply, *, at_once: bool) -> None:
        """Refuse a command; close if it was one too many."""
        if enough := self.patience.error():
            self.close(enough)
        else:
            self.say(reply, at_once=at_once)

    def count_recipient(self, reply: Reply) -> None:
        """Refuse a recipient; close if it was one too many."""
        if enough := self.patience.refused_recipient(reply):
            self.close(enough)
        else:
            self.say(reply)

    def close(self, reply: Reply) -> Event | None:
        """Answer with *reply* and close; the next event says so."""
        self.say(self._signed(reply))
        self._ended = events.Ended(reply)
        self.closed = True
        return None

    def reset(self) -> None:
        """No transaction (RFC 5321 §4.1.4)."""
        if self.state is not State.NEW:
            self.state = State.READY
        self.accepted = 0
        self.is_utf8 = self.is_binary = False
        self.chunks = None
        self.patience.reset()

    # -- helpers

    def _line_limit(self, line: bytes) -> int:
        if self.exchange or line[:5].upper() == b"AUTH ":
            return MAX_LINE
        return self.service.limits.line_size

    def _command(self, line: Line) -> Event | None:
        if line.fault:
            return self.refuse("", line.fault)
        octets = line.octets.rstrip(b" \t")  # RFC 5321 §4.1.1: tolerated
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            return self.refuse("", replies.BAD_OCTETS)
        if not text.isprintable() and _CONTROL.search(octets):
            return self.refuse("", replies.BAD_OCTETS)
        verb, _, rest = text.partition(" ")
        verb = verb.upper()
        command = COMMANDS.get(verb)
        if command is None:
            if verb in HTTP:
                return self.close(replies.NO_HTTP)
            return self.refuse("", replies.UNKNOWN_COMMAND)
        refusal = misplaced(command, rest, self.state, self.service.kind)
        if verb == "BDAT":
            return mailing.bdat(self, rest, refusal)
        if refusal is not None:
            if verb == "DATA" and self.state is State.MAIL and self.patience.has_tried:
                refusal = mailing.no_recipients(self)
            return self.refuse(verb, refusal)
        if verb not in _MAILING and (enough := self.patience.idle()):
            return self.close(enough)
        return HANDLERS[verb](self, rest)

    def _signed(self, reply: Reply) -> Reply:
        """A 421 begins with our name, for machines (RFC 5321 §4.2)."""
        if reply.code != 421:
            return reply
        return Reply(421, reply.status, f"{self.service.hostname} {reply.text}")


_MAILING = frozenset({"MAIL", "RCPT", "DATA"})

#: what follows an answer; MAIL is apart, whose event is asked as well
ANSWERS: dict[type[Event | None], Callable[[Connection, Reply], None]] = {
    events.Recipient: mailing.answer_recipient,
    events.Data: mailing.answer_data,
    events.EndOfData: lambda c, reply: mailing.answer_message(c, [reply] * c.accepted),
    events.Chunk: mailing.answer_chunk,
    events.Auth: login.answer,
    events.StartTls: simple.answer_tls,
}

#: what each command does; BDAT is apart, its octets are read even where it is refused
HANDLERS: dict[str, Callable[[Connection, str], Event | None]] = {
    "EHLO": simple.ehlo,
    "HELO": simple.helo,
    "LHLO": simple.lhlo,
    "MAIL": mailing.mail,
    "RCPT": mailing.rcpt,
    "DATA": mailing.data,
    "RSET": simple.rset,
    "VRFY": simple.vrfy,
    "HELP": simple.help,
    "NOOP": simple.noop,
    "QUIT": simple.quit,
    "STARTTLS": simple.starttls,
    "AUTH": login.auth,
}
