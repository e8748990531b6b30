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
    rb"(\d{1,2})(?:st|nd|rd|th)?[\s.-]+([A-Za-z]{3})[a-z]*[\s.,-]+(\d{2,4})(?!\d)[\s,]+"
    rb"(\d{1,2})\s*[:.]\s*(\d{1,2})(?:\s*[:.]\s*(\d{1,2})(?:\.\d*)?)?"
    rb"(?:\s*([AaPp])[Mm]\b)?"
    rb"(?:\s*(?:(?:gmt|GMT|UTC)(?=[+-]))?([+-])\s*(\d\d):?(\d\d)|\s*\"?([A-Za-z]+))?"
)
_ASCTIME = re.compile(
    rb"\s*[A-Za-z]{3,9},?\s+([A-Za-z]{3})[a-z]*\s+(\d{1,2})\s+(\d{1,2}):(\d\d):(\d\d)\s+(?:([A-Za-z]{1,5})\s+)?(\d{4})"
)
_ISO = re.compile(  # RFC 3339, against RFC 5322
    rb"\s*(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.\d*)?\s*(?:([+-])(\d\d):?(\d\d)|[Zz]|\Z)"
)
_PAREN = ord("(")
_COMMENT = re.compile(rb"\([^()]*\)")
_LONGEST = 200  # octets of the field that are looked at
_EPOCH = date(1970, 1, 1).toordinal()


class SentDate(NamedTuple):
    """A Date field's moment (UTC epoch), its own calendar day (datetime.date's ordinal), and its zone.

    zone_minutes: east of UTC; 0 where none that is known was written.
    """

    at: int
    day: int
    zone_minutes: int = 0


def parse_date(value: bytes) -> SentDate | None:
    """The moment a Date field names; None where it names none that exists."""
    value = value[:_LONGEST]
    if _PAREN in value:
        value = _strip_comments(value)
    half = sign = zone_h = zone_m = zone = None
    m = _DATE.match(value)
    if m is not None:
        day, month, year, hour, minute, second, half, sign, zone_h, zone_m, zone = m.groups()
        number = _MONTHS.get(month.lower())
    elif (m := _ASCTIME.match(value)) is not None:
        month, day, hour, minute, second, zone, year = m.groups()
        number = _MONTHS.get(month.lower())
    elif (m := _ISO.match(value)) is not None:
        year, month, day, hour, minute, second, sign, zone_h, zone_m = m.groups()
        number = int(month)
    else:
        return None
    h, mi, s = int(hour), int(minute), int(second or 0)
    if half is not None and 1 <= h <= 12:
        h = h % 12 + (12 if half in b"Pp" else 0)
    if number is None or h > 23 or mi > 59 or s > 60:
        return None
    offset = 0  # minutes
    if sign is not None:
        offset = int(zone_h or 0) * 60 + int(zone_m or 0)
        if offset > 1439:  # nowhere is it that late
            offset = 0
        elif sign == b"-":
            offset = -offset
    elif zone is not None:
        offset = _ZONES.get(zone.lower(), 0)
    try:
        ordinal = date(_year(year), number, int(day)).toordinal()
    except ValueError:
        return None
    return SentDate(
        (ordinal - _EPOCH) * 86_400 + h * 3600 + mi * 60 + s - offset * 60, ordinal, offset
    )


def _year(digits: bytes) -> int:
    """Two digits: 1950 to 2049; three: years since 1900 (RFC 5322 §4.3)."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _strip_comments(value: bytes) -> bytes:
    for _ in range(10):
        value, count = _COMMENT.subn(b" ", value)
        if not count:
            break
    return value
