"""What we write ourselves is what a strict reader reads."""

import email
import email.policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.limits import MimeLimits
from mailserver.mime import compose
from mailserver.mime.headers import decode_words, split_fields
from mailserver.mime.layout import Part
from mailserver.mime.parts import scan
from mailserver.mime.scan import layout

anything = st.text(st.characters(codec="utf-8"), max_size=300)


def tree(raw: bytes) -> Part:
    return layout(scan(raw, MimeLimits()))


@pytest.mark.rfc(2047, "2", "5")
@given(anything)
def test_text_comes_back_from_encoded_words(value):
    encoded = compose.encode_text(value)
    assert encoded.isascii()
    assert all(len(word) <= 75 for word in encoded.split(" ") if word.startswith("=?"))
    assert decode_words(encoded.encode()).split() == compose.one_line(value).split()


@pytest.mark.rfc(2047, "2")
def test_the_standard_library_reads_encoded_words():
    value = "Zażółć gęślą jaźń, " * 8
    encoded = compose.encode_text(value)
    assert str(make_header(decode_header(encoded))) == value.strip()


@pytest.mark.rfc(5322, "2.1.1", "2.2.3")
@given(anything)
def test_a_field_is_one_field_of_short_lines(value):
    block = compose.field("Subject", value)
    ((name, _),) = split_fields(block)
    assert name == b"Subject"
    assert all(len(line) <= 998 for line in block.split(b"\r\n"))
    assert b"\n" not in block.replace(b"\r\n", b"")
    assert all(line[:1] in b" \t" for line in block.split(b"\r\n")[1:-1])


def test_a_field_is_folded_where_it_has_spaces():
    assert compose.field("Subject", "word " * 20).split(b"\r\n") == [
        b"Subject: word word word word word word word word word word word word word word",
        b" word word word word word word",
        b"",
    ]


def test_a_long_address_is_not_cut():
    address = "a" * 64 + "@" + "b" * 250
    assert address.encode() in compose.field("To", address)


def test_what_cannot_be_folded_is_cut_before_a_line_is_too_long():
    block = compose.field("Subject", "\N{EURO SIGN}" * 3000)
    assert all(len(line) <= 998 for line in block.split(b"\r\n"))
    assert block.decode().count("\N{EURO SIGN}") == 3000


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Mail Delivery", "Mail Delivery <a@b>"),
        ("Last, First", '"Last, First" <a@b>'),
        ('The "Boss" \\', '"The \\"Boss\\" \\\\" <a@b>'),
        ("Zoë", "=?utf-8?B?Wm/Dqw==?= <a@b>"),
        ("evil\r\nBcc: x@y", '"evil Bcc: x@y" <a@b>'),
        ("", "a@b"),
    ],
)
@pytest.mark.rfc(5322, "3.2.5")
def test_display_names(name, written):
    assert compose.mailbox(name, "a@b") == written


def test_an_address_ends_no_field():
    assert compose.field("To", compose.mailbox("", "a@b\r\nBcc: x@y")) == b"To: a@bBcc:x@y\r\n"


@pytest.mark.rfc(2046, "5.1.1")
def test_a_boundary_occurs_in_no_part():
    inner = compose.text_part("--=_seed\n--=_seed_\nhello")
    raw = compose.multipart("mixed", [inner, compose.text_part("Grüße")], "seed")
    root = tree(raw)
    assert [child.subtype for child in root.children] == ["plain", "plain"]
    assert (
        raw[root.children[0].body_start : root.children[0].end]
        == b"--=_seed\r\n--=_seed_\r\nhello\r\n"
    )
    assert root.encoding == root.children[1].encoding == "8bit"


@pytest.mark.rfc(2045, "5", "6.2")
@given(st.lists(anything, min_size=1, max_size=4))
def test_parts_come_back(values):
    parts = [compose.text_part(value) for value in values]
    raw = compose.multipart("report", parts, "abc", [("report-type", "x")])
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "x"
    found = [part.as_bytes() for part in message.iter_parts()]
    assert len(found) == len(parts)
    root = tree(raw)
    assert [raw[child.header_start : child.end] for child in root.children] == parts


@given(anything)
def test_a_text_part_has_short_lines_with_crlf(value):
    raw = compose.text_part(value)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
