"""Sizes and numbers as people write them: "5G", "500 MB", "none"."""

import re

from mailserver.base.errors import Cannot

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d{1,15})(?:\.(\d{1,3}))?\s*([KMGT]?)(?:I?B)?", re.IGNORECASE | re.ASCII)
LARGEST = 1 << 60  #: octets


def parse_size(text: str) -> int | None:
    """Octets; None for "none", which is no bound.  Units are powers of 1,024.  Raises ValueError."""
    if text.strip().lower() in ("none", "unlimited"):
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size, as 500M, 5G or none are")
    whole, part, unit = match.groups()
    size = int(float(f"{whole}.{part or 0}") * _UNITS[unit.upper()])
    if size > LARGEST:
        raise ValueError(f"{text!r} is too large")
    return size


def parse_number(option: str, text: str) -> int | None:
    """The number that *option* was given; None for "none", which is no bound.  Raises Cannot."""
    if text == "none":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Cannot(f"{option} {text}: expected a number or none")
    return int(text)


def show_size(octets: int | None) -> str:
    """1610612736 -> "1.5 GiB"; None -> "none"."""
    if octets is None:
        return "none"
    size = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:.1f}".removesuffix(".0") + f" {unit}"
        size /= 1024
    raise AssertionError("the loop ends with the largest unit")
