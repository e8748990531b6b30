"""Text as SORT orders it: i;unicode-casemap.

Spec: RFC 5051 §2.  Status: complete.

The collation compares octets of UTF-8, whose order is that of the code points; so strings are compared as they are.
"""

import unicodedata
from functools import lru_cache


def collated(value: str) -> str:
    """*value* so that `<` and `==` of two such strings are what the collation says.

    Every character is put into titlecase by the simple mapping, then taken apart as far as it can be, compatibility
    characters too; combining marks stay in the order that they were written in.
    """
    if value.isascii():
        return value.upper()
    return "".join(map(_character, value))


@lru_cache(maxsize=8_192)
def _character(one: str) -> str:
    title = one.title()
    return _apart(title if len(title) == 1 else one)  # two characters: a mapping that is not simple


def _apart(one: str) -> str:
    parts = unicodedata.decomposition(one).split()
    if parts and parts[0].startswith("<"):
        del parts[0]
    return "".join([_apart(chr(int(part, 16))) for part in parts]) if parts else one
