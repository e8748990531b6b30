"""How the client's side of a connection is written: as generators that say what to do next.

Spec: RFC 5321 §4.1.1 (a command, then its reply).  Status: complete.

A generator of steps yields an effect and is sent what came of it.  Whoever runs it has the socket and the clock; he
throws a HopError into it when there is no answer.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from mailserver.smtp.client_replies import Heard
from mailserver.smtp.outgoing import Answer, HopError, Stage
from mailserver.smtp.reply import Reply


class Ask(NamedTuple):
    """Send *data*, which may be empty, and give me the next reply."""

    data: bytes
    stage: Stage


class Give(NamedTuple):
    """Send *data* of a content; nothing comes back, go on when the peer takes more."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Fetch:
    """Give me the next piece of the content; b"" at its end."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """Begin TLS now."""


Effect = Ask | Give | Fetch | Handshake
T = TypeVar("T")
Steps = Generator[Effect, Heard | bytes | None, T]

_FETCH = Fetch()


def ask(data: bytes, stage: Stage) -> Steps[Heard]:
    """The reply to *data*.  Raises HopError after a 421, which ends the connection (RFC 5321 §3.8)."""
    heard = yield Ask(data, stage)
    if not isinstance(heard, Heard):
        raise TypeError("a reply was asked for")
    if heard.code == 421:
        raise HopError(Answer(heard.reply, stage))
    return heard


def fetch() -> Steps[bytes]:
    """The next piece of the content; b"" at its end."""
    piece = yield _FETCH
    if not isinstance(piece, bytes):
        raise TypeError("a piece of the content was asked for")
    return piece


def nonsense(heard: Heard, stage: Stage) -> HopError:
    """The peer's reply is valid, but can be no answer to what was said."""
    text = f"Unexpected reply: {heard.reply}"
    return HopError(Answer(Reply(451, "4.5.0", text[:1_000]), stage, is_ours=True))
