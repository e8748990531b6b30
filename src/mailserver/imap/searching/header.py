"""A header block as SEARCH reads it: unfolded, encoded words decoded, folded for comparison.

Spec: RFC 3501 §6.4.4; RFC 2047 §6.2; RFC 5322 §2.2.3.  Status: complete.
"""

import re
from functools import lru_cache

from mailserver.imap.searching.fold import fold
from mailserver.mime.headers import FIELD_BODY, decode_words, unfold

_NAME = re.compile(rb"[!-9;-~]+")  # RFC 5322 §2.2
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
_FOLDINGS = (b"\r\n ", b"\r\n\t", b"\n ", b"\n\t")


def header_text(block: bytes) -> str:
    """A whole header block, names and all, a line a field, folded for comparison."""
    for folding in _FOLDINGS:
        block = block.replace(folding, folding[-1:])
    if block.isascii():
        if b"=?" not in block:  # as `decode_words` does it, many times faster
            return fold(block.translate(_LINE_ENDS, b"\0").decode("ascii"))
        return fold(decode_words(block))
    # raw 8-bit text is guessed field by field: two senders' programs need not agree about its charset
    return "\n".join([fold(decode_words(line)) for line in block.split(b"\n")])


def field_values(block: bytes, name: bytes) -> list[str]:
    """What stands behind the colon of every field with this *name*, in any case, folded for comparison."""
    if not _NAME.fullmatch(name):
        return []  # no field can be called so
    return [fold(decode_words(unfold(value))) for value in _field(name).findall(block)]


@lru_cache(maxsize=64)
def _field(name: bytes) -> re.Pattern[bytes]:
    """Finds the bodies of fields of one name, many times faster than parting all fields."""
    pattern = rb"^%b[ \t]*+:(%b)" % (re.escape(name), FIELD_BODY)
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)
