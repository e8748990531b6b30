"""Date fields."""

from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.dates import SentDate, parse_date


def sent(year, month, day, hour=0, minute=0, second=0, *, day_said=None):
    at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return SentDate(int(at.timestamp()), (day_said or at.date()).toordinal())


@pytest.mark.rfc(5322, "3.3", "4.3", "A.5", "A.6.2")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Fri, 21 Nov 1997 09:55:06 -0600", sent(1997, 11, 21, 15, 55, 6)),
        (b" Tue,  1 Jul 2003\r\n 10:52:37 +0200 (CEST)", sent(2003, 7, 1, 8, 52, 37)),
        (b"Thu, 13 Feb 1969 23:32 -0330", sent(1969, 2, 14, 3, 2, day_said=date(1969, 2, 13))),
        (b"21 Nov 97 09:55:06 GMT", sent(1997, 11, 21, 9, 55, 6)),
        (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", sent(1997, 11, 21, 15, 55, 6)),
        (b"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfound Time)",
         sent(1969, 2, 14, 3, 2, day_said=date(1969, 2, 13))),
        (b"1 Jan 49 00:00 Z", sent(2049, 1, 1)),
        (b"1 Jan 50 00:00 Z", sent(1950, 1, 1)),
        (b"1 Jan 112 00:00 Z", sent(2012, 1, 1)),
        (b"1 Jan 2024 00:00 EST", sent(2024, 1, 1, 5)),
        (b"1 Jan 2024 00:00 PDT", sent(2024, 1, 1, 7)),
        (b"1 Jan 2024 00:00 UT", sent(2024, 1, 1)),
        (b"1 Jan 2024 00:00 J", sent(2024, 1, 1)),  # military zones are unknown: -0000
        (b"1 Jan 2024 00:00 CEST", sent(2024, 1, 1)),
        (b"Sat, 31 Dec 2016 23:59:60 +0000", sent(2017, 1, 1, day_said=date(2016, 12, 31))),
        (b"Tue, 2 Jan 2024 10:11:12 -0000", sent(2024, 1, 2, 10, 11, 12)),
        (b"29 Feb 2024 12:00 +1400", sent(2024, 2, 28, 22, day_said=date(2024, 2, 29))),
    ],
)  # fmt: skip
def test_what_the_grammar_has(value, expected):
    assert parse_date(value)[:2] == expected[:2]


@pytest.mark.rfc(5322, "3.3", "4.3")
@pytest.mark.parametrize(
    ("zone", "minutes"),
    [
        (b"+0530", 330),
        (b"-0330", -210),
        (b"EST", -300),
        (b"GMT", 0),
        (b"J", 0),
        (b"+9999", 0),
        (b"", 0),
    ],
)
def test_zones(zone, minutes):
    assert parse_date(b"Tue, 2 Jan 2024 10:11:12 " + zone).zone_minutes == minutes


@pytest.mark.rfc(3339, "5.6")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Tue, 2 January 2024 10:11:12 +0000", sent(2024, 1, 2, 10, 11, 12)),
        (b"Tuesday, 2 jan 2024 10:11:12 +0000", sent(2024, 1, 2, 10, 11, 12)),
        (b"Tue 2 Jan 2024 10:11:12 +0000", sent(2024, 1, 2, 10, 11, 12)),
        (b"Tue,2 Jan 2024 10:11:12 +0000", sent(2024, 1, 2, 10, 11, 12)),
        (b"2-Jan-2024 10:11:12 +0000", sent(2024, 1, 2, 10, 11, 12)),
        (b"Tue, 2 Jan 2024 10.11.12 +0000", sent(2024, 1, 2, 10, 11, 12)),
        (b"Tue, 2 Jan 2024 10:11:12 GMT+0100", sent(2024, 1, 2, 9, 11, 12)),
        (b"Tue, 2 Jan 2024 10:11:12 +01:00", sent(2024, 1, 2, 9, 11, 12)),
        (b"Tue, 2 Jan 2024 10:11:12.345 +0100", sent(2024, 1, 2, 9, 11, 12)),
        (b"Tue, 2 Jan 2024 10:11:12", sent(2024, 1, 2, 10, 11, 12)),
        (b'Tue, 2 Jan 2024 10:11:12 "GMT"', sent(2024, 1, 2, 10, 11, 12)),
        (b"Tue, 2 Jan 2024 03:11:12 PM", sent(2024, 1, 2, 15, 11, 12)),
        (b"Tue, 2 Jan 2024 12:11 am +0000", sent(2024, 1, 2, 0, 11)),
        (b"Tue Jan  2 10:11:12 2024", sent(2024, 1, 2, 10, 11, 12)),
        (b"Tue Jan  2 10:11:12 UTC 2024", sent(2024, 1, 2, 10, 11, 12)),
        (b"Tue, 2 Jan 2024 10:11:12 +9999", sent(2024, 1, 2, 10, 11, 12)),  # no such zone
        (b"2024-01-02T10:11:12Z", sent(2024, 1, 2, 10, 11, 12)),
        (b"2024-01-02 10:11:12 +0100", sent(2024, 1, 2, 9, 11, 12)),
    ],
)
def test_what_senders_write_instead(value, expected):
    assert parse_date(value)[:2] == expected[:2]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"today",
        b"31 Feb 2024 00:00:00 +0000",
        b"0 Jan 2024 00:00:00 +0000",
        b"1 Foo 2024 00:00:00 +0000",
        b"1 Jan 2024",
        b"1 Jan 2024 24:00:00 +0000",
        b"1 Jan 2024 00:60:00 +0000",
        b"1 Jan 0000 00:00:00 +0000",
        b"1 Jan 20240 00:00:00 +0000",
        b"((((",
    ],
)
def test_no_moment(value):
    assert parse_date(value) is None


@given(st.datetimes(min_value=datetime(1900, 1, 1)), st.integers(-1439, 1439))
def test_pythons_parser_reads_the_same(moment, offset):
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    written = (
        moment.strftime("%a, %d %b %Y %H:%M:%S ") + f"{sign}{minutes // 60:02}{minutes % 60:02}"
    )
    value = parse_date(written.encode())
    assert value is not None
    assert value.day == moment.toordinal()
    assert value.at == int(parsedate_to_datetime(written).timestamp())


@given(st.binary(max_size=60) | st.text("0123456789 :+-,JanTueGMT()", max_size=60).map(str.encode))
def test_garbage_gives_a_date_or_none(value):
    found = parse_date(value)
    assert found is None or 1 <= found.day <= date.max.toordinal()
