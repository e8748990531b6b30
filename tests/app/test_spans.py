"""Spans of time as people write them."""

import pytest

from mailserver.app.spans import parse_span


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), (" 2h ", 7200), ("3d", 259_200), ("1w", 604_800), ("0m", 0)]
)  # fmt: skip
def test_spans(text: str, seconds: int) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-2h", "1.5h", "2y", "1234567h", "٣d"])
def test_no_spans(text: str) -> None:
    with pytest.raises(ValueError, match="no span of time"):
        parse_span(text)
