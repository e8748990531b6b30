"""Items out of the row that a message has in its mailbox: FLAGS, UID, INTERNALDATE, RFC822.SIZE.

Spec: RFC 3501 §6.4.5, §7.4.2.  Status: complete.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from mailserver.imap import wire
from mailserver.imap.fetching.item import Columns, Value
from mailserver.imap.flags import text
from mailserver.imap.registry import fetch_item

_DAY_S = 86_400
_MINUTES = [b" %02d:%02d" % divmod(minute, 60) for minute in range(1_440)]
_SECONDS = [b':%02d +0000"' % second for second in range(60)]


@fetch_item("FLAGS", needs=("flags", "keywords"))
def flags() -> Value:
    r"""All flags, \Recent among them (RFC 3501 §7.4.2)."""
    return Value(b"FLAGS (%b)", flag_texts)


def flag_texts(rows: Columns) -> list[bytes]:
    """For each row its flags as a response lists them, without the parentheses."""
    texts, which = flag_kinds(rows)
    return list(map(texts.__getitem__, which))


def flag_kinds(rows: Columns) -> tuple[list[bytes], Sequence[int]]:
    r"""The same as the different texts, and for each row the place of its own among them."""
    kinds, which = rows.flag_sets()
    texts = [text(*kind, is_recent=False) for kind in kinds]
    if rows.recent:
        texts += [text(*kind, is_recent=True) for kind in kinds]
        own, which = which, list(which)
        for low, high in rows.recent:
            for n in range(bisect_left(rows.uids, low), bisect_right(rows.uids, high)):
                which[n] = own[n] + len(kinds)
    return texts, which


@fetch_item("UID")
def uid() -> Value:
    """The unique identifier (RFC 3501 §7.4.2)."""
    return Value(b"UID %d", lambda rows: rows.uids)


@fetch_item("RFC822.SIZE", needs=("size",))
def size() -> Value:
    """Octets of the message (RFC 3501 §7.4.2)."""
    return Value(b"RFC822.SIZE %d", lambda rows: rows["size"])


@fetch_item("INTERNALDATE", needs=("internal_at",))
def internal_date() -> Value:
    """When the message came, in UTC (RFC 3501 §2.3.3)."""
    return Value(b"INTERNALDATE %b", lambda rows: date_times(rows["internal_at"]))


@fetch_item("SAVEDATE", needs=("saved_at",), capability="SAVEDATE")
def save_date() -> Value:
    """When the message came into this very mailbox, in UTC (RFC 8514 §3, §4.2)."""
    return Value(b"SAVEDATE %b", lambda rows: date_times(rows["saved_at"]))


def date_times(times: Sequence[int]) -> list[bytes]:
    """Seconds since 1970, each as `wire.date_time` writes it, put together out of texts made before."""
    days: dict[int, bytes] = {}
    texts: list[bytes] = []
    for moment in times:
        day, second = divmod(moment, _DAY_S)
        start = days.get(day)
        if start is None:
            start = days[day] = wire.date_time(day * _DAY_S)[:-16]
        texts.append(start + _MINUTES[second // 60] + _SECONDS[second % 60])
    return texts
