"""LOGIN: user name, then password, each to its own challenge; obsolete, and still what some clients speak only.

Spec: draft-murchison-sasl-login-00 §2.  Status: complete.
Client: challenges are "Username:" and "Password:", as at least one client requires (§2.2, note); the user name may come
as an initial response, as Outlook and others send it; its length is bounded as PLAIN's is, not at 63 characters.
"""

from mailserver.base.errors import PeerError
from mailserver.sasl.mechanism import MAX_RESPONSE, Challenge, Credentials, Said


class Login:
    """One exchange of LOGIN."""

    def __init__(self) -> None:
        self._login: str | None = None

    def step(self, response: bytes | None) -> Said:
        """Both challenges in turn, then the credentials.  Raises PeerError."""
        if response is None:
            return Challenge(b"Username:")
        if len(response) > MAX_RESPONSE:
            raise PeerError("response too long")
        if b"\0" in response:
            raise PeerError("LOGIN takes no NUL")
        try:
            text = response.decode()
        except UnicodeDecodeError:
            raise PeerError("LOGIN wants UTF-8") from None
        if not text:
            raise PeerError("LOGIN wants a user name and a password")
        if self._login is None:
            self._login = text
            return Challenge(b"Password:")
        return Credentials("", self._login, text)
