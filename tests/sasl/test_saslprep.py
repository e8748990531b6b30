"""SASLprep: the examples of the RFC, and scramp's as another opinion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scramp.utils import ScramException
from scramp.utils import saslprep as other

from mailserver.sasl.saslprep import saslprep


@pytest.mark.rfc(4013, "3")
@pytest.mark.rfc(3454, "6")
@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("\u0007", None),
        ("\u0627\u0031", None),
        ("a\u00a0b", "a b"),
        ("", None),
        ("\u00ad", None),
        ("\U000e0001", None),
        ("\ue000", None),
        ("\u0627\u0031\u0627", "\u0627\u0031\u0627"),
        ("\u0627a\u0627", None),
    ],
)
def test_the_examples_of_the_rfc(text: str, prepared: str | None) -> None:
    assert saslprep(text) == (None if prepared is None else prepared.encode())


@given(st.text(min_size=1, max_size=20))
def test_another_implementation_agrees(text: str) -> None:
    try:
        expected = other(text)
    except (ScramException, UnicodeEncodeError, IndexError):
        return  # unassigned characters and such: it takes some that we do not, or fails
    prepared = saslprep(text)
    if prepared is not None:
        assert prepared.decode() == expected
