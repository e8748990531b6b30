"""Values to wire forms and back through the parser (RFC 3501 §4, §9)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.limits import ImapLimits
from mailserver.imap import wire
from mailserver.imap.parser import Parser


def parser(line: bytes) -> Parser:
    return Parser(line, ImapLimits())


@pytest.mark.rfc(3501, "4.3")
@pytest.mark.parametrize(
    ("data", "out"),
    [
        (b"", b'""'),
        (b"a b", b'"a b"'),
        (b'say "hi" \\o/', b'"say \\"hi\\" \\\\o/"'),
        (b"two\r\nlines", b"{10}\r\ntwo\r\nlines"),
        (b"\xc3\xa9", b"{2}\r\n\xc3\xa9"),
        (b"x" * 1025, b"{1025}\r\n" + b"x" * 1025),
    ],
)
def test_string(data: bytes, out: bytes) -> None:
    assert wire.string(data) == out


@pytest.mark.parametrize(
    ("data", "out"),
    [
        (b"INBOX", b"INBOX"),
        (b"a]b", b"a]b"),
        (b"nil", b'"nil"'),
        (b"a b", b'"a b"'),
        (b"", b'""'),
        (b"100%", b'"100%"'),
    ],
)
def test_astring(data: bytes, out: bytes) -> None:
    assert wire.astring(data) == out


def test_nstring() -> None:
    assert wire.nstring(None) == b"NIL"
    assert wire.nstring(b"") == b'""'


@pytest.mark.rfc(3501, "9")
@pytest.mark.parametrize(
    ("epoch", "out"),
    [
        (837_596_665, b'"17-Jul-1996 09:44:25 +0000"'),
        (0, b'" 1-Jan-1970 00:00:00 +0000"'),
        (-1, b'"31-Dec-1969 23:59:59 +0000"'),
    ],
)
def test_date_time(epoch: int, out: bytes) -> None:
    assert wire.date_time(epoch) == out
    assert parser(out).date_time() == epoch


@given(st.integers(-60_000_000_000, 250_000_000_000))
def test_date_time_round_trip(epoch: int) -> None:
    assert parser(wire.date_time(epoch)).date_time() == epoch


@given(st.binary().filter(lambda b: b"\0" not in b))
def test_strings_round_trip(data: bytes) -> None:
    for encode in (wire.string, wire.astring):
        p = parser(encode(data))
        assert p.astring() == data
        p.end()


@given(st.text())
def test_text_is_one_line_of_ascii(human: str) -> None:
    out = wire.text(human)
    assert out.isascii()
    assert out
    assert len(out) <= 500
    assert not any(c < 32 or c == 127 for c in out)
