"""Consecutive numbers in decimal, a thousand at a time: what many searches answer is most of a mailbox.

Status: complete.
"""

from array import array
from collections.abc import Sequence
from typing import Final

_THOUSAND: Final = 1_000
_ENDS: Final = [b"%03d" % n for n in range(_THOUSAND)]


def joined(numbers: Sequence[int]) -> bytes:
    """*numbers* in their order, with spaces between."""
    if _are_a_run(numbers):
        return run(numbers[0], numbers[-1])
    return " ".join(map(str, numbers)).encode()


def run(low: int, high: int) -> bytes:
    """The numbers from *low* to *high*, both included, with spaces between."""
    out: list[bytes] = []
    while low <= high:
        thousand, first = divmod(low, _THOUSAND)
        last = min(high - thousand * _THOUSAND, _THOUSAND - 1)
        if thousand:
            head = b"%d" % thousand
            out.append(head + (b" " + head).join(_ENDS[first : last + 1]))
        else:
            out.append(" ".join(map(str, range(first, last + 1))).encode())
        low = (thousand + 1) * _THOUSAND
    return b" ".join(out)


def _are_a_run(numbers: Sequence[int]) -> bool:
    if not numbers or numbers[-1] - numbers[0] + 1 != len(numbers):
        return False
    if isinstance(numbers, range):
        return numbers.step == 1 or len(numbers) == 1
    every = range(numbers[0], numbers[-1] + 1)
    if isinstance(numbers, array):
        return bool(array(numbers.typecode, every) == numbers)
    return list(every) == numbers
