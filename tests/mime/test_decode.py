"""Content without its transfer encoding and charset."""

import base64
import binascii
import encodings
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime import decode
from mailserver.mime.charsets import codec_for, decode_text
from mailserver.mime.decode import content, text
from mailserver.mime.layout import Part


def part(body: bytes, encoding: str = "7bit", charset: str = "") -> Part:
    return Part("text", "plain", 0, 0, len(body), encoding=encoding, charset=charset)


def octets(body: bytes, encoding: str) -> bytes:
    return b"".join(content(body, part(body, encoding)))


def words(body: bytes, charset: str, encoding: str = "8bit") -> str:
    return "".join(text(body, part(body, encoding, charset)))


@pytest.mark.rfc(2045, "6.7", "6.8")
@pytest.mark.rfc(7103, "8.2")
@pytest.mark.parametrize(
    ("encoding", "body", "expected"),
    [
        ("7bit", b"a=3D\r\n", b"a=3D\r\n"),
        ("x-unknown", b"a=3D\r\n", b"a=3D\r\n"),
        ("base64", b"SGVs\r\nbG8=\r\n", b"Hello"),
        ("base64", b"SGVsbG8", b"Hello"),
        ("base64", b"SG Vs*bG(8)=", b"Hello"),
        ("base64", b"SGVsbA==SGVsbG8=", b"HellHello"),
        ("base64", b"SGVsbG8=\r\n-- \r\nlist footer", b"Hello" + base64.b64decode("listfooter==")),
        ("base64", b"S", b""),
        ("base64", b"====", b""),
        ("base64", b"", b""),
        ("quoted-printable", b"a=3Db=\r\nc =20\r\n", b"a=bc  \r\n"),
        ("quoted-printable", b"a=3db", b"a=b"),
        ("quoted-printable", b"=ZZ=4 =", b"=ZZ=4 "),
        ("quoted-printable", b"a \t\r\nb \nc= \r\nd=20 \r\ne ", b"a\r\nb\ncd \r\ne"),
        ("quoted-printable", b"a=\nb", b"ab"),
        ("x-uuencode", b"x\r\nbegin 644 a\r\n#0V%T\r\n`\r\nend\r\ny\r\n", b"Cat"),
        ("x-uuencode", b"begin 644 a\r\n#0V%T\r\ngarbage\xff\r\n#0V%T", b"CatCat"),
    ],
)
def test_transfer_encodings(encoding, body, expected):
    assert octets(body, encoding) == expected


@pytest.mark.rfc(7103, "7.6", "7.7")
@pytest.mark.rfc(2781, "4.3")
@pytest.mark.parametrize(
    ("charset", "body", "expected"),
    [
        ("us-ascii", b"abc", "abc"),
        ("", "ü".encode(), "ü"),
        ("", b"\xfc", "ü"),
        ("us-ascii", b"\x93quoted\x94", "“quoted”"),
        ("utf-8", b"\xfc", "\ufffd"),
        ("utf8", "ü".encode(), "ü"),
        ("iso-8859-1", b"\x93\xfc", "“ü"),
        ("gb2312", "镕".encode("gbk"), "镕"),
        ("ks_c_5601-1987", "똠".encode("cp949"), "똠"),
        ("iso-8859-8-i", b"\xe0", "א"),
        ("shift_jis", "①".encode("cp932"), "①"),
        ("iso-2022-jp", "日本".encode("iso2022_jp"), "日本"),
        ("unicode-1-1-utf-7", b"+APw-", "ü"),
        ("koi8-r", b"\xd0", "п"),
        ("windows-1252", b"\x80", "€"),
        ("utf-16", b"\xff\xfea\0", "a"),
        ("utf-16", b"\xfe\xff\0a", "a"),
        ("unknown-8bit", b"\xfc", "ü"),
        ("no-such-charset", b"a\xfc", "a\ufffd"),
        ('"utf-8"', "ü".encode(), "ü"),
    ],
)
def test_charsets(charset, body, expected):
    assert words(body, charset) == expected
    assert decode_text(body, charset) == expected


@pytest.mark.parametrize(
    "charset",
    ["rot13", "zlib", "base64", "hex", "idna", "punycode", "unicode_escape", "raw-unicode-escape", "undefined",
     "aliases", "\x00", "../x", "a" * 500, "no.such", "ü", "utf-8ü"],
)  # fmt: skip
def test_codecs_that_are_no_charset(charset):
    assert codec_for(charset) is None


def test_strangers_names_are_not_remembered():
    before = len(encodings._cache)
    for i in range(1_000):
        codec_for(f"x-{i}")
        codec_for("utf" + "-" * i + "8")
    assert len(encodings._cache) <= before + 2


@pytest.mark.parametrize("value", [b"+2AA-", b"+2AA", b"a+3AD-b+2AA-+3AA-"])
def test_utf_7_gives_no_lone_surrogate(value):
    for text_ in (
        words(value, "utf-7"),
        decode_text(value, "utf-7"),
        words(value, "unicode-1-1-utf-7"),
    ):
        assert "\ufffd" in text_
        text_.encode()


@given(st.binary(max_size=300), st.integers(1, 20), st.sampled_from([b"\r\n", b"\n"]))
def test_pieces_of_any_size_give_the_same(data, size, end):
    whole = decode.PIECE
    encodings = {
        "base64": base64.encodebytes(data).replace(b"\n", end),
        "quoted-printable": quopri.encodestring(data).replace(b"\n", end),
        "x-uuencode": b"begin 644 x" + end
        + b"".join(binascii.b2a_uu(data[i : i + 45]).replace(b"\n", end) for i in range(0, len(data), 45))
        + b"end" + end,
    }  # fmt: skip
    try:
        for encoding, body in encodings.items():
            decode.PIECE = whole
            at_once = octets(body, encoding)
            if encoding != "quoted-printable" or b"\n" not in data:
                assert at_once.rstrip(b"\r\n") == data.rstrip(b"\r\n")
            decode.PIECE = size
            assert octets(body, encoding) == at_once
    finally:
        decode.PIECE = whole


@given(
    st.binary(max_size=200),
    st.sampled_from(["base64", "quoted-printable", "x-uuencode", "7bit"]),
    st.sampled_from(
        ["", "utf-8", "gb2312", "iso-2022-jp", "utf-7", "utf-16", "big5", "hz", "euc-jp", "no-such"]
    ),
)
def test_garbage_gives_text(body, encoding, charset):
    words(body, charset, encoding).encode()


def test_a_long_line_is_cut_where_no_escape_is_parted():
    body = b"a=3D" * 100_000
    assert octets(body, "quoted-printable") == b"a=" * 100_000
