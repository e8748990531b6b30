"""Octets that decide what a line is, found at the speed of memory: ends that stand alone, lines that begin with a dot.

Spec: RFC 5321 §2.3.8, §4.5.2.  Status: complete.

A CR is looked for with what follows it, which the regular expressions do with one scan of memory.  Single octets are
taken out rather than counted: Python does that at the speed of memory, too, and counts octet by octet.
"""

import re

_BARE_CR = re.compile(rb"\r(?!\n)")
_ODD = re.compile(rb"\r(?!\n(?!\.))")


def first_odd(text: bytes) -> int:
    """Where the first CR stands that is alone or after whose LF a dot follows; -1 in most texts."""
    found = _ODD.search(text)
    return found.start() if found else -1


def is_bare(text: bytes) -> bool:
    """A CR or LF stands alone in *text*, at its end too (RFC 5321 §2.3.8)."""
    return _BARE_CR.search(text) is not None or has_bare_lf(text)


def has_bare_lf(text: bytes) -> bool:
    """An LF stands alone in *text*, in which no CR does: it has more LFs than CRs."""
    return len(text.replace(b"\n", b"")) != len(text.replace(b"\r", b""))
