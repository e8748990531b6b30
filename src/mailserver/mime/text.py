"""Text as SEARCH compares it.

Spec: RFC 3501 §6.4.4; RFC 9051 §6.4.4; RFC 5051.  Status: complete.
Deviates: RFC 5051 §2: case is folded in full ("ß" finds "ss"), not by the simple titlecase map.
"""

import unicodedata


def fold(value: str) -> str:
    """*value* without case and with compatibility characters taken apart, so that NFC equals NFD."""
    if value.isascii():
        return value.lower()
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", value).casefold())
