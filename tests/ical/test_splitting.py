"""Files with many cards."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.ical import splitting
from mailserver.ical.splitting import Piece, pieces

ONE = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:one\r\nEND:VCARD\r\n"
TWO = b"begin:vcard\nFN:two\nend:vcard\n"


def split(octets: bytes, size: int = 1_000) -> list[Piece]:
    return list(pieces(io.BytesIO(octets).readline, size))


def test_cards_come_as_they_are_with_their_lines():
    assert split(b"\xef\xbb\xbf" + ONE + b"\r\n" + TWO) == [Piece(1, ONE), Piece(6, TWO)]


def test_the_card_of_an_agent_belongs_to_the_other():
    nested = b"BEGIN:VCARD\nAGENT:\n" + TWO + b"END:VCARD\n"
    assert split(nested + TWO) == [Piece(1, nested), Piece(7, TWO)]


@pytest.mark.rfc(2426, "4")
def test_a_group_may_stand_before_the_marks():
    grouped = ONE.replace(b"BEGIN", b"one.Begin").replace(b"END", b"one.END")
    assert split(grouped + TWO) == [Piece(1, grouped), Piece(5, TWO)]


@pytest.mark.rfc(6350, "3.2")
def test_a_note_that_quotes_a_card_goes_on():
    """What begins with a space belongs to the line before, whatever it says."""
    quoting = b"BEGIN:VCARD\r\nNOTE:his:\r\n END:VCARD\r\n\tBEGIN:VCARD\r\nEND:VCARD\r\n"
    assert split(quoting + TWO) == [Piece(1, quoting), Piece(6, TWO)]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", []),
        (b"\n\n", []),
        (ONE.decode().encode("utf-16"), [(1, "the file is written in UTF-16; convert it to UTF-8")]),
        (b"one,two\nthree\n\n", [(1, "this belongs to no card")]),
        (b"\n" + ONE[:-11] + TWO, [(2, "the card has no END:VCARD"), (5, "")]),
        (ONE[:-12], [(1, "the card has no END:VCARD")]),
        (ONE + b"END:VCARD\n" + TWO, [(1, ""), (5, "this belongs to no card"), (6, "")]),
        (b"BEGIN:VCARD\nX:" + b"x" * 2_000 + b"\nEND:VCARD\n" + TWO,
         [(1, "the card has more than 1000 octets"), (4, "")]),
    ],
)  # fmt: skip
def test_what_is_no_card_is_said_and_the_rest_is_read(octets, expected):
    assert [(piece.line, piece.problem) for piece in split(octets)] == expected


def test_no_line_is_held_whole(monkeypatch):
    monkeypatch.setattr(splitting, "PIECE", 16)
    assert split(ONE + TWO) == [Piece(1, ONE), Piece(5, TWO)]


@given(st.lists(st.sampled_from([b"BEGIN:VCARD", b"END:VCARD", b"AGENT:", b"", b"x"]), max_size=30))
def test_every_line_is_accounted_for(lines):
    octets = b"".join(line + b"\n" for line in lines)
    found = split(octets)
    assert [piece.line for piece in found] == sorted({piece.line for piece in found})
    for piece in found:
        assert bool(piece.octets) is not bool(piece.problem)
        assert piece.octets in octets
