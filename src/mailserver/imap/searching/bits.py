"""Sets of messages as bits of one integer: the first message of a slice is the highest bit.

Spec: none.  Status: complete.
"""

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import TypeVar

T = TypeVar("T")

_SPARSE = 8  # one member in so many: then they are looked for one by one
_VALUES = bytes.maketrans(b"01", b"\0\1")


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
    size = len(messages)
    if bits == full(size):
        return list(messages)
    digits = format(bits, f"0{size}b")
    if bits.bit_count() * _SPARSE > size:
        return list(compress(messages, digits.encode().translate(_VALUES)))
    found = []
    place = digits.find("1")
    while place >= 0:
        found.append(messages[place])
        place = digits.find("1", place + 1)
    return found
