"""What happens on an SMTP connection, as its server hears it from the engine.

Events marked "answer" wait for `Connection.answer`; all others are already answered.  Those without fields are no
tuples, so that every event is true.
"""

from dataclasses import dataclass
from typing import NamedTuple

from mailserver.sasl.mechanism import Credentials, Proof, Wanted
from mailserver.smtp.address import Address
from mailserver.smtp.reply import Reply


class Hello(NamedTuple):
    """EHLO or HELO was accepted; a transaction that was open is gone (RFC 5321 §4.1.4)."""

    verb: str
    name: str  # what the client calls itself: printable ASCII without blanks


class Mail(NamedTuple):
    """Answer: MAIL, a transaction begins."""

    sender: Address | None  # None: "<>" (RFC 5321 §4.5.5)
    size: int | None  # octets, as declared (RFC 1870 §6)
    body: str | None  # "7BIT", "8BITMIME" (RFC 6152 §3) or "BINARYMIME" (RFC 3030 §3)
    smtputf8: bool  # RFC 6531 §3.4
    ret: str = ""  # "FULL", "HDRS", or not said (RFC 3461 §4.3)
    envid: str = ""  # decoded: printable ASCII (RFC 3461 §4.4)
    require_tls: bool = False  # RFC 8689 §2
    hold_until: int | None = (
        None  # UTC epoch seconds, not after what the limits allow (RFC 4865 §4)
    )


class Recipient(NamedTuple):
    """Answer: RCPT."""

    address: Address  # domain "" only for <Postmaster>
    notify: str = (
        ""  # "NEVER"; words of SUCCESS,FAILURE,DELAY in this order; or not said (RFC 3461 §4.1)
    )
    original: str = (
        ""  # "rfc822;..." or "utf-8;..." decoded, or not said (RFC 3461 §4.2; RFC 6533 §3)
    )


@dataclass(frozen=True, slots=True)
class Data:
    """Answer: the content is about to begin, with DATA or a first BDAT; on a positive one it follows."""


class Content(NamedTuple):
    """A piece of the message as it is meant, dots removed."""

    data: bytes


class EndOfData(NamedTuple):
    """Answer: the message is complete.

    data:  its last piece.
    size:  octets of all pieces, without stuffed dots.
    fault: why it must be refused; then nothing or not all of it was given out.
    """

    data: bytes
    size: int
    fault: Reply | None


class Chunk(NamedTuple):
    """Answer: a chunk has come that does not end the message (RFC 3030 §2); on a negative one the transaction is gone.

    data:  its last piece.
    size:  octets of the chunk.
    fault: why it must be refused; then nothing or not all of it was given out.
    """

    data: bytes
    size: int
    fault: Reply | None


class Auth(NamedTuple):
    """Answer: the client claims to be somebody, or has shown it (RFC 4954 §4).

    A mechanism that wants to know what is kept of a login is told so; what it says then is handled in the place of
    *said*, and a challenge is given to `Connection.go_on` instead of an answer.
    """

    mechanism: str
    said: Wanted | Credentials | Proof


class StartTls(NamedTuple):
    """Answer: on a positive one the handshake follows, and the client is a stranger again (RFC 3207 §4.2)."""

    discarded: int  # octets that the client sent too early


@dataclass(frozen=True, slots=True)
class Reset:
    """RSET: the transaction, if there was one, is gone."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT: send the output and close."""


class Refused(NamedTuple):
    """A command was refused by the engine itself: for the log."""

    verb: str  # "" if the line has none that we know
    reply: Reply


class Ended(NamedTuple):
    """The engine has enough of this client: send the output and close."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Flush:
    """Send the output now: the last command may not be answered in a group (RFC 2920 §3.2)."""


Event = (
    Hello
    | Mail
    | Recipient
    | Data
    | Content
    | Chunk
    | EndOfData
    | Auth
    | StartTls
    | Reset
    | Quit
    | Refused
    | Ended
    | Flush
)
