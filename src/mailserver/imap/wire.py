"""Values to IMAP's wire forms: strings, date-times; mailbox names are in `names`.

Spec: RFC 3501 §4, §9.  Status: complete.
"""

import re
from datetime import UTC, datetime

_ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_QUOTED_SIZE = 1_024  # longer strings go out as literals: no client's line buffer has to hold them


def string(data: bytes) -> bytes:
    """*data* as a quoted string if it may be one, else as a literal (RFC 3501 §4.3).

    NUL cannot stand in any string (RFC 3501 §9, CHAR8); it is sent as a literal all the same, so that no octet changes.
    """
    if len(data) <= _QUOTED_SIZE and _QUOTABLE.fullmatch(data):
        if b"\\" in data or b'"' in data:
            data = data.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        return b'"' + data + b'"'
    return literal(data)


def literal(data: bytes) -> bytes:
    """{size} CRLF octets (RFC 3501 §4.3)."""
    return b"{%d}\r\n%b" % (len(data), data)


def nstring(data: bytes | None) -> bytes:
    """NIL for None, which is not the empty string (RFC 3501 §4.5)."""
    return b"NIL" if data is None else string(data)


def astring(data: bytes) -> bytes:
    """As it is where every client reads it so, else a string (RFC 3501 §9, astring)."""
    if _ASTRING.fullmatch(data) and data.upper() != b"NIL":
        return data
    return string(data)


def date_time(epoch: int) -> bytes:
    """Seconds since 1970 as a quoted date-time in UTC: `"17-Jul-1996 02:44:25 +0000"` (RFC 3501 §9)."""
    t = datetime.fromtimestamp(epoch, UTC)
    return b'"%2d-%s-%04d %02d:%02d:%02d +0000"' % (
        t.day,
        _MONTHS[t.month - 1].encode(),
        t.year,
        t.hour,
        t.minute,
        t.second,
    )


def text(human: str) -> bytes:
    """*human* fit for the text of a response: one line of US-ASCII, at most 500 octets (RFC 3501 §9, resp-text)."""
    plain = human.encode("ascii", "backslashreplace")
    return re.sub(rb"[\x00-\x1f\x7f]+", b" ", plain)[:500] or b"-"
