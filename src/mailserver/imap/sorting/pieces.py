"""Sorting that lets other threads have their turn.

Spec: none.  Status: complete.

`list.sort` does not give way before it is done.  So many values are parted first: into ranges that follow each other,
each small enough to be sorted at once.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

#: values that are sorted in one go
PIECE: Final = 4_096


T = TypeVar("T", str, int)


def in_order(values: Sequence[T]) -> Iterator[T]:
    """*values* in ascending order."""
    for piece in _sorted(values):
        yield from piece


def _sorted(values: Sequence[T]) -> Iterator[list[T]]:
    count = len(values)
    if count <= PIECE:
        yield sorted(values)
        return
    ranges = count // PIECE + 1
    sample = sorted(values[:: max(1, count // (16 * ranges))])
    bounds = sample[:: max(1, len(sample) // ranges)]
    parts: list[list[T]] = [[] for _ in range(len(bounds) + 1)]
    for value in values:
        parts[bisect_right(bounds, value)].append(value)
    for part in parts:
        part.sort()
        yield part
