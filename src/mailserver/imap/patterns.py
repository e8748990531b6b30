"""Mailbox patterns: "*" stands for anything, "%" for anything within one level.

Spec: RFC 3501 §6.3.8.  Status: complete.
"""

import re
from collections.abc import Callable, Iterable

from mailserver.imap.names import fold
from mailserver.store.names import INBOX

_MARKS = "\ufdd0\ufdd1\ufdd2\ufdd3\ufdd4"  # stand for the letters of INBOX; no name has them
_MARK = dict(zip(INBOX + INBOX.lower(), 2 * _MARKS, strict=True))
_REGEX_WILDCARDS = 3  # with more of them a regex could take quadratic time and worse


def matcher(reference: str, patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a name matches one of *patterns* read after *reference*; empty patterns match nothing.

    A name takes time in proportion to its length and the pattern's, whatever a client makes up.
    """
    tests = [_one(fold(reference + pattern)) for pattern in patterns if pattern]
    if len(tests) == 1:
        return tests[0]
    return lambda name: any(test(name) for test in tests)


def _one(pattern: str) -> Callable[[str], bool]:
    """INBOX is meant in any case, also by a part of a pattern: "inbox*", "%x" (RFC 9051 §5.1)."""
    pattern = re.sub(r"[%*]*\*[%*]*", "*", pattern)
    pattern = re.sub(r"%+", "%", pattern)
    if pattern == "*":
        return lambda name: True
    pieces = re.split(r"([*%])", pattern)
    if len(pieces) > 2 * _REGEX_WILDCARDS + 1:
        test: Callable[[str], object] = _Automaton(pattern)
    else:
        forms = {"*": ".*", "%": "[^/]*"}
        test = re.compile("".join(forms.get(p) or _literal(p) for p in pieces), re.DOTALL).fullmatch

    def matches(name: str) -> bool:
        if name.startswith(INBOX) and name[len(INBOX) :][:1] in ("", "/"):
            name = _MARKS + name[len(INBOX) :]
        return bool(test(name))

    return matches


def _literal(text: str) -> str:
    """A regular expression for *text*, whose letters may also be those of INBOX in any case."""
    return "".join(f"[{char}{_MARK[char]}]" if char in _MARK else re.escape(char) for char in text)


class _Automaton:
    """All places in the pattern at which a name may be, as the bits of one number."""

    def __init__(self, pattern: str) -> None:
        self._stay = self._stay_inside = self._skip = 0
        self._next: dict[str, int] = {}
        for place, char in enumerate(pattern):
            bit = 1 << place
            if char == "*":
                self._stay |= bit
                self._skip |= bit
            elif char == "%":
                self._stay_inside |= bit
                self._skip |= bit
            else:
                for one in {char, _MARK.get(char, char)}:
                    self._next[one] = self._next.get(one, 0) | bit
        self._end = 1 << len(pattern)

    def __call__(self, name: str) -> bool:
        places = self._past_wildcards(1)
        for char in name:
            stay = self._stay if char == "/" else self._stay | self._stay_inside
            places = (places & stay) | ((places & self._next.get(char, 0)) << 1)
            if not places:
                return False
            places = self._past_wildcards(places)
        return bool(places & self._end)

    def _past_wildcards(self, places: int) -> int:
        """A wildcard may stand for nothing; no two of them are neighbours."""
        return places | (places & self._skip) << 1
