"""Sets of messages as bits of one integer: the first message of a slice is the highest bit.

Spec: none.  Status: complete.
"""

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import TypeVar

T = TypeVar("T")


def full(size: int) -> int:
    """The set of all messages of a slice of *size*."""
    return (1 << size) - 1


def pack(members: Iterable[object]) -> int:
    """The set of those messages whose entry in *members*, one for each message in order, is true."""
    return int("".join(["1" if m else "0" for m in members]) or "0", 2)


def select(bits: int, messages: Sequence[T]) -> list[T]:
    """The members of the set, in order, out of the slice's *messages*."""
    if not bits:
        return []
    if bits == full(len(messages)):
        return list(messages)
    return list(compress(messages, map(int, format(bits, f"0{len(messages)}b"))))
