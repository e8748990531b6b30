"""The scanner: parts by offset, and what FETCH shows of them."""

import pytest

from mailserver.mime import parts
from mailserver.mime.layout import find, pack, unpack
from mailserver.mime.scan import derive

SIMPLE = (
    b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
    b"From: Fred Foobar <foobar@Blurdybloop.example>\r\n"
    b"Subject: afternoon meeting\r\n"
    b"To: mooch@owatagu.siam.edu.example\r\n"
    b"Message-Id: <B27397-0100000@Blurdybloop.example>\r\n"
    b"\r\n"
    b"Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n"
)
MIXED = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"
    b"--b\r\n\r\none\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntwo\r\n"
    b"--b--\r\nepilogue\r\n"
)


@pytest.mark.rfc(3501, "7.4.2")
def test_a_simple_message():
    derived = derive(SIMPLE)
    person = b'(("Fred Foobar" NIL "foobar" "Blurdybloop.example"))'
    assert derived.envelope == (
        b'("Mon, 7 Feb 1994 21:52:25 -0800" "afternoon meeting" %b %b %b '
        b'((NIL NIL "mooch" "owatagu.siam.edu.example")) NIL NIL NIL "<B27397-0100000@Blurdybloop.example>")'
    ) % (person, person, person)
    assert derived.body == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 55 1)'
    assert derived.sent_at == 760686745
    assert derived.header_size == SIMPLE.index(b"Hello")


@pytest.mark.rfc(3501, "6.4.5")
@pytest.mark.parametrize(
    ("section", "body"),
    [
        ((1,), b"one"),
        ((2,), b"Subject: inner\r\n\r\ntwo"),
        ((2, 1), b"two"),
    ],
)
def test_sections(section, body):
    part = find(unpack(derive(MIXED).layout), section)
    assert part is not None
    assert MIXED[part.body_start : part.end] == body


@pytest.mark.parametrize("section", [(3,), (1, 1), (2, 2), (2, 1, 1), (0,)])
def test_sections_that_are_not_there(section):
    assert find(unpack(derive(MIXED).layout), section) is None


def test_pack_round_trip():
    root = unpack(derive(MIXED).layout)
    assert unpack(pack(root)) == root


@pytest.mark.parametrize("shift", range(-8, 4))
def test_a_boundary_line_across_two_pieces(monkeypatch, shift):
    monkeypatch.setattr(parts, "_PIECE", 64)
    body = b"x" * (64 + shift)
    raw = b"Content-Type: multipart/mixed; boundary=bound\n\n--bound\n\n%b\n--bound\n\n%b\n--bound--\n"
    root = unpack(derive(raw % (body, body)).layout)
    assert [p.end - p.body_start for p in root.children] == [len(body)] * 2
    assert [p.lines for p in root.children] == [0, 0]
