"""EXTERNAL: who it is was shown before, by the certificate of the TLS connection.

Spec: RFC 4422 Appendix A.  Status: complete for client certificates.
"""

from collections.abc import Sequence

from mailserver.base.errors import PeerError
from mailserver.sasl.mechanism import (
    MAX_RESPONSE,
    Challenge,
    Kept,
    Proof,
    Said,
    Secrets,
    Wanted,
)


class External:
    """identities: the addresses in the certificate, at least one."""

    def __init__(self, identities: Sequence[str]) -> None:
        self._identities = identities

    def step(self, response: bytes | None) -> Said:
        """An empty challenge until the client says as whom it wants to act; "": as whom the certificate names first.

        Raises PeerError.
        """
        if response is None:
            return Challenge(b"")
        if len(response) > MAX_RESPONSE or b"\0" in response:
            raise PeerError("EXTERNAL wants an authorization identity")
        try:
            authzid = response.decode()
        except UnicodeDecodeError:
            raise PeerError("EXTERNAL wants UTF-8") from None
        wanted = authzid or self._identities[0]
        login = next((i for i in self._identities if i.casefold() == wanted.casefold()), None)
        if login is None:
            return Proof(authzid, self._identities[0], None)

        def accept(secrets: Secrets) -> Proof:
            return Proof(authzid, login, 0)

        return Wanted(login, Kept.CERTIFICATE, accept)
