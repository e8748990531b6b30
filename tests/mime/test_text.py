"""SEARCH's view of a message: decoded text in pieces."""

import base64

import pytest

from mailserver.mime import decode
from mailserver.mime.layout import unpack
from mailserver.mime.scan import derive
from mailserver.mime.text import contains, field_texts, pieces

MESSAGE = (
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Content-Type: text/plain; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nHallo W=F6r=\r\nld\r\n"
)


@pytest.mark.rfc(9051, "6.4.4")
@pytest.mark.rfc(5051, "2")
@pytest.mark.parametrize(
    ("needle", "in_text", "in_body"),
    [
        ("wörld", True, True),
        ("WÖRLD", True, True),
        ("wo\N{COMBINING DIAERESIS}rld", True, True),
        ("grüsse", True, False),
        ("world", False, False),
        ("", True, True),
    ],
)
def test_contains(needle, in_text, in_body):
    root = unpack(derive(MESSAGE).layout)
    assert contains(MESSAGE, root, [needle], with_header=True) == [in_text]
    assert contains(MESSAGE, root, [needle], with_header=False) == [in_body]


def test_a_word_across_two_pieces(monkeypatch):
    monkeypatch.setattr(decode, "PIECE", 7)
    text = "Ein Nadelfisch schwimmt über den Tellerrand. " * 3
    for encoding, body in [
        ("base64", base64.encodebytes(text.encode())),
        ("8bit", text.encode()),
        ("quoted-printable", text.encode().replace("ü".encode(), b"=C3=\n=BC")),
    ]:
        head = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}"
        raw = head.encode() + b"\n\n" + body
        root = unpack(derive(raw).layout)
        assert "".join(pieces(raw, root, with_header=False)) == text
        assert contains(
            raw, root, ["nadelfisch", "ÜBER DEN", "tellerrandx"], with_header=False
        ) == [
            True,
            True,
            False,
        ]


def test_field_texts_are_decoded_in_order():
    assert field_texts(b"to: a\r\nSubject: x\r\nTO: =?utf-8?b?w7w=?=\r\n b\r\n\r\n", b"To") == [
        "a",
        "ü b",
    ]
