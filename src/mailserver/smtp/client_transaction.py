"""One message to one server: MAIL, RCPT, DATA or BDAT, and an answer for each recipient.

Spec: RFC 5321 §3.3, §4.1.1; RFC 2920 §3.1; RFC 3030 §2; RFC 2033 §4.2.  Status: complete.

With PIPELINING all commands leave in one piece, DATA as the last of them; every reply is waited for and counted.  If
DATA was accepted although no recipient was, a lone dot ends it (RFC 2920 §3.1).
"""

from dataclasses import dataclass, field

from mailserver.smtp import client_envelope as envelope
from mailserver.smtp.client_capabilities import Capabilities
from mailserver.smtp.client_content import Stuffer
from mailserver.smtp.client_replies import Heard
from mailserver.smtp.client_steps import Give, Steps, ask, fetch, nonsense
from mailserver.smtp.outgoing import Answer, HopError, Outgoing, Stage

LARGE = 1_048_576  #: octets from which a message goes by BDAT, where that is offered


@dataclass(slots=True)
class Transaction:
    """What has been heard so far.

    answers:     for each recipient in their order, None while there is none.
    is_over:     the connection takes no further transaction.
    needs_reset: the server has a transaction open that came to nothing.
    """

    capabilities: Capabilities
    outgoing: Outgoing
    is_lmtp: bool = False
    answers: list[Answer | None] = field(default_factory=list)
    is_over: bool = False
    needs_reset: bool = False

    def run(self, *, reset: bool, is_tls: bool) -> Steps[None]:
        """Sends the message; afterwards each recipient has its answer, whatever happened.

        reset: the transaction before is to be cleared first.
        """
        self.answers = [None] * len(self.outgoing.recipients)
        self.needs_reset = reset
        refusal = envelope.unfit(self.capabilities, self.outgoing, is_tls=is_tls)
        if refusal is not None:
            self._fill(Answer(refusal, Stage.MAIL, is_ours=True))
            return
        try:
            commands = self._commands()
        except ValueError:
            self._fill(Answer(envelope.BAD_ADDRESS, Stage.MAIL, is_ours=True))
            return
        try:
            accepted = yield from self._envelope(commands)
            if accepted:
                yield from self._content(accepted)
        except HopError as error:
            self.is_over = True
            self._fill(error.answer)

    @property
    def uses_bdat(self) -> bool:
        """The content goes in one chunk: no reply to DATA is waited for, and no line looked at."""
        return self.outgoing.size >= LARGE and "CHUNKING" in self.capabilities

    # -- the envelope

    def _commands(self) -> list[bytes]:
        is_utf8 = envelope.needs_utf8(self.outgoing)
        commands = [envelope.mail(self.capabilities, self.outgoing)]
        for recipient in self.outgoing.recipients:
            commands.append(envelope.rcpt(self.capabilities, recipient, is_utf8=is_utf8))
        return commands

    def _envelope(self, commands: list[bytes]) -> Steps[list[int]]:
        """The recipients that the content may be sent for now."""
        is_grouped = "PIPELINING" in self.capabilities
        if not self.uses_bdat:
            commands.append(b"DATA\r\n")
        if self.needs_reset:
            commands.insert(0, b"RSET\r\n")
        if is_grouped:
            commands = [b"".join(commands), *[b""] * (len(commands) - 1)]
        saying = iter(commands)
        if self.needs_reset:
            heard = yield from ask(next(saying), Stage.RSET)
            if not heard.is_positive:
                raise nonsense(heard, Stage.RSET)
            self.needs_reset = False
        mail = yield from _ask(next(saying), Stage.MAIL)
        if not mail.is_positive and not is_grouped:
            self._fill(Answer(mail.reply, Stage.MAIL))
            return []
        accepted = []
        for i in range(len(self.answers)):
            heard = yield from _ask(next(saying), Stage.RCPT)
            if heard.is_positive:
                accepted.append(i)
            elif mail.is_positive:
                self.answers[i] = Answer(heard.reply, Stage.RCPT)
        if not mail.is_positive:
            self._fill(Answer(mail.reply, Stage.MAIL))
            accepted = []
        self.needs_reset = mail.is_positive
        if self.uses_bdat or (not accepted and not is_grouped):
            return accepted
        return (yield from self._data(next(saying), accepted))

    def _data(self, command: bytes, accepted: list[int]) -> Steps[list[int]]:
        heard = yield from ask(command, Stage.DATA)
        if heard.is_positive or (heard.code != 354 and heard.code < 400):
            raise nonsense(heard, Stage.DATA)
        if heard.code != 354:
            self._settle(accepted, Answer(heard.reply, Stage.DATA))
            return []
        if not accepted:
            yield from ask(b".\r\n", Stage.END)
        self.needs_reset = False  # the end of the content ends the transaction
        return accepted

    # -- the content

    def _content(self, accepted: list[int]) -> Steps[None]:
        first = yield from (self._as_it_is() if self.uses_bdat else self._stuffed())
        # RFC 3030 §2: a transaction whose BDAT failed is to be cleared
        self.needs_reset = self.uses_bdat and not first.is_positive
        if not self.is_lmtp:
            self._settle(accepted, _answer(first, Stage.END))
            return
        for i in accepted:  # a reply for each (RFC 2033 §4.2)
            heard = first if i == accepted[0] else (yield from ask(b"", Stage.END))
            self.answers[i] = _answer(heard, Stage.END)

    def _stuffed(self) -> Steps[Heard]:
        """The reply to the final dot, which leaves together with the last piece."""
        stuffer = Stuffer()
        ready = b""
        while piece := (yield from fetch()):
            if ready:
                yield Give(ready)
            ready = stuffer.feed(piece)
        return (yield from ask(ready + stuffer.end(), Stage.END))

    def _as_it_is(self) -> Steps[Heard]:
        """The reply to the only chunk.  Raises ValueError, before its end, if the content is not as long as said."""
        size = self.outgoing.size
        ready = b"BDAT %d LAST\r\n" % size
        seen = 0
        while piece := (yield from fetch()):
            if seen and seen + len(piece) <= size:
                yield Give(ready)
                ready = b""
            ready += piece
            seen += len(piece)
            if seen > size:
                break
        if seen != size:
            raise ValueError(f"a content of {size} octets was announced, and it has {seen} or more")
        return (yield from ask(ready, Stage.END))

    # -- helpers

    def _settle(self, accepted: list[int], answer: Answer) -> None:
        for i in accepted:
            self.answers[i] = answer

    def _fill(self, answer: Answer) -> None:
        """*answer* for all who have none."""
        self.answers = [answer if known is None else known for known in self.answers]


def _ask(data: bytes, stage: Stage) -> Steps[Heard]:
    """A reply that accepts or refuses."""
    heard = yield from ask(data, stage)
    if 300 <= heard.code < 400:
        raise nonsense(heard, stage)
    return heard


def _answer(heard: Heard, stage: Stage) -> Answer:
    if 300 <= heard.code < 400:
        raise nonsense(heard, stage)
    return Answer(heard.reply, stage)
