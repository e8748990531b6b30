"""PLAIN: everything in one message from the client.

Spec: RFC 4616 §2.  Status: complete.
"""

from mailserver.base.errors import PeerError
from mailserver.sasl.mechanism import MAX_RESPONSE, Challenge, Credentials, Said


class Plain:
    """[authzid] NUL authcid NUL passwd (RFC 4616 §2)."""

    def step(self, response: bytes | None) -> Said:
        """An empty challenge until the client speaks, then its credentials.  Raises PeerError."""
        if response is None:
            return Challenge(b"")
        if len(response) > MAX_RESPONSE:
            raise PeerError("response too long")
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise PeerError("PLAIN wants [authzid] NUL login NUL password")
        try:
            authzid, login, password = (part.decode() for part in parts)
        except UnicodeDecodeError:
            raise PeerError("PLAIN wants UTF-8") from None
        if not login or not password:
            raise PeerError("PLAIN wants a login and a password")
        return Credentials(authzid, login, password)


def encode(credentials: Credentials) -> bytes:
    """The client's side of it."""
    return b"\0".join(
        part.encode() for part in (credentials.authzid, credentials.login, credentials.password)
    )
