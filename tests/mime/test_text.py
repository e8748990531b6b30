"""Text as SEARCH compares it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.text import fold


@pytest.mark.rfc(9051, "6.4.4")
@pytest.mark.rfc(5051, "2")
@pytest.mark.parametrize(
    ("needle", "text"),
    [
        ("HELLO", "hello"),
        ("grüsse", "GRÜSSE"),
        ("grüsse", "Grüße"),
        ("gru\N{COMBINING DIAERESIS}sse", "Grüße"),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
        ("istanbul", "ISTANBUL"),
        ("ﬁne", "FINE"),
        ("ＡＢＣ", "abc"),
    ],
)
def test_same(needle, text):
    assert fold(needle) == fold(text)


@pytest.mark.parametrize(("one", "other"), [("grusse", "grüsse"), ("a b", "ab"), ("a", "á")])
def test_not_the_same(one, other):
    assert fold(one) != fold(other)


@given(st.text())
def test_folding_twice_changes_nothing(value):
    assert fold(fold(value)) == fold(value)
