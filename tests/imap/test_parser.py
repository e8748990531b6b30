"""The argument grammar (RFC 3501 §9)."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import Cannot, PeerError
from mailserver.base.limits import ImapLimits
from mailserver.base.numset import STAR, NumSet, compress
from mailserver.imap.parser import Parser

LIMITS = ImapLimits(nesting=5, set_ranges=10)
READERS: dict[str, Callable[[Parser], Any]] = {
    "tag": Parser.tag,
    "atom": Parser.atom,
    "astring": Parser.astring,
    "string": Parser.string,
    "nstring": Parser.nstring,
    "number": Parser.number,
    "nz_number": Parser.nz_number,
    "numset": Parser.numset,
    "mailbox": Parser.mailbox,
    "new_mailbox": Parser.new_mailbox,
    "list_mailbox": Parser.list_mailbox,
    "flag": Parser.flag,
    "flag_list": Parser.flag_list,
    "date": Parser.date,
    "date_time": Parser.date_time,
}


def read(what: str, line: bytes) -> Any:
    p = Parser(line, LIMITS)
    value = READERS[what](p)
    p.end()
    return value


@pytest.mark.rfc(3501, "9")
@pytest.mark.parametrize(
    ("what", "line", "value"),
    [
        ("tag", b"a1.]", b"a1.]"),
        ("atom", b"BODY[", "BODY["),
        ("astring", b"a]b", b"a]b"),
        ("astring", b'"a b"', b"a b"),
        ("astring", b'"a\\"\\\\"', b'a"\\'),
        ("astring", b"{3}\r\na\r\n", b"a\r\n"),
        ("astring", b"{3+}\r\n\xff()", b"\xff()"),
        ("astring", b'""', b""),
        ("string", b'"Entw\xc3\xbcrfe"', "Entwürfe".encode()),
        ("nstring", b"nil", None),
        ("nstring", b'"NIL"', b"NIL"),
        ("number", b"0", 0),
        ("number", b"4294967295", 4_294_967_295),
        ("nz_number", b"1", 1),
        ("numset", b"1", NumSet(((1, 1),), is_uid=False)),
        ("numset", b"*", NumSet(((STAR, STAR),), is_uid=False)),
        ("numset", b"5:2,*:4,7", NumSet(((5, 2), (STAR, 4), (7, 7)), is_uid=False)),
        ("mailbox", b"iNbOx", "INBOX"),
        ("mailbox", b'"inbox"', "INBOX"),
        ("mailbox", b"{5}\r\ninbox", "INBOX"),
        ("mailbox", b"inbox/a", "INBOX/a"),
        ("mailbox", b"INBOXes", "INBOXes"),
        ("mailbox", b"R&-D", "R&D"),
        ("mailbox", b"R&D", "R&D"),
        ("mailbox", b"Entw\xc3\xbcrfe", "Entwürfe"),
        ("mailbox", b"Entwu&Awg-rfe", "Entwürfe"),  # NFD on the wire, NFC here
        ("new_mailbox", b"Entw&APw-rfe", "Entwürfe"),
        ("list_mailbox", b"*", "*"),
        ("list_mailbox", b"a/%]", "a/%]"),
        ("list_mailbox", b'"a b%"', "a b%"),
        ("list_mailbox", b"&APw-%", "ü%"),
        ("flag", b"\\Seen", "\\Seen"),
        ("flag", b"$Forwarded", "$Forwarded"),
        ("flag_list", b"()", []),
        ("flag_list", b"(\\Seen NonJunk)", ["\\Seen", "NonJunk"]),
        ("date", b"1-Feb-1994", date(1994, 2, 1)),
        ("date", b'"01-FEB-1994"', date(1994, 2, 1)),
        ("date_time", b'"17-Jul-1996 02:44:25 -0700"', 837_596_665),
        ("date_time", b'" 1-Jan-1970 00:00:60 +0000"', 59),
    ],
)
def test_reads(what: str, line: bytes, value: Any) -> None:
    assert read(what, line) == value


@pytest.mark.rfc(3501, "9")
@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("tag", b"+a"),
        ("tag", b""),
        ("atom", b"a]"),
        ("atom", b"(a)"),
        ("astring", b""),
        ("astring", b'"open'),
        ("astring", b'"a\\n"'),
        ("astring", b'"a\x00"'),
        ("astring", b"{5}\r\nabc"),
        ("astring", b"{1}\r\n\x00"),
        ("astring", b"\xc3\xa9"),
        ("number", b"-1"),
        ("number", b"4294967296"),
        ("number", b"1" * 30),
        ("nz_number", b"0"),
        ("nz_number", b"01"),
        ("numset", b"0"),
        ("numset", b"1:0"),
        ("numset", b"1,"),
        ("numset", b",1"),
        ("numset", b"1:2:3"),
        ("numset", b"1:"),
        ("numset", b"4294967296"),
        ("numset", b",".join([b"1"] * 11)),
        ("mailbox", b"\xff"),
        ("mailbox", b"a*"),
        ("flag", b"\\"),
        ("flag", b"\\*"),
        ("flag_list", b"(\\Seen"),
        ("flag_list", b"(\\Seen  a)"),
        ("flag_list", b"( a)"),
        ("date", b"30-Feb-1994"),
        ("date", b"1-Foo-1994"),
        ("date", b'"1-Feb-1994'),
        ("date", b"1-Feb-0000"),
        ("date_time", b'"17-Jul-1996 24:00:00 +0000"'),
        ("date_time", b'"17-Jul-1996 02:44:25"'),
        ("date_time", b'"  -Jul-1996 02:44:25 +0000"'),
        ("date_time", b'"31-Dec-9999 23:59:59 -1200"'),
        ("date_time", b'"17-Jul-1996 02:44:25 +9900"'),
    ],
)
def test_refuses(what: str, line: bytes) -> None:
    with pytest.raises(PeerError):
        read(what, line)


@pytest.mark.rfc(3501, "5.1.3")
@pytest.mark.parametrize("line", [b"R&D", b'"Entw\xc3\xbcrfe"', b"&AGE-", b'"a\tb"'])
def test_new_mailbox_wants_the_correct_form(line: bytes) -> None:
    with pytest.raises(Cannot):
        read("new_mailbox", line)


def test_lists_nest_only_so_deep() -> None:
    def nested(p: Parser) -> Any:
        return p.group(nested) if p.peek(b"(") else p.atom()

    deep = b"(" * 5 + b"a" + b")" * 5
    p = Parser(deep + b" " + deep, LIMITS)
    assert nested(p) == [[[[["a"]]]]]
    assert nested(p.sp()) == [[[[["a"]]]]]  # one after the other is not nesting
    with pytest.raises(PeerError, match="parentheses"):
        nested(Parser(b"(" * 6 + b"a" + b")" * 6, LIMITS))


def test_is_uid_comes_from_the_command_unless_said() -> None:
    p = Parser(b"1 2", LIMITS, is_uid=True)
    assert p.numset().is_uid
    assert not p.sp().numset(is_uid=False).is_uid


def test_errors_name_the_column() -> None:
    p = Parser(b"a1 NOOP x", LIMITS, at=7)
    with pytest.raises(PeerError, match="unexpected arguments at column 7"):
        p.end()


NUMBERS = st.integers(1, 0xFFFF_FFFF)


@given(st.lists(NUMBERS, min_size=1, max_size=10))
def test_sets_round_trip(numbers: list[int]) -> None:
    text = compress(numbers)
    parsed = read("numset", text.encode())
    assert parsed.select(sorted(set(numbers))) == sorted(set(numbers))


@given(
    st.sampled_from(sorted(READERS)),
    st.binary() | st.text('(){}"\\*%:,019 -&+\r\nNILinboxJa', max_size=40).map(str.encode),
)
def test_garbage_raises_peer_error_or_nothing(what: str, line: bytes) -> None:
    p = Parser(line, LIMITS)
    try:
        READERS[what](p)
    except (PeerError, Cannot):
        return
    assert 0 <= p.at <= len(line)
