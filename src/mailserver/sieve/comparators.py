"""Comparators: when two strings count as the same, and which comes first.

Spec: RFC 4790 §9.1 - §9.3; RFC 5051; RFC 5228 §2.7.3.  Status: complete.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from mailserver.mime.text import fold as fold_unicode

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_UPPER = {lower: upper for upper, lower in _LOWER.items()}
_NUMBER = re.compile(r"[0-9]+")
_INFINITE = "~"  # behind all digits


class Comparator(NamedTuple):
    """name:        as after :comparator.
    key:         equal strings have the same key, and keys sort as the strings do.
    finds:       it can look for one string inside of another; the keys show where (RFC 4790 §4.2.4).
    ignores_case: of ASCII letters, for wildcards.
    capability:  what a script has to require; "" where it need not.
    """

    name: str
    key: Callable[[str], str]
    finds: bool
    ignores_case: bool
    capability: str


def fold_ascii(value: str) -> str:
    """*value* with A-Z as a-z, all other characters as they are (RFC 4790 §9.2)."""
    return value.lower() if value.isascii() else value.translate(_LOWER)


def capitals(value: str) -> str:
    """*value* with a-z as A-Z, all other characters as they are."""
    return value.upper() if value.isascii() else value.translate(_UPPER)


def as_is(value: str) -> str:
    """*value* (RFC 4790 §9.3: UTF-8 sorts as its characters do)."""
    return value


def as_number(value: str) -> str:
    """The number that *value* begins with, so written that strings sort as numbers do (RFC 4790 §9.1).

    What begins with no digit is greater than every number, and equal to all its like.
    """
    m = _NUMBER.match(value)
    if m is None:
        return _INFINITE
    digits = m[0].lstrip("0")
    return f"{len(digits):07d}{digits}"


UNICODE = Comparator("i;unicode-casemap", fold_unicode, True, True, "comparator-i;unicode-casemap")
COMPARATORS: dict[str, Comparator] = {
    c.name: c
    for c in (
        Comparator("i;octet", as_is, True, False, ""),
        Comparator("i;ascii-casemap", fold_ascii, True, True, ""),
        Comparator("i;ascii-numeric", as_number, False, False, "comparator-i;ascii-numeric"),
        UNICODE,
    )
}
DEFAULT = COMPARATORS["i;ascii-casemap"]  #: RFC 5228 §2.7.3
