"""Regular expressions that take time in proportion to the text, whatever they are: POSIX extended ones, run by RE2.

Spec: draft-ietf-sieve-regex-01 §4; IEEE Std 1003.1 (Extended Regular Expressions).  Status: complete.
"""

import re
from functools import lru_cache
from typing import NamedTuple, Protocol

#: octets that RE2 may take up for one expression; what needs more is refused
MEMORY = 262_144
_SPECIAL = re.compile(r"[\\.^$*+?()\[\]{}|]")


class BadExpression(ValueError):
    """This is no regular expression that can be used; the text says why."""


class _Match(Protocol):
    def groups(self) -> tuple[bytes | None, ...]: ...
    def group(self) -> bytes: ...


class _Pattern(Protocol):
    programsize: int

    def search(self, text: bytes) -> _Match | None: ...


class Expression(NamedTuple):
    """weight: steps of its program; a search takes at most that many for each character."""

    pattern: _Pattern
    weight: int

    def search(self, text: str) -> tuple[str, ...] | None:
        """The leftmost and then longest match in *text*, and what its parentheses matched; None for no match."""
        found = self.pattern.search(text.encode(errors="replace"))
        if found is None:
            return None
        parts = (found.group(), *found.groups())
        return tuple("" if part is None else part.decode(errors="replace") for part in parts)


@lru_cache(maxsize=500)
def expression(written: str, *, ignores_case: bool) -> Expression:
    """The expression that *written* is.  Raises BadExpression."""
    import re2  # not at the top: most servers never see a script that needs it

    options = re2.Options()
    options.posix_syntax = options.longest_match = options.one_line = options.dot_nl = True
    options.perl_classes = options.word_boundary = True  # \d, \s, \w, \b: many know nothing else
    options.case_sensitive = not ignores_case
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        pattern: _Pattern = re2.compile(written.encode(errors="replace"), options)
    except re2.error as error:
        raise BadExpression(_reason(error)) from None
    return Expression(pattern, pattern.programsize)


def quoted(text: str) -> str:
    """*text* so that as an expression it matches itself alone."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    if "too large" in text:
        return "it is too large: repetitions multiply"
    if text.startswith("invalid escape sequence: \\") and text[-1:].isdigit():
        return "it cannot refer back to what it matched before"
    return text[:200]
