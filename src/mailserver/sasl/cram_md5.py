"""CRAM-MD5: an answer to a challenge, made with the password; for old devices, and for app passwords only.

Spec: RFC 2195 §2.  Status: complete.

We would have to keep what it is computed with, and somebody who listens can try passwords on the answer.  Both are
harmless where the password is random and ours, so it works with such passwords only, in domains that want it.
"""

import hmac
import re

from mailserver.base.errors import PeerError
from mailserver.sasl.mechanism import MAX_RESPONSE, Challenge, Kept, Proof, Said, Secrets, Wanted

_RESPONSE = re.compile(rb"(.+) ([0-9a-f]{32})", re.DOTALL)
_NOBODY = (b"nobody's password",)  # checked where nothing is kept, to take as long


class CramMd5:
    """One exchange.  nonce: random printable ASCII without blanks, "@", "<" and ">"."""

    def __init__(self, hostname: str, *, nonce: str) -> None:
        self._challenge = f"<{nonce}@{hostname}>".encode()
        self._has_asked = False
        self._login = ""
        self._answer = b""

    def step(self, response: bytes | None) -> Said:
        """The challenge, then the question whose answer that is.  Raises PeerError."""
        if response is None and not self._has_asked:
            self._has_asked = True
            return Challenge(self._challenge)
        if response is None or not self._has_asked or len(response) > MAX_RESPONSE:
            raise PeerError("the server speaks first")
        found = _RESPONSE.fullmatch(response)
        if found is None or b"\0" in response:
            raise PeerError("CRAM-MD5 wants a login, a blank and 32 hexadecimal digits")
        try:
            self._login = found[1].decode()
        except UnicodeDecodeError:
            raise PeerError("CRAM-MD5 wants UTF-8") from None
        self._answer = found[2]
        return Wanted(self._login, Kept.PASSWORDS, self._check)

    def _check(self, secrets: Secrets) -> Proof:
        which = None
        for i, password in enumerate(secrets.passwords or _NOBODY):
            expected = hmac.new(password, self._challenge, "md5").hexdigest().encode()
            if hmac.compare_digest(expected, self._answer) and secrets.passwords:
                which = i
        return Proof("", self._login, which)
