"""Values of DSN parameters."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.smtp import xtext

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
UNICODE = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\x7f"),
    min_size=1,
)


@given(PRINTABLE)
@pytest.mark.rfc(3461, "4")
def test_round_trip(plain: str) -> None:
    wire = xtext.encode(plain)
    assert xtext.is_xtext(wire)
    assert xtext.decode(wire) == plain


@given(UNICODE, st.booleans())
@pytest.mark.rfc(6533, "3")
def test_an_original_recipient_in_unicode_comes_back(address: str, smtputf8: bool) -> None:
    wire = xtext.encode_original(f"utf-8;{address}", smtputf8=smtputf8)
    assert not set(wire) & set(" +=\r\n")
    assert smtputf8 or wire.isascii()
    assert xtext.decode_original(wire) == f"utf-8;{address}"


@given(PRINTABLE.filter(bool))
@pytest.mark.rfc(3461, "4.2")
def test_an_original_recipient_comes_back(address: str) -> None:
    wire = xtext.encode_original(f"RFC822;{address}", smtputf8=False)
    assert xtext.decode_original(wire) == f"RFC822;{address}"


@pytest.mark.rfc(6533, "3")
@pytest.mark.parametrize(
    ("wire", "plain"),
    [
        ("rfc822;a+3Db@x", "rfc822;a=b@x"),
        ("rfc822;a\\x{FC}b@x", "rfc822;a\\x{FC}b@x"),
        ("utf-8;m\\x{FC}ller@x", "utf-8;müller@x"),
        ("UTF-8;müller@x", "UTF-8;müller@x"),
        ("utf-8;\\x{1F600}@x", "utf-8;\U0001f600@x"),
        ("utf-8;a\\x{2B}b\\x{5C}@x", "utf-8;a+b\\@x"),
        ("utf-8;a+b@x", "utf-8;a+b@x"),
        ("utf-8;\\x{}@x", "utf-8;\\x{}@x"),
        ("x400;/S=u", None),
        ("x400;/S+3Du", "x400;/S=u"),
        ("utf-8;\\x{0D}", None),
        ("utf-8;\\x{85}", None),
        ("utf-8;\\x{2028}", None),
        ("utf-8;\u2028", None),
        ("utf-8;\\x{D800}", None),
        ("utf-8;\\x{FFFFFF}", None),
        ("rfc822;a+0Ab", None),
        ("rfc822;a+80b", None),
        ("rfc822;a+3d", None),
        ("rfc822;ü", None),
        ("rfc822;", None),
        ("rfc 822;a", None),
        ("a@x", None),
    ],
)
def test_original_recipients(wire: str, plain: str | None) -> None:
    if plain is None:
        with pytest.raises(PeerError):
            xtext.decode_original(wire)
    else:
        assert xtext.decode_original(wire) == plain


@given(st.text())
def test_garbage_raises_peer_error_or_nothing(text: str) -> None:
    for decode in (xtext.decode, xtext.decode_original):
        try:
            plain = decode(text)
        except PeerError:
            continue
        assert "\r" not in plain
        assert "\n" not in plain


def test_endless_values_take_no_time() -> None:
    began = time.thread_time()
    for text in ("+2" * 500_000, "+2B" * 300_000, "utf-8;" + "\\x{" * 300_000, ";" * 1_000_000):
        for decode in (xtext.decode, xtext.decode_original):
            with contextlib.suppress(PeerError):
                decode(text)
    assert time.thread_time() - began < 5
