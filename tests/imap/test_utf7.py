"""Modified UTF-7 (RFC 3501 §5.1.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.imap import utf7


@pytest.mark.rfc(3501, "5.1.3")
@pytest.mark.parametrize(
    ("wire", "name"),
    [
        (b"INBOX", "INBOX"),
        (b"", ""),
        (b"R&-D", "R&D"),
        (b"&-&-", "&&"),
        (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
        (b"&U,BTF2XlZyyKng-", "台北日本語"),
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"&2D3eAA-", "\U0001f600"),
        (b"&AOk-&-", "é&"),
    ],
)
def test_both_ways(wire: bytes, name: str) -> None:
    assert utf7.decode(wire) == name
    assert utf7.encode(name) == wire


@pytest.mark.rfc(3501, "5.1.3")
@pytest.mark.parametrize(
    "wire",
    [
        b"&Jjo!",  # no shift back
        b"&U,BTFw-&ZeVnLIqe-",  # superfluous shift
        b"&AGE-",  # "a" stands for itself
        b"&",
        b"R&D",
        b"&AA-",  # half a character
        b"&2D0-",  # half a surrogate pair
        b"&AOl-",  # bits left over
        b"&AOk=-",
        b"\xc3\xa9",
        b"a\x01",
        b"&AOk-\x7f",
    ],
)
def test_wrong_form(wire: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        utf7.decode(wire)


def test_tolerant() -> None:
    assert utf7.decode_tolerant(b"R&D") == "R&D"
    assert utf7.decode_tolerant("Entwürfe".encode()) == "Entwürfe"
    assert utf7.decode_tolerant(b"Entw&APw-rfe") == "Entwürfe"
    with pytest.raises(UnicodeDecodeError):
        utf7.decode_tolerant(b"\xff")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_round_trip(name: str) -> None:
    assert utf7.decode(utf7.encode(name)) == name


@given(st.binary() | st.text("&-ABk,+/ é").map(str.encode))
def test_one_form_only(wire: bytes) -> None:
    """Whatever decodes is the one encoding of what it decodes to."""
    try:
        name = utf7.decode(wire)
    except ValueError:
        return
    assert utf7.encode(name) == wire
