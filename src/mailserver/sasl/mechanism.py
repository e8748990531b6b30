"""What a mechanism says and hears: challenges, and in the end the credentials that a client claims.

Spec: RFC 4422 §3.  Status: complete for mechanisms without a security layer.
"""

from dataclasses import dataclass, field
from typing import Protocol

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


class Mechanism(Protocol):
    """One exchange.  Make a new one for each AUTH command."""

    def step(self, response: bytes | None) -> Challenge | Credentials:
        """The answer to the client's decoded *response*; None on the first step if it sent no initial response.

        Raises PeerError when the response breaks the mechanism's grammar; the exchange is over then.
        """
        ...
