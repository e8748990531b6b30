"""What a mechanism says and hears: challenges, questions to us, and in the end a claim or a proof.

Spec: RFC 4422 §3.  Status: complete for mechanisms without a security layer.

A *claim* is a login with its password, to be checked by whoever keeps passwords.  A *proof* was checked by the
mechanism itself, with what is kept of the login: it asks for that on its way.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeAlias

#: octets of one decoded response: three productions of 255 octets are due (RFC 4616 §2), we take rather more
MAX_RESPONSE = 4_096


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's next words, before base64; empty for a client that speaks first (RFC 4422 §5)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client claims to be.  Never log it: the password is left out of the repr all the same.

    authzid: whom to act as; "" means the login itself (RFC 4422 §3.4.1).
    """

    authzid: str
    login: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a client has shown.

    which: the place, in what was kept, of the secret that it knows; None: it knows none of them.
    """

    authzid: str
    login: str
    which: int | None


class Kept(Enum):
    """What a mechanism needs to know of a login."""

    SCRAM_KEYS = "salt, iterations and keys (RFC 5802 §3)"
    PASSWORDS = "passwords as they are"
    CERTIFICATE = "nothing: the certificate was checked by TLS (RFC 4422 Appendix A)"


@dataclass(frozen=True, slots=True)
class Keys:
    """What is kept of a password for SCRAM: enough to check it, not enough to log in elsewhere (RFC 5802 §3)."""

    stored: bytes = field(repr=False)
    server: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is kept of one login; of an unknown one the same with nothing in it, so that it looks no different.

    keys, passwords: of all its passwords, in the same order; what was asked for is filled in.
    """

    salt: bytes = b""
    iterations: int = 0
    keys: tuple[Keys, ...] = ()
    passwords: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question to us: what is kept of *login*?  `answer` takes it and goes on."""

    login: str
    kept: Kept
    answer: Callable[[Secrets], "Challenge | Credentials | Proof"]


#: a mechanism's next word
Said: TypeAlias = Challenge | Wanted | Credentials | Proof


class Mechanism(Protocol):
    """One exchange.  Make a new one for each AUTH command."""

    def step(self, response: bytes | None) -> Said:
        """The answer to the client's decoded *response*; None on the first step if it sent no initial response.

        Raises PeerError when the response breaks the mechanism's grammar; the exchange is over then.
        """
        ...
