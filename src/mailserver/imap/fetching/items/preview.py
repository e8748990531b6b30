"""PREVIEW: the first words of a message, kept once they were asked for.

Spec: RFC 8970 §3, §4.1, §6.  Status: complete.

With LAZY, messages whose preview is kept have it told, and so have as many others of a batch as a screen shows; the
rest are NIL.
"""

import re

from mailserver.imap.fetching.item import Preview
from mailserver.imap.parser import Parser
from mailserver.imap.registry import fetch_item

_LAZY = re.compile(rb" \(LAZY(?: LAZY)*\)", re.IGNORECASE)


def _modifiers(p: Parser) -> bool:
    """[SP "(" preview-mod *(SP preview-mod) ")"]; other parentheses behind it are FETCH's own (RFC 8970 §6)."""
    if not _LAZY.match(p.line, p.at):
        return False
    p.take(_LAZY, "LAZY")
    return True


@fetch_item(
    "PREVIEW",
    needs=("blob", "size", "header_size", "layout", "message", "preview"),
    parse=_modifiers,
    capability="PREVIEW",
)
def preview(is_lazy: bool) -> Preview:
    """A string, empty where nothing can be said; NIL only with LAZY (RFC 8970 §3.2)."""
    return Preview(b"PREVIEW", is_lazy)
