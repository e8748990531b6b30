"""Keys that compare days: of the internal date, of the Date field (SENT...), of the date of saving (SAVED...).

Spec: RFC 3501 §6.4.4; RFC 8514 §4.3.  Status: complete.

All disregard time and zone: internal date and date of saving count as the days that FETCH shows (UTC), a Date field as
the day that its sender wrote.  A message without a readable Date field was sent on no day; none of the three keys finds
it.
"""

from datetime import date

from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.bits import full
from mailserver.imap.searching.key import Key

_DAY_S = 86_400
_EPOCH = date(1970, 1, 1).toordinal()


def _date(p: Parser) -> date:
    return p.sp().date()


def _midnight(day: date) -> int:
    """When *day* begins, in seconds since 1970."""
    return (day.toordinal() - _EPOCH) * _DAY_S


def _earlier(column: str, day: date) -> Key:
    start = _midnight(day)
    return Key(columns=(column,), by_columns=lambda times: [t < start for t in times])


def _within(column: str, day: date) -> Key:
    start = _midnight(day)
    end = start + _DAY_S
    return Key(columns=(column,), by_columns=lambda times: [start <= t < end for t in times])


def _from(column: str, day: date) -> Key:
    start = _midnight(day)
    return Key(columns=(column,), by_columns=lambda times: [t >= start for t in times])


@search_key("BEFORE", parse=_date)
def before(day: date) -> Key:
    """Internal date earlier than *day* (RFC 3501 §6.4.4, BEFORE)."""
    return _earlier("internal_at", day)


@search_key("ON", parse=_date)
def on(day: date) -> Key:
    """Internal date within *day* (RFC 3501 §6.4.4, ON)."""
    return _within("internal_at", day)


@search_key("SINCE", parse=_date)
def since(day: date) -> Key:
    """Internal date within or later than *day* (RFC 3501 §6.4.4, SINCE)."""
    return _from("internal_at", day)


@search_key("SAVEDBEFORE", parse=_date)
def saved_before(day: date) -> Key:
    """Saved earlier than *day* (RFC 8514 §4.3)."""
    return _earlier("saved_at", day)


@search_key("SAVEDON", parse=_date)
def saved_on(day: date) -> Key:
    """Saved within *day* (RFC 8514 §4.3)."""
    return _within("saved_at", day)


@search_key("SAVEDSINCE", parse=_date)
def saved_since(day: date) -> Key:
    """Saved within or later than *day* (RFC 8514 §4.3)."""
    return _from("saved_at", day)


@search_key("SAVEDATESUPPORTED")
def has_save_date() -> Key:
    """Every message: each has a date of saving (RFC 8514 §4.3)."""
    return Key(by_number=lambda slice_: full(len(slice_.uids)))


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
