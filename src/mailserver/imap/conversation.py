"""What a handler asks of the world: effects that it yields and whose results it is sent.

A conversation is a generator `(session, args) -> Generator[Effect, Any, Tagged | None]`.  It never waits itself:
whoever drives the connection carries out the effect and sends the result in, or throws the error in.  When the
connection is lost the generator is closed.

Spec: RFC 3501 §5.5, §7.5; RFC 2177 §3.  Status: complete.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from mailserver.base.ids import BlobId
from mailserver.imap.response import Tagged
from mailserver.mime.layout import Part
from mailserver.sasl.mechanism import Proof, Wanted

if TYPE_CHECKING:
    from mailserver.store.spool import Body
    from mailserver.store.tx import Read as ReadTx
    from mailserver.store.tx import Write as WriteTx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BlobRange:
    """Octets of a stored body that the driver reads piece by piece while it sends them."""

    blob: BlobId
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class BlobDecoded:
    """Octets of a stored part without its transfer encoding, decoded piece by piece while they are sent.

    skip, length: of the decoded octets.
    """

    blob: BlobId
    part: Part
    skip: int
    length: int


Chunk: TypeAlias = bytes | BlobRange | BlobDecoded


@dataclass(frozen=True, slots=True)
class Read:
    """Run *job* in one read transaction, in a reader thread.  Sent back: what it returned."""

    job: "Callable[[ReadTx], Any]"


@dataclass(frozen=True, slots=True)
class Write:
    """Run *job* in one write transaction, in the writer thread.  Sent back, after COMMIT: what it returned.

    A commit that fails raises TryLater here.
    is_pure: the job is a function of its transaction alone and may be run again after it was undone; that is cheaper.
    """

    job: "Callable[[WriteTx], Any]"
    is_pure: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Send *chunks* in order; the handler goes on when the client has taken enough of them.  Sent back: None.

    A stored body is read outside of any transaction of the handler's, in pieces; its length must have been announced.
    """

    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class SendAndRead:
    """Send *chunks*, and run *job* as for Read meanwhile.  Sent back, after both: what *job* returned.

    A client that is slow to take the chunks has that result waiting for it, and nothing further.
    """

    chunks: Sequence[Chunk]
    job: "Callable[[ReadTx], Any]"


@dataclass(frozen=True, slots=True)
class Continue:
    """Send "+ text" and wait for the next line (RFC 3501 §7.5).  Sent back: the line, bytes without CRLF.

    *text* is wire octets: base64 in AUTHENTICATE.      secret: the line must never be logged.
    """

    text: bytes
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """Take in the literal that ends the command's line so far, after "+" if the client waits for one.

    Sent back: a store Body that the handler owns, and must discard or store.
    to_file: none of it shall stay in memory.
    """

    size: int
    is_synchronising: bool
    to_file: bool = False


@dataclass(frozen=True, slots=True)
class Assemble:
    """Put *pieces* together: bodies that have come in, octets, and parts of stored messages.

    Sent back: a store Body that the handler owns.  Raises Expunged, Corrupt, TryLater.
    """

    pieces: "Sequence[Body | bytes | BlobRange]"


@dataclass(frozen=True, slots=True)
class RestOfLine:
    """Sent back: what follows a Literal up to the CRLF, bytes; it may end by announcing the next one."""


@dataclass(frozen=True, slots=True)
class LineOrChanges:
    """Wait for a line, or for news of the selected mailbox.  Sent back: the line, or a Delta from the view's modseq on.

    For a client with an observer also the State of all mailboxes.  Raises Gone when the mailbox is no more.
    """


@dataclass(frozen=True, slots=True)
class InputOrChanges:
    """Wait, between two commands, for input or for news, also of other mailboxes.

    Sent back: None for input, a Delta as above, or the State of all mailboxes.  Raises Gone.
    """


@dataclass(frozen=True, slots=True)
class Thread:
    """Run pure work too long for the loop in a thread.  Sent back: what it returned."""

    act: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Prepare:
    """Put *body* where blobs live, synced if it is a file.  Sent back: a store Prepared."""

    body: "Body"
    threshold: int


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Check a log-in.  Sent back: the Account.  Raises AuthFailed, TryLater."""

    login: str
    password: str

    def __repr__(self) -> str:
        return f"Authenticate(login={self.login!r})"


@dataclass(frozen=True, slots=True)
class LookUp:
    """What is kept of the login that a mechanism asks for.  Sent back: Secrets.  Raises TryLater, LimitReached."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Accept:
    """Take a mechanism's verdict, after LookUp.  Sent back: the Account.  Raises AuthFailed, TryLater."""

    proof: Proof


@dataclass(frozen=True, slots=True)
class StartTls:
    """TLS from here on; input that has come before the handshake is dropped (RFC 3501 §6.2.1).  Sent back: None."""


@dataclass(frozen=True, slots=True)
class Compress:
    """DEFLATE from here on, in both directions (RFC 4978 §3).  Sent back: None."""


@dataclass(frozen=True, slots=True)
class Unauthenticate:
    """Back to a connection that has only just begun, but for TLS (RFC 8437 §3).  Sent back: None."""


Effect: TypeAlias = (
    Read
    | Write
    | Send
    | SendAndRead
    | Continue
    | Literal
    | Assemble
    | RestOfLine
    | LineOrChanges
    | InputOrChanges
    | Thread
    | Prepare
    | Authenticate
    | LookUp
    | Accept
    | StartTls
    | Compress
    | Unauthenticate
)

Conversation: TypeAlias = Generator[Effect, Any, Tagged | None]
