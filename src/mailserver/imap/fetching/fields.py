"""HEADER.FIELDS and HEADER.FIELDS.NOT: the chosen fields of a header block, octet by octet as they stand.

Spec: RFC 3501 §6.4.5.  Status: complete.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from mailserver.mime.headers import FIELD_BODY, pick_fields

_PATTERN_NAMES = 64  # more names than anybody asks for are compared one by one
_NAME = re.compile(rb"[!-9;-~]+")
_EMPTY_LINE = re.compile(rb"(?:\A|\n)(\r?\n)\Z")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which fields: those with one of *names* (lower case), or all *others*.

    pattern: finds them whole, many times faster than looking at each field's name; None for too many names.
    """

    names: frozenset[bytes]
    others: bool
    pattern: re.Pattern[bytes] | None

    def __call__(self, block: bytes) -> bytes:
        """The chosen fields of *block*, and its empty line if it has one (RFC 3501 §6.4.5)."""
        if self.pattern is not None:
            text = b"".join(self.pattern.findall(block))
        else:
            text = pick_fields(block, self.names, others=self.others)
        if block.endswith(b"\r\n\r\n"):
            return text + b"\r\n"
        empty = _EMPTY_LINE.search(block, max(0, len(block) - 4))
        return text + empty[1] if empty else text


def choose(names: Iterable[bytes], *, others: bool) -> Choice:
    """The choice of these names, in any case; what can be no field's name is in no header (RFC 5322 §2.2)."""
    wanted = frozenset([name.lower() for name in names if _NAME.fullmatch(name)])
    pattern = _pattern(wanted, others) if len(wanted) <= _PATTERN_NAMES else None
    return Choice(wanted, others, pattern)


@lru_cache(maxsize=256)
def _pattern(names: frozenset[bytes], others: bool) -> re.Pattern[bytes]:
    any_of = b"|".join([re.escape(name) for name in sorted(names)]) or rb"(?!)"
    name = rb"(?!(?:%b)[ \t]*+:)[!-9;-~]++" if others else rb"(?:%b)"
    field = rb"^" + name % any_of + rb"[ \t]*+:" + FIELD_BODY + rb"\n?+"
    return re.compile(field, re.IGNORECASE | re.MULTILINE)
