"""BODY and TEXT: what people read of a message, and that with all its header fields.

Spec: RFC 3501 §6.4.4; RFC 9051 §6.4.4.  Status: complete.
"""

from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.key import Key
from mailserver.store.search import Sought


def _string(p: Parser) -> bytes:
    return p.sp().astring()


@search_key("BODY", parse=_string)
def body(needle: str) -> Key:
    """Messages with *needle* in a text part or in the header of an embedded message (RFC 3501 §6.4.4, BODY)."""
    return Key(in_body=needle, sought=Sought(("body",), needle))


@search_key("TEXT", parse=_string)
def text(needle: str) -> Key:
    """Messages with *needle* in the header, or in the body with the header fields of its parts.

    RFC 3501 §6.4.4, TEXT; RFC 9051 §6.4.4, "including MIME header fields".
    """
    return Key(in_body=needle, in_headers=True, sought=Sought(("head", "body"), needle))
