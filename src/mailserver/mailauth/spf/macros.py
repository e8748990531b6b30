"""Macros: texts with holes that are filled from what is checked.

Spec: RFC 7208 §7.  Status: complete.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from mailserver.base.errors import PeerError

LETTERS = "slodiphv"
PERSONAL = frozenset(
    "slht"
)  #: letters of what is not the same for every message of a domain's host
EXPLAINING = "crt"  #: letters that only explanations know (RFC 7208 §7.2)

_ESCAPES = {"%": "%", "_": " ", "-": "%20"}
_TOKEN = re.compile(r"%(?:\{([A-Za-z])([0-9]*)([rR]?)([-.+,/_=]*)\}|([%_-]))|([!-$&-~]+)|( +)")
_ALL = 128  #: no domain has so many labels


@dataclass(frozen=True, slots=True)
class Macro:
    """One hole.

    letter:     in lower case; "%", "_" or "-" for the characters that need writing so.
    keep:       how many parts on the right side stay; 0: all.
    is_reversed: the parts come in the opposite order.
    delimiters: what separates parts; "": a dot.
    is_escaped: the text is for an URL.
    """

    letter: str
    keep: int = 0
    is_reversed: bool = False
    delimiters: str = ""
    is_escaped: bool = False

    def __str__(self) -> str:
        if self.letter in _ESCAPES:
            return f"%{self.letter}"
        letter = self.letter.upper() if self.is_escaped else self.letter
        order = "r" if self.is_reversed else ""
        return f"%{{{letter}{self.keep or ''}{order}{self.delimiters}}}"

    def expand(self, values: Mapping[str, str]) -> str:
        """The text in place of the hole (RFC 7208 §7.3)."""
        if self.letter in _ESCAPES:
            return _ESCAPES[self.letter]
        value = values[self.letter]
        if self.keep or self.is_reversed or self.delimiters:
            first = self.delimiters[:1] or "."
            for other in self.delimiters[1:]:
                value = value.replace(other, first)
            parts = value.split(first)
            if self.is_reversed:
                parts.reverse()
            value = ".".join(parts[-self.keep :])
        return quote(value, safe="") if self.is_escaped else value


@dataclass(frozen=True, slots=True)
class MacroString:
    """Texts and macros, one after the other.  letters: of all macros in it."""

    parts: tuple[str | Macro, ...]
    letters: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return "".join(map(str, self.parts))

    def expand(self, values: Mapping[str, str]) -> str:
        """The text.  values: for each of `letters`."""
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        return "".join(
            part if isinstance(part, str) else part.expand(values) for part in self.parts
        )


def parse(text: str, *, is_explanation: bool = False) -> MacroString:
    """macro-string, or explain-string (RFC 7208 §7.1).  Raises PeerError."""
    parts: list[str | Macro] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or (found[7] and not is_explanation):
            raise PeerError(f"{_shown(text[at:])} is no macro, and needs another way of writing")
        at = found.end()
        plain = found[6] or found[7]
        if plain is None:
            parts.append(_macro(found, is_explanation=is_explanation))
        elif parts and isinstance(parts[-1], str):
            parts[-1] += plain
        else:
            parts.append(plain)
    letters = frozenset(part.letter for part in parts if isinstance(part, Macro))
    return MacroString(tuple(parts), letters - _ESCAPES.keys())


def parse_domain(text: str) -> MacroString:
    """domain-spec: what comes out may be a domain (RFC 7208 §7.1).  Raises PeerError."""
    spec = parse(text)
    if not spec.parts:
        raise PeerError("a domain is missing")
    last = spec.parts[-1]
    if isinstance(last, str) and not _ends_domain(last):
        raise PeerError(f"{_shown(text)} does not end as a domain does")
    return spec


def _ends_domain(text: str) -> bool:
    """Whether *text* ends in a dot and a top label, with or without the root's dot (domain-end, toplabel)."""
    _, dot, top = text.removesuffix(".").rpartition(".")
    if not dot or not top.isascii() or not top.replace("-", "a").isalnum():
        return False
    return top[0] != "-" and top[-1] != "-" and not top.isdigit()


def _macro(found: re.Match[str], *, is_explanation: bool) -> Macro:
    if found[5]:
        return Macro(found[5])
    letter = found[1].lower()
    if letter not in LETTERS and not (is_explanation and letter in EXPLAINING):
        raise PeerError(f"{found[0]} stands for nothing here")
    keep = 0
    if found[2]:
        keep = min(int(found[2][-4:]), _ALL) if not found[2][:-4].strip("0") else _ALL
        if not keep:
            raise PeerError(f"{_shown(found[0])} leaves nothing")
    return Macro(letter, keep, bool(found[3]), found[4], is_escaped=found[1].isupper())


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
