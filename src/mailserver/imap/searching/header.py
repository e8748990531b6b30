"""A header block as SEARCH reads it: unfolded, encoded words decoded, folded for comparison.

Spec: RFC 3501 §6.4.4; RFC 2047 §6.2; RFC 5322 §2.2.3.  Status: complete.
"""

import re

from mailserver.imap.searching.fold import fold
from mailserver.mime.headers import decode_words, split_fields, unfold

_FOLDING = re.compile(rb"\r?\n(?=[ \t])")


def header_text(block: bytes) -> str:
    """A whole header block, names and all, a line a field, folded for comparison."""
    block = _FOLDING.sub(b"", block)
    if block.isascii():
        return fold(decode_words(block))
    # raw 8-bit text is guessed field by field: two senders' programs need not agree about its charset
    return "\n".join([fold(decode_words(line)) for line in block.split(b"\n")])


class Header:
    """The header of one message, its fields parted once."""

    __slots__ = ("_block", "_fields")

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._fields: list[tuple[bytes, bytes]] | None = None

    def values(self, name: bytes) -> list[str]:
        """What stands behind the colon of every field with this *name* (lower case), folded for comparison."""
        if self._fields is None:
            self._fields = split_fields(self._block)
        return [
            fold(decode_words(unfold(field.partition(b":")[2])))
            for written, field in self._fields
            if written.lower() == name
        ]
