r"""Keys that the session answers by itself: ALL, UID, sequence-sets, "$", RECENT, OLD.

Spec: RFC 3501 §6.4.4; RFC 5182 §2.1 ("$"); RFC 7377 §2 (numbers beyond the last); RFC 5267 §4.3.  Status: complete.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from mailserver.base.numset import STAR, NumSet
from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.bits import full, pack
from mailserver.imap.searching.key import Key, Slice


def numbers(messages: NumSet) -> Key:
    """sequence-set, or UID sequence-set.  What no message has matches nothing, and is no error (RFC 7377 §2).

    Sequence numbers and "$" mean the messages that they mean when the key is asked for the first time, also when a
    search is kept up to date afterwards (RFC 5267 §4.3); "*" among UIDs is always the last one.
    """
    if messages.is_saved:
        return _saved()
    pairs: list[tuple[int, int]] = []
    asked = -1
    has_star = any(STAR in ends for ends in messages.ranges)

    def members(slice_: Slice) -> int:
        nonlocal pairs, asked
        if messages.is_uid:
            if asked < 0 or (has_star and asked != slice_.last):
                asked, pairs = slice_.last, messages.resolve(slice_.last)
        elif asked < 0:
            asked, pairs = 0, _uids_of(messages, slice_.every)
        return _between(slice_.uids, pairs)

    return Key(by_number=members, ranges=len(messages.ranges))


def _saved() -> Key:
    """ "$" (RFC 5182 §2.1)."""
    wanted: frozenset[int] | None = None

    def members(slice_: Slice) -> int:
        nonlocal wanted
        if wanted is None:
            wanted = frozenset(slice_.saved)
        return pack([uid in wanted for uid in slice_.uids])

    return Key(by_number=members, ranges=1)


def _uids_of(messages: NumSet, every: Sequence[int]) -> list[tuple[int, int]]:
    """The sequence numbers *messages* as ascending (low, high) pairs of UIDs."""
    count = len(every)
    return [
        (every[low - 1], every[min(high, count) - 1])
        for low, high in messages.resolve(count)
        if low <= count
    ]


@search_key("ALL")
def every() -> Key:
    """Every message (RFC 3501 §6.4.4, ALL)."""
    return Key(by_number=lambda slice_: full(len(slice_.uids)))


def _uid_set(p: Parser) -> NumSet:
    return p.sp().numset(is_uid=True)


@search_key("UID", parse=_uid_set)
def uid(messages: NumSet) -> Key:
    """Messages with these UIDs; unknown ones match nothing (RFC 3501 §6.4.4, UID)."""
    return numbers(messages)


@search_key("RECENT")
def recent() -> Key:
    r"""Messages with \Recent in this session (RFC 3501 §6.4.4, RECENT)."""
    return Key(by_number=recent_of)


@search_key("OLD")
def old() -> Key:
    r"""Messages without \Recent in this session (RFC 3501 §6.4.4, OLD)."""
    return Key(by_number=lambda slice_: full(len(slice_.uids)) ^ recent_of(slice_))


def recent_of(slice_: Slice) -> int:
    r"""The messages of the slice with \Recent in this session, as bits (RFC 3501 §2.3.2)."""
    return _between(slice_.uids, slice_.recent)


def _between(here: Sequence[int], pairs: Sequence[tuple[int, int]]) -> int:
    """The set of those of *here* (ascending) that lie in one of the ascending (low, high) *pairs*."""
    found, size = 0, len(here)
    if not size:
        return 0
    for low, high in pairs:
        if high < here[0]:
            continue
        if low > here[-1]:
            break
        start, end = bisect_left(here, low), bisect_right(here, high)
        if start < end:
            found |= full(end - start) << (size - end)
    return found
