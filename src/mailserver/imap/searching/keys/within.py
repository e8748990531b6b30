"""Keys that compare with the moment of the search: OLDER and YOUNGER.

Spec: RFC 5032 §2, §3.  Status: complete.
"""

from collections.abc import Callable, Sequence

from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.bits import full
from mailserver.imap.searching.key import Key, Slice


def _interval(p: Parser) -> int:
    """SP nz-number, seconds (RFC 5032 §3)."""
    return p.sp().nz_number()


def _compared(interval: int, test: Callable[[int, int], bool]) -> Key:
    """*test* is asked with an internal date and the moment *interval* seconds ago."""
    then = 0

    def note_time(slice_: Slice) -> int:
        nonlocal then
        then = slice_.now - interval
        return full(len(slice_.uids))

    def by_columns(times: Sequence[int]) -> list[bool]:
        return [test(at, then) for at in times]

    return Key(by_number=note_time, columns=("internal_at",), by_columns=by_columns)


@search_key("OLDER", parse=_interval, capability="WITHIN")
def older(interval: int) -> Key:
    """Internal date at least so many seconds ago (RFC 5032 §2)."""
    return _compared(interval, lambda at, then: at <= then)


@search_key("YOUNGER", parse=_interval)
def younger(interval: int) -> Key:
    """Internal date at most so many seconds ago (RFC 5032 §2)."""
    return _compared(interval, lambda at, then: at >= then)
