"""Mailbox names on the wire, in both of their encodings (RFC 3501 §5.1.3; RFC 9051 §5.1; RFC 9755 §3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import Cannot, PeerError
from mailserver.base.limits import ImapLimits
from mailserver.imap import names
from mailserver.imap.parser import Parser

UNICODE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=600)


def parser(line: bytes, *, is_utf8: bool) -> Parser:
    return Parser(line, ImapLimits(), is_utf8=is_utf8)


@pytest.mark.rfc(9755, "3")
@pytest.mark.parametrize(
    ("name", "utf7", "utf8"),
    [
        ("INBOX", b"INBOX", b"INBOX"),
        ("R&D", b"R&-D", b"R&D"),
        ("Entwürfe", b"Entw&APw-rfe", '"Entwürfe"'.encode()),
        ('a "ü" \\', b'"a \\"&APw-\\" \\\\"', b'"a \\"\xc3\xbc\\" \\\\"'),
        ("two words", b'"two words"', b'"two words"'),
        ("", b'""', b'""'),
        ("ü" * 501, b"&" + b"APwA/AD8" * 167 + b"-", b"{1002}\r\n" + b"\xc3\xbc" * 501),
    ],
)
def test_encode(name: str, utf7: bytes, utf8: bytes) -> None:
    assert names.encode(name, is_utf8=True) == utf8
    assert names.encode(name, is_utf8=False) == utf7.replace(b"/", b",")


@given(UNICODE, st.booleans())
def test_round_trip(name: str, is_utf8: bool) -> None:
    """What a client is sent, it can send back, for every command."""
    for read in (Parser.mailbox, Parser.new_mailbox):
        p = parser(names.encode(name, is_utf8=is_utf8), is_utf8=is_utf8)
        assert read(p) == names.fold(name)
        p.end()


@given(st.binary(max_size=40), st.booleans())
def test_garbage(octets: bytes, is_utf8: bool) -> None:
    """Octets that are no name are the client's mistake, and nothing else."""
    line = b"{%d}\r\n%b" % (len(octets), octets)
    for read in (Parser.mailbox, Parser.new_mailbox, Parser.list_mailbox):
        try:
            name = read(parser(line, is_utf8=is_utf8))
        except (PeerError, Cannot):
            continue
        name.encode("utf-8")


@pytest.mark.rfc(9051, "5.1")
def test_modified_utf7_means_nothing_once_utf8_is_enabled() -> None:
    line = b"Entw&APw-rfe"
    assert parser(line, is_utf8=False).mailbox() == "Entwürfe"
    for read in (Parser.mailbox, Parser.new_mailbox, Parser.list_mailbox):
        assert read(parser(line, is_utf8=True)) == "Entw&APw-rfe"


@pytest.mark.rfc(9755, "3")
@pytest.mark.parametrize(
    "octets", [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
)
def test_what_is_no_utf8_is_broken_grammar(octets: bytes) -> None:
    for read in (Parser.mailbox, Parser.new_mailbox, Parser.list_mailbox):
        with pytest.raises(PeerError, match="is not UTF-8"):
            read(parser(b'"' + octets + b'"', is_utf8=True))


@pytest.mark.rfc(9051, "5.1")
def test_a_denormalized_name_is_the_normal_one() -> None:
    p = parser('"Entwu\N{COMBINING DIAERESIS}rfe"'.encode(), is_utf8=True)
    assert p.new_mailbox() == "Entwürfe"
