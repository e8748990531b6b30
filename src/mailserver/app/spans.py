"""Spans of time as people write them: "30m", "2h", "3d"."""

import re

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)


def parse_span(text: str) -> int:
    """Seconds.  Raises ValueError."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no span of time, as 30m, 2h or 3d are")
    return int(found[1]) * _UNITS[found[2]]
