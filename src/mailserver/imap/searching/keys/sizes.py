"""Keys that compare the message's size: LARGER, SMALLER.

Spec: RFC 3501 §6.4.4.  Status: complete.
"""

from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.key import Key


def _size(p: Parser) -> int:
    return p.sp().number64()


@search_key("LARGER", parse=_size)
def larger(size: int) -> Key:
    """Messages of more octets than *size* (RFC 3501 §6.4.4, LARGER)."""
    return Key(columns=("size",), by_columns=lambda sizes: [n > size for n in sizes])


@search_key("SMALLER", parse=_size)
def smaller(size: int) -> Key:
    """Messages of fewer octets than *size* (RFC 3501 §6.4.4, SMALLER)."""
    return Key(columns=("size",), by_columns=lambda sizes: [n < size for n in sizes])
