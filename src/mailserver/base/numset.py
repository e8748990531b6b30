"""Sets of message numbers as the wire writes them (RFC 9051 §9, sequence-set)."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STAR = 0  #: "*", the largest number in use; 0 is no valid number (RFC 9051 §9, nz-number)


@dataclass(frozen=True, slots=True)
class NumSet:
    """A sequence-set as the client wrote it, never unrolled; *is_uid* says which kind of number.

    ranges:    (first, last) pairs in the order written, either may be STAR, in either order.
    is_saved:  it is "$": what the last search that was to be saved has found (RFC 5182 §2.1).  There are no ranges
               then, and the kind of number does not matter.
    """

    ranges: tuple[tuple[int, int], ...]
    is_uid: bool
    is_saved: bool = False

    def resolve(self, largest: int) -> list[tuple[int, int]]:
        """Ascending, disjoint (low, high) pairs, with "*" as *largest* (RFC 9051 §9, seq-range).

        With UIDs "*" in an empty mailbox stands for nothing; *largest* is 0 then and the pair is dropped.
        """
        pairs = sorted(
            (min(a, b), max(a, b))
            for a, b in ((f or largest, t or largest) for f, t in self.ranges)
            if a and b
        )
        merged: list[tuple[int, int]] = []
        for low, high in pairs:
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
        return merged

    def select(self, numbers: Sequence[int]) -> list[int]:
        """Those of *numbers* (ascending) that are in the set, ascending."""
        found: list[int] = []
        for low, high in self.resolve(numbers[-1] if numbers else 0):
            found.extend(numbers[bisect_left(numbers, low) : bisect_right(numbers, high)])
        return found


def compress(numbers: Iterable[int]) -> str:
    """[1, 2, 3, 7] -> '1:3,7', the shortest sequence-set in the given order (RFC 9051 §9)."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in runs)
