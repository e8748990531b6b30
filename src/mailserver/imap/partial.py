"""PARTIAL: some of many results, by their place from the first on or from the last on.

Spec: RFC 9394 §3.1, §3.3, §4; RFC 5267 §4.4.  Status: complete.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from mailserver.imap.parser import Parser

_RANGE: Final = re.compile(rb"(-?)([1-9][0-9]{0,9}):(-?)([1-9][0-9]{0,9})")
_MOST: Final = 0xFFFF_FFFF


class Partial(NamedTuple):
    """Both ends are included; negative ones count from the last result on, which is -1."""

    first: int
    last: int

    def of(self, count: int) -> tuple[int, int]:
        """(start, end) of the slice that this is of *count* results, in their order; empty where there are none."""
        low, high = sorted((self.first, self.last))
        if low > 0:
            return min(low - 1, count), min(high, count)
        return max(count + low, 0), max(count + high + 1, 0)

    def cut(self, results: Sequence[int]) -> Sequence[int]:
        """Those of *results* that are meant, in their order."""
        start, end = self.of(len(results))
        return results[start:end]

    def __str__(self) -> str:
        """As the client wrote it."""
        return f"{self.first}:{self.last}"


def parse_partial(p: Parser) -> Partial:
    """partial-range: both numbers from the first result on, or both from the last (RFC 9394 §4)."""
    start = p.at
    m = _RANGE.fullmatch(p.take(_RANGE, "a range like 1:100 or -1:-100"))
    assert m is not None
    one, two = int(m[2]), int(m[4])
    if m[1] != m[3] or max(one, two) > _MOST:
        p.at = start
        raise p.error("a range like 1:100 or -1:-100 was expected")
    return Partial(-one, -two) if m[1] else Partial(one, two)
