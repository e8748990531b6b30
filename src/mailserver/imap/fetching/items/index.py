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


@fetch_item("FLAGS", needs=("flags", "keywords"))
def flags() -> Value:
    r"""All flags, \Recent among them (RFC 3501 §7.4.2)."""
    return Value(b"FLAGS (%b)", flag_texts)


def flag_texts(rows: Columns) -> list[bytes]:
    """For each row its flags as a response lists them, without the parentheses."""
    is_recent = [False] * len(rows.uids)
    for low, high in rows.recent:
        for n in range(bisect_left(rows.uids, low), bisect_right(rows.uids, high)):
            is_recent[n] = True
    states = list(zip(rows["flags"], rows["keywords"], is_recent, strict=True))
    texts = {  # few different ones
        state: text(state[0], state[1], is_recent=state[2]) for state in set(states)
    }
    return [texts[state] for state in states]


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
    """Seconds since 1970, each as `wire.date_time` writes it; the day's text is made once a day."""
    days: dict[int, bytes] = {}
    texts: list[bytes] = []
    for moment in times:
        day, second = divmod(moment, _DAY_S)
        form = days.get(day)
        if form is None:
            form = days[day] = wire.date_time(day * _DAY_S).replace(b"00:00:00", b"%02d:%02d:%02d")
        texts.append(form % (second // 3600, second // 60 % 60, second % 60))
    return texts
