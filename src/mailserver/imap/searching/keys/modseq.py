r"""MODSEQ: messages that changed since.

Spec: RFC 7162 §3.1.5, §7.  Status: complete.

There is one modseq for all metadata of a message, so that the name and type of an entry narrow nothing down.
"""

from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.key import Key

_KINDS = frozenset({"PRIV", "SHARED", "ALL"})


def _modseq(p: Parser) -> int:
    r"""[SP entry-name SP entry-type-req] SP mod-sequence-valzer: `"/flags/\\draft" all 620162338`."""
    p.sp()
    if p.peek(b'"') or p.peek(b"{"):
        name = p.string()
        if not name.lower().startswith(b"/flags/"):
            raise p.error("expected /flags/ and a flag")
        if p.sp().word() not in _KINDS:
            raise p.error("expected priv, shared or all")
        p.sp()
    return p.number64()


@search_key("MODSEQ", parse=_modseq)
def modseq(since: int) -> Key:
    """Messages with this modseq or a higher one (RFC 7162 §3.1.5)."""
    return Key(columns=("modseq",), by_columns=lambda all_: [n >= since for n in all_])
