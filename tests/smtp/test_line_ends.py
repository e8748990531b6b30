"""Ends of lines that stand alone, and lines that begin with a dot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.smtp.line_ends import first_odd, has_bare_lf, is_bare

TEXTS = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"a", b"\0"])).map(b"".join)


@pytest.mark.rfc(5321, "2.3.8")
@given(text=TEXTS)
def test_alone_is_whatever_is_left_without_pairs(text: bytes) -> None:
    rest = text.replace(b"\r\n", b" ")
    assert is_bare(text) == (b"\r" in rest or b"\n" in rest)
    if b"\r" not in rest:
        assert has_bare_lf(text) == (b"\n" in rest)


@given(text=TEXTS)
def test_nothing_odd_means_no_dot_and_no_cr_alone(text: bytes) -> None:
    at = first_odd(text)
    if at < 0:
        assert b"\r\n." not in text
        assert b"\r" not in text.replace(b"\r\n", b"")
    else:
        assert text[at : at + 3] == b"\r\n." or text[at : at + 2] != b"\r\n"
        assert first_odd(text[:at]) < 0
