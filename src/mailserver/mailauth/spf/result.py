"""The end of a check: a result of SPF with the way it came about.

Spec: RFC 7208 §2.6, §8.  Status: complete.
"""

from typing import Literal, NamedTuple

Outcome = Literal["none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"]
Identity = Literal["mailfrom", "helo"]

_LONGEST = 500  #: characters of a reason


class SpfResult(NamedTuple):
    """What a domain says of a client.

    reason:      for people, in ASCII on one line: which mechanism of whose record, or what is wrong.
    domain:      that was asked about, in A-labels; "" when there is none.
    explanation: of the domain itself, where the result is "fail" and it has one; its word, not ours.
    mechanism:   of its record that matched, without its qualifier; "default" where none did.
    identity:    whose the domain is: the sender's, or the client's own name.
    is_personal: another sender of the domain, or another name of the client, might hear something else.
    """

    result: Outcome
    reason: str
    domain: str
    explanation: str = ""
    mechanism: str = ""
    identity: Identity = "mailfrom"
    is_personal: bool = False


def said(text: str) -> str:
    """*text* as a reason: a stranger's octets in it cannot break lines."""
    plain = text.encode("ascii", "backslashreplace").decode()
    if not plain.isprintable():
        plain = "".join(c if c.isprintable() else "?" for c in plain)
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 3] + "..."
