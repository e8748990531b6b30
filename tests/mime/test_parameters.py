"""Parameters of Content-Type and Content-Disposition."""

from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.parameters import EMPTY, parse_content_type, parse_disposition


def params(value: bytes, limit: int = 100):
    return parse_content_type(value, limit).params


@pytest.mark.rfc(2045, "5.1")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"text/plain", (b"text", b"plain", ())),
        (b"Text/HTML; Charset=X", (b"Text", b"HTML", ((b"Charset", b"X"),))),
        (
            b"text/plain; charset=us-ascii (Plain text)",
            (b"text", b"plain", ((b"charset", b"us-ascii"),)),
        ),
        (b'text/plain; charset="us-ascii"', (b"text", b"plain", ((b"charset", b"us-ascii"),))),
        (b"text / plain ; a = b", (b"text", b"plain", ((b"a", b"b"),))),
        (b"(x)text/(y(z))plain;(a)a(b)=(c)b(d)", (b"text", b"plain", ((b"a", b"b"),))),
        (b'a/b; x="c\\"d\\\\e"', (b"a", b"b", ((b"x", b'c"d\\e'),))),
        (b'a/b; x="c\r\n d"', (b"a", b"b", ((b"x", b"c d"),))),
        (b'a/b; x="c;d"; y=z', (b"a", b"b", ((b"x", b"c;d"), (b"y", b"z")))),
        (b'a/b; x=""', (b"a", b"b", ((b"x", b""),))),
        # what is written instead
        (b'"text/plain"', (b"text", b"plain", ())),
        (b"a/b;; x=c;", (b"a", b"b", ((b"x", b"c"),))),
        (b"a/b x=c", (b"a", b"b", ((b"x", b"c"),))),
        (b"a/b; x", (b"a", b"b", ())),
        (b"a/b; x; y=z", (b"a", b"b", ((b"y", b"z"),))),
        (b"a/b; =x; y=z", (b"a", b"b", ((b"y", b"z"),))),
        (b"a/b; x=; y=z", (b"a", b"b", ((b"x", b""), (b"y", b"z")))),
        (b'a/b; x="never closed; y=z', (b"a", b"b", ((b"x", b"never closed; y=z"),))),
        (b"a/b; x=c d.txt; y=z", (b"a", b"b", ((b"x", b"c"), (b"y", b"z")))),
        (b"a/b; x=c/d@e", (b"a", b"b", ((b"x", b"c/d@e"),))),
        (b"", EMPTY),
        (b"text", EMPTY),
        (b"text/", EMPTY),
        (b"/plain", EMPTY),
        (b";a=b", EMPTY),
    ],
)
def test_content_type(value, expected):
    assert tuple(parse_content_type(value, 100)) == tuple(expected)


@pytest.mark.rfc(2231, "3", "4", "4.1")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'a/b; URL*0="ftp://"; URL*1="cs.utk.edu/pub"', ((b"URL", b"ftp://cs.utk.edu/pub"),)),
        (b"a/b; n*1=b; n*0=a; m=c", ((b"m", b"c"), (b"n", b"ab"))),
        (b"a/b; title*=us-ascii'en-us'This%20is", ((b"title*", b"us-ascii'en-us'This%20is"),)),
        (
            b"a/b; t*0*=us-ascii'en'This%20; t*1*=%2A%2A; t*2=\"isn't 100%!\"",
            ((b"t*", b"us-ascii'en'This%20%2A%2Aisn't 100%25!"),),
        ),
        (b"a/b; n*0=a; n*2=c", ((b"n*0", b"a"), (b"n*2", b"c"))),  # a gap: nothing is joined
        (b"a/b; n*1=b", ((b"n*1", b"b"),)),
        (b"a/b; n*x=b; *0=c", ((b"n*x", b"b"), (b"*0", b"c"))),
        (b"a/b; b*=x''1; a*=y''2; c=3", ((b"c", b"3"), (b"a*", b"y''2"), (b"b*", b"x''1"))),
    ],
)
def test_continuations(value, expected):
    assert params(value) == expected


@pytest.mark.rfc(2231, "4")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"a/b; name*=utf-8''%e2%82%ac%20rates; name=plain", "€ rates"),
        (b"a/b; name=plain; name*=iso-8859-1'de'%fc", "ü"),
        (b"a/b; name*=%fc%zz", "ü%zz"),
        (b"a/b; name*=nobody-knows''%fca", "\ufffda"),
        (b"a/b; NAME=x", "x"),
        (b"a/b; name=\xc3\xbc", "ü"),
        (b"a/b; other=x", ""),
    ],
)
def test_text(value, text):
    assert parse_content_type(value, 100).text(b"name") == text


@pytest.mark.rfc(2183, "2")
def test_disposition():
    value = parse_disposition(
        b'attachment; filename=genome.jpeg;\r\n modification-date="Wed, 12 Feb 1997"', 100
    )
    assert value.type == b"attachment"
    assert value.params == (
        (b"filename", b"genome.jpeg"),
        (b"modification-date", b"Wed, 12 Feb 1997"),
    )
    assert parse_disposition(b'"inline"', 100).type == b"inline"
    assert parse_disposition(b"; filename=x", 100) == EMPTY
    assert parse_disposition(b"", 100) == EMPTY


def test_the_limit_counts_parameters():
    assert len(params(b"a/b" + b"; x=y" * 500, 100)) == 100


@pytest.mark.rfc(2231, "4")
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30))
def test_pythons_writer_is_read(text):
    message = Message()
    message.add_header("Content-Disposition", "attachment", filename=("utf-8", "", text))
    value = message["Content-Disposition"].encode()
    assert parse_disposition(value, 100).text(b"filename") == text


@given(st.text("a=;\"\\*0123'%() \r\n/\xe4", max_size=60).map(lambda s: s.encode("latin1")))
def test_garbage_gives_something(value):
    for name, text in parse_content_type(b"a/b;" + value, 10).params:
        assert name
        assert b"\n" not in text
