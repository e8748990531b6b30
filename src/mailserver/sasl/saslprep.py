"""SASLprep: one spelling for a password that people type on different keyboards.

Spec: RFC 4013 §2; RFC 3454.  Status: complete for stored strings.
"""

import stringprep
import unicodedata
from collections.abc import Callable

_PROHIBITED: tuple[Callable[[str], bool], ...] = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,  # unassigned
)


def saslprep(text: str) -> bytes | None:
    """*text* prepared, in UTF-8; None if it has characters that no prepared string has, or nothing is left of it."""
    if text.isascii():
        return text.encode() if text and text.isprintable() else None
    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c)
    )
    made = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not made or any(is_bad(c) for c in made for is_bad in _PROHIBITED):
        return None
    if any(map(stringprep.in_table_d1, made)):  # right to left (RFC 3454 §6)
        ends = stringprep.in_table_d1(made[0]) and stringprep.in_table_d1(made[-1])
        if not ends or any(map(stringprep.in_table_d2, made)):
            return None
    return made.encode()
