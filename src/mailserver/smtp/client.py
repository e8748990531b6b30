"""The client's side of one SMTP or LMTP connection: replies in, commands out; no socket, no clock.

Spec: RFC 5321 §3.1, §3.2, §4.1.1.1; RFC 3207 §4; RFC 2033 §4.1.  Status: complete.

    client = Client("mail.example.org", limit=65_536)
    run(client.open(Tls.MAY))                       # greeting, EHLO, STARTTLS, AUTH
    answers = run(client.send(outgoing))             # one for each recipient

What `open` and `send` return are steps (`smtp/client_steps.py`): whoever has the socket carries them out.
"""

from mailserver.smtp import client_capabilities
from mailserver.smtp.client_auth import authenticate
from mailserver.smtp.client_capabilities import Capabilities
from mailserver.smtp.client_probe import probe
from mailserver.smtp.client_replies import Heard, ReplyReader
from mailserver.smtp.client_steps import Handshake, Steps, ask, nonsense
from mailserver.smtp.client_transaction import Transaction
from mailserver.smtp.outgoing import Answer, HopError, Login, Outgoing, Stage, Tls
from mailserver.smtp.reply import Reply

NO_STARTTLS = Reply(454, "4.7.4", "TLS is required, and the next server does not offer it")
EARLY = Reply(
    454, "4.7.5", "The next server sent more than its reply before TLS began; this may be an attack"
)


class Client:
    """One connection: what the server can do, and whether it takes another transaction.

    sent: transactions so far.
    """

    __slots__ = (
        "_is_lmtp",
        "_is_over",
        "_needs_reset",
        "capabilities",
        "hostname",
        "is_tls",
        "replies",
        "sent",
    )

    def __init__(
        self, hostname: str, *, limit: int, is_lmtp: bool = False, is_tls: bool = False
    ) -> None:
        """hostname: what we call ourselves; limit: octets of one reply; is_tls: TLS began before the greeting."""
        self.hostname = hostname
        self.is_tls = is_tls
        self.replies = ReplyReader(limit)
        self.capabilities: Capabilities = client_capabilities.NONE
        self.sent = 0
        self._is_lmtp = is_lmtp
        self._is_over = False
        self._needs_reset = False

    @property
    def is_reusable(self) -> bool:
        """Another transaction may follow: the server is of that mind, and in step with us."""
        most = self.capabilities.mail_max
        return not self._is_over and not self.replies and (most is None or self.sent < most)

    def open(self, tls: Tls, login: Login | None = None) -> Steps[None]:
        """From the greeting to where MAIL may be said.  Raises HopError."""
        heard = yield from ask(b"", Stage.GREETING)
        if heard.code != 220:
            raise _refused(heard, Stage.GREETING)
        yield from self._hello()
        if not self.is_tls and tls is not Tls.NEVER:
            yield from self._start_tls(is_must=tls is not Tls.MAY)
        if login is not None:
            yield from authenticate(self.capabilities, login, is_tls=self.is_tls)

    def send(self, outgoing: Outgoing) -> Steps[tuple[Answer, ...]]:
        """An answer for each recipient, in their order."""
        transaction = Transaction(self.capabilities, outgoing, self._is_lmtp)
        self.sent += 1
        yield from transaction.run(reset=self._needs_reset, is_tls=self.is_tls)
        self._needs_reset = transaction.needs_reset
        self._is_over = transaction.is_over
        return tuple(answer for answer in transaction.answers if answer is not None)

    def probe(self, address: str) -> Steps[Answer]:
        """What the server says of *address* as a recipient; no message is sent.  Never raises."""
        self.sent += 1
        try:
            answer = yield from probe(self.capabilities, address, reset=self._needs_reset)
        except HopError as error:
            self._is_over = True
            return error.answer
        self._needs_reset = True
        return answer

    def _hello(self) -> Steps[None]:
        """EHLO, or HELO with a server that does not know it (RFC 5321 §3.2); LHLO over LMTP (RFC 2033 §4.1)."""
        name = self.hostname.encode()
        heard = yield from ask(
            (b"LHLO " if self._is_lmtp else b"EHLO ") + name + b"\r\n", Stage.EHLO
        )
        if heard.is_positive:
            self.capabilities = client_capabilities.parse(heard.lines)
            return
        if heard.code >= 500 and not self._is_lmtp:
            heard = yield from ask(b"HELO " + name + b"\r\n", Stage.EHLO)
        if not heard.is_positive:
            raise _refused(heard, Stage.EHLO)
        self.capabilities = client_capabilities.NONE

    def _start_tls(self, *, is_must: bool) -> Steps[None]:
        """TLS if it is offered, and EHLO again, for what was said before may be forged (RFC 3207 §4.2)."""
        if "STARTTLS" in self.capabilities:
            heard = yield from ask(b"STARTTLS\r\n", Stage.STARTTLS)
            if heard.is_positive:
                if self.replies:
                    raise HopError(Answer(EARLY, Stage.STARTTLS, is_ours=True))
                yield Handshake()
                self.is_tls = True
                yield from self._hello()
                return
            if heard.code < 400:
                raise nonsense(heard, Stage.STARTTLS)
        if is_must:
            raise HopError(Answer(NO_STARTTLS, Stage.STARTTLS, is_ours=True))


def _refused(heard: Heard, stage: Stage) -> HopError:
    return nonsense(heard, stage) if heard.code < 400 else HopError(Answer(heard.reply, stage))
