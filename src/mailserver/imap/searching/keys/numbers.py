r"""Keys that the session answers by itself: ALL, UID, sequence-sets, RECENT, OLD.

Spec: RFC 3501 §6.4.4.  Status: complete.
Deviates: RFC 9051 §9 (seq-number): in an empty mailbox a number is no error; clients ask for "1:*" without a thought.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from mailserver.base.errors import PeerError
from mailserver.base.numset import NumSet
from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.bits import full
from mailserver.imap.searching.key import Key, Slice


def numbers(messages: NumSet) -> Key:
    """sequence-set, or UID sequence-set.

    An unknown UID matches nothing, an unknown sequence number is an error (RFC 9051 §9, seq-number).
    """

    pairs: list[tuple[int, int]] = []  # resolved when the first slice says what "*" is

    def members(slice_: Slice) -> int:
        if not pairs:
            pairs.extend(messages.resolve(slice_.last if messages.is_uid else slice_.exists))
        if messages.is_uid:
            return _between(slice_.uids, pairs)
        if pairs[-1][1] > slice_.exists:
            raise PeerError(f"there is no message {pairs[-1][1]}")
        return _between(range(slice_.first, slice_.first + len(slice_.uids)), pairs)

    return Key(by_number=members, ranges=len(messages.ranges))


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
