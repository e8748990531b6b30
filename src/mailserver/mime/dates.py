"""The Date field, as strict writers and sloppy ones write it.

Spec: RFC 5322 §3.3, §4.3.  Status: complete.
"""

import re
from datetime import date
from typing import NamedTuple

_MONTHS = {
    name: i + 1 for i, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split())
}
_ZONES = {  # RFC 5322 §4.3; other letters say nothing about the offset
    b"ut": 0, b"utc": 0, b"gmt": 0, b"z": 0,
    b"est": -300, b"edt": -240, b"cst": -360, b"cdt": -300, b"mst": -420, b"mdt": -360, b"pst": -480, b"pdt": -420,
}  # fmt: skip
_DATE = re.compile(
    rb"\s*(?:[A-Za-z]{2,9}\.?\s*,?\s*|,\s*)?"
    rb"(\d{1,2})(?:st|nd|rd|th)?[\s.-]+([A-Za-z]{3})[a-z]*[\s.,-]+(\d{2,4})[\s,]+"
    rb"(\d{1,2})\s*[:.]\s*(\d{1,2})(?:\s*[:.]\s*(\d{1,2})(?:\.\d*)?)?"
    rb"(?:\s*([AaPp])[Mm]\b)?"
    rb"(?:\s*(?:(?:gmt|GMT|UTC)(?=[+-]))?([+-])\s*(\d\d):?(\d\d)|\s*\"?([A-Za-z]+))?"
)
_ASCTIME = re.compile(
    rb"\s*[A-Za-z]{3,9},?\s+([A-Za-z]{3})[a-z]*\s+(\d{1,2})\s+(\d{1,2}):(\d\d):(\d\d)\s+(?:([A-Za-z]{1,5})\s+)?(\d{4})"
)
_COMMENT = re.compile(rb"\([^()]*\)")
_EPOCH = date(1970, 1, 1).toordinal()


class SentDate(NamedTuple):
    """A Date field's moment (UTC epoch) and its own calendar day (datetime.date's ordinal), zone disregarded."""

    at: int
    day: int


def parse_date(value: bytes) -> SentDate | None:
    """The moment a Date field names; None where it names none that exists."""
    if b"(" in value:
        value = _strip_comments(value)
    m = _DATE.match(value)
    if m is not None:
        day, month, year, hour, minute, second, half, sign, zone_h, zone_m, zone = m.groups()
    else:
        m = _ASCTIME.match(value)
        if m is None:
            return None
        month, day, hour, minute, second, zone, year = m.groups()
        half = sign = None
    number = _MONTHS.get(month.lower())
    if number is None:
        return None
    y, h, mi, s = int(year), int(hour), int(minute), int(second or 0)
    if len(year) == 2:  # RFC 5322 §4.3
        y += 2000 if y < 50 else 1900
    elif len(year) == 3:
        y += 1900
    if half is not None and 1 <= h <= 12:
        h = h % 12 + (12 if half in b"Pp" else 0)
    if h > 23 or mi > 59 or s > 60:
        return None
    if sign is not None:
        offset = int(zone_h) * 60 + int(zone_m)
        if offset > 1439:
            offset = 0
        elif sign == b"-":
            offset = -offset
    else:
        offset = _ZONES.get(zone.lower(), 0) if zone is not None else 0
    try:
        ordinal = date(y, number, int(day)).toordinal()
    except ValueError:
        return None
    return SentDate((ordinal - _EPOCH) * 86400 + h * 3600 + mi * 60 + s - offset * 60, ordinal)


def _strip_comments(value: bytes) -> bytes:
    value = value[:1000]
    for _ in range(10):
        value, count = _COMMENT.subn(b" ", value)
        if not count:
            break
    return value
