"""Domain names in signatures: checked, and brought into the form that the DNS knows.

Spec: RFC 5890 §2.3; RFC 8616 §3, §4, §5.  Status: complete.
"""

import re

from mailserver.base.errors import PeerError

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_LONGEST = 1_000  #: octets in U-labels; converting costs more than in proportion
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def a_labels(name: bytes) -> str:
    """*name* in A-labels and lower case; U-labels in UTF-8 are read too.  Raises PeerError: it is no domain name."""
    if len(name) > _LONGEST:
        raise PeerError("this is no domain name")
    try:
        text = name.decode("ascii").lower()
    except UnicodeDecodeError:
        text = _encoded(name)
    if len(text) > 253 or not _NAME.fullmatch(text):
        raise PeerError("this is no domain name")
    return text


def _encoded(name: bytes) -> str:
    import idna  # heavy, and needed for few names

    try:
        return idna.encode(name.decode(), uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise PeerError("this is no domain name") from None
