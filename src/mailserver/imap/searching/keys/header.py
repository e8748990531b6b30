"""HEADER: any field by its name.

Spec: RFC 3501 §6.4.4.  Status: complete.
"""

import re

from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.header import field_values
from mailserver.imap.searching.key import Key
from mailserver.store.search import Sought

_PLAIN = re.compile(r"[a-z0-9-]+")  # a name that stands in a folded header as it is


def _field(p: Parser) -> tuple[bytes, bytes]:
    """SP header-fld-name SP astring (RFC 3501 §9)."""
    return p.sp().astring(), p.sp().astring()


@search_key("HEADER", parse=_field)
def header(argument: tuple[str, str]) -> Key:
    """Messages with a field of that name that has the string behind its colon; the empty string is in every field.

    RFC 3501 §6.4.4, HEADER.
    """
    name, needle = argument
    wanted = name.encode()

    def test(block: bytes) -> bool:
        return any(needle in value for value in field_values(block, wanted))

    also = name if _PLAIN.fullmatch(name) else ""
    return Key(by_header=test, sought=Sought(("head",), needle, also))
