"""Keys that compare days: BEFORE, ON, SINCE by internal date, SENTBEFORE, SENTON, SENTSINCE by the Date field.

Spec: RFC 3501 §6.4.4.  Status: complete.

Both disregard time and zone: an internal date counts as the day that INTERNALDATE shows (UTC), a Date field as the day
that its sender wrote.  A message without a readable Date field was sent on no day; none of the three keys finds it.
"""

from datetime import date

from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.key import Key

_DAY_S = 86_400
_EPOCH = date(1970, 1, 1).toordinal()


def _date(p: Parser) -> date:
    return p.sp().date()


def _midnight(day: date) -> int:
    """When *day* begins, in seconds since 1970."""
    return (day.toordinal() - _EPOCH) * _DAY_S


@search_key("BEFORE", parse=_date)
def before(day: date) -> Key:
    """Internal date earlier than *day* (RFC 3501 §6.4.4, BEFORE)."""
    start = _midnight(day)
    return Key(columns=("internal_at",), by_columns=lambda times: [t < start for t in times])


@search_key("ON", parse=_date)
def on(day: date) -> Key:
    """Internal date within *day* (RFC 3501 §6.4.4, ON)."""
    start = _midnight(day)
    end = start + _DAY_S
    return Key(columns=("internal_at",), by_columns=lambda times: [start <= t < end for t in times])


@search_key("SINCE", parse=_date)
def since(day: date) -> Key:
    """Internal date within or later than *day* (RFC 3501 §6.4.4, SINCE)."""
    start = _midnight(day)
    return Key(columns=("internal_at",), by_columns=lambda times: [t >= start for t in times])


@search_key("SENTBEFORE", parse=_date)
def sent_before(day: date) -> Key:
    """Date field earlier than *day* (RFC 3501 §6.4.4, SENTBEFORE)."""
    n = day.toordinal()
    return Key(
        columns=("sent_day",), by_columns=lambda days: [d is not None and d < n for d in days]
    )


@search_key("SENTON", parse=_date)
def sent_on(day: date) -> Key:
    """Date field within *day* (RFC 3501 §6.4.4, SENTON)."""
    n = day.toordinal()
    return Key(columns=("sent_day",), by_columns=lambda days: [d == n for d in days])


@search_key("SENTSINCE", parse=_date)
def sent_since(day: date) -> Key:
    """Date field within or later than *day* (RFC 3501 §6.4.4, SENTSINCE)."""
    n = day.toordinal()
    return Key(
        columns=("sent_day",), by_columns=lambda days: [d is not None and d >= n for d in days]
    )
