"""Sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.app.sizes import parse_size, show_size


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("0", 0),
        ("512", 512),
        ("5G", 5 << 30),
        ("500 MB", 500 << 20),
        ("1.5GiB", 3 << 29),
        ("2t", 2 << 40),
        ("none", None),
        ("Unlimited", None),
    ],
)
def test_sizes(text, octets):
    assert parse_size(text) == octets


@pytest.mark.parametrize(
    "text", ["", "-1", "5X", "G", "1e9", "0x10", "½G", "5 G B", "9" * 15 + "T"]
)
def test_no_sizes(text):
    with pytest.raises(ValueError, match=r"no size|too large"):
        parse_size(text)


@given(st.integers(0, 1 << 55))
def test_what_is_shown_is_read_back_within_its_rounding(octets):
    again = parse_size(show_size(octets))
    assert again is not None
    assert abs(again - octets) <= max(octets * 0.05, 0)


@given(st.text(max_size=20))
def test_garbage(text):
    try:
        size = parse_size(text)
    except ValueError:
        return
    assert size is None or size >= 0
