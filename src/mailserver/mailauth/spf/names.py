"""The names that SPF asks for: which of them the DNS could know, and how a long one is cut.

Spec: RFC 7208 §4.3, §7.3; RFC 8616 §4 (A-labels).  Status: complete.
"""

import re

MAX_NAME = 253  #: octets of a name in text
MAX_LABEL = 63

_TOP = re.compile(r"[A-Za-z0-9-]*[A-Za-z-][A-Za-z0-9-]*")  # no number, no end of an address literal


def a_labels(domain: str) -> str:
    """*domain* in lower case, its labels in the form that the DNS knows; "" when there is none."""
    if domain.isascii():
        return domain.lower().removesuffix(".")
    import idna  # heavy, and needed for few senders

    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError):
        return ""


def is_domain(name: str) -> bool:
    """Whether *name* is one with several labels under a top level, not an address or a single word (RFC 7208 §4.3)."""
    top = name.rpartition(".")
    return bool(top[1]) and is_name(name) and _TOP.fullmatch(top[2]) is not None


def is_name(name: str) -> bool:
    """Whether a question can be asked for *name*, whatever its octets."""
    if not name.isascii() or not 0 < len(name) <= MAX_NAME:
        return False
    return all(0 < len(label) <= MAX_LABEL for label in name.split("."))


def fitting(name: str) -> str:
    """*name* without as many labels on its left side as make it too long (RFC 7208 §7.3)."""
    if len(name) <= MAX_NAME:
        return name
    at = name.find(".", len(name) - MAX_NAME - 1)
    return name[at + 1 :] if at >= 0 else name
