"""A server around the engine without any network: it takes mail for a few fixed addresses."""

from mailserver.base.limits import SmtpLimits
from mailserver.sasl.mechanism import Challenge, Credentials, Proof, Said, Wanted
from mailserver.smtp import events, replies
from mailserver.smtp.address import Address
from mailserver.smtp.reply import Reply
from mailserver.smtp.server import Connection
from mailserver.smtp.service import Kind, Service
from sasl.example import channel, kept

LIMITS = SmtpLimits(message_size=1000)
MX = Service("mx.example.test", Kind.MX, has_tls=True, limits=LIMITS)
BINARY = Service("mx.example.test", Kind.MX, has_tls=True, limits=LIMITS, has_binary=True)
SUBMISSION = Service("mx.example.test", Kind.SUBMISSION, has_tls=True, limits=LIMITS)
LMTP = Service("mx.example.test", Kind.LMTP, has_tls=True, limits=LIMITS)
SMALL = Service(
    "mx.example.test",
    Kind.SUBMISSION,
    has_tls=False,
    limits=SmtpLimits(
        message_size=1000,
        recipients=3,
        line_size=64,
        errors=4,
        refused_recipients=3,
        idle_commands=5,
        transactions=2,
        auth_failures=2,
    ),
)

KNOWN = {"alice", "bob", "postmaster", "müller", "joe smith"}
FULL = "full"
NOW = 1_700_000_000


def taken_for(recipient: str) -> Reply:
    """What LMTP says of him behind the content: bob's mailbox has just become full."""
    if recipient.startswith("bob@"):
        return Reply(452, "4.2.2", f"No room for {recipient}")
    return Reply(250, "2.0.0", f"Taken for {recipient}")


def is_secret(said: Said) -> bool:
    return isinstance(said, Credentials) and said.password == "secret"


def with_mechanisms() -> "Desk":
    """Where every mechanism is offered; "user" has the password "pencil"."""
    desk = Desk(SUBMISSION, is_tls=True)
    desk.connection.channel = channel(SUBMISSION.hostname)
    return desk


class Desk:
    """A feed for transcripts.  messages: what was accepted, as (sender, recipients, content)."""

    def __init__(self, service: Service, *, is_tls: bool = False, cleartext: bool = False) -> None:
        self.connection = Connection(service, is_tls=is_tls, cleartext=cleartext)
        self.messages: list[tuple[Address | None, list[str], bytes]] = []
        self.seen: list[events.Event] = []
        self.sender: Address | None = None
        self.recipients: list[str] = []
        self.content = b""
        self.connection.now = NOW
        self.flushes: list[bytes] = [self.connection.output()]

    @property
    def closed(self) -> bool:
        return self.connection.closed

    def __call__(self, data: bytes) -> bytes:
        if data and not self.connection.closed:
            self.connection.receive(data)
            while event := self.connection.next():
                self.seen.append(event)
                self.handle(event)
        said = self.connection.output()
        heard = b"".join([*self.flushes, said])
        self.flushes = []
        return heard

    def close(self) -> None:
        self.connection.closed = True

    def start_tls(self) -> None:
        assert self.connection.is_tls

    def handle(self, event: events.Event) -> None:
        answer = self.connection.answer
        match event:
            case events.Flush():
                self.flushes.append(self.connection.output())
            case events.Mail():
                self.sender, self.recipients, self.content = event.sender, [], b""
                answer(Reply(250, "2.1.0", "Sender OK"))
            case events.Recipient():
                local = event.address.localpart.lower()
                if local == FULL:
                    answer(Reply(452, "4.2.2", "Mailbox full"))
                elif local in KNOWN:
                    self.recipients.append(str(event.address))
                    answer(Reply(250, "2.1.5", "Recipient OK"))
                else:
                    answer(Reply(550, "5.1.1", "No such user here"))
            case events.Data():
                answer(replies.GO_AHEAD)
            case events.Content():
                self.content += event.data
            case events.Chunk():
                self.content += event.data
                answer(event.fault or replies.chunk(event.size))
            case events.EndOfData():
                if event.fault:
                    answer(event.fault)
                else:
                    self.content += event.data
                    assert event.size == len(self.content)
                    self.messages.append((self.sender, self.recipients, self.content))
                    if self.connection.service.is_lmtp:
                        self.connection.answer_each(list(map(taken_for, self.recipients)))
                        return
                    answer(Reply(250, "2.0.0", f"Taken, {len(self.content)} octets"))
            case events.Auth():
                said: Said = event.said
                if isinstance(said, Wanted):
                    said = said.answer(kept(said))
                if isinstance(said, Challenge):
                    self.connection.go_on(said)
                    return
                good = said.which is not None if isinstance(said, Proof) else is_secret(said)
                answer(replies.LOGGED_IN if good else Reply(535, "5.7.8", "Wrong"))
            case events.StartTls():
                answer(replies.START_TLS)
            case _:
                pass
