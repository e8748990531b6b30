"""MODSEQ: when a message last changed.

Spec: RFC 7162 §3.1.4.2.  Status: complete.
"""

from mailserver.imap.fetching.item import Value
from mailserver.imap.registry import fetch_item


@fetch_item("MODSEQ", needs=("modseq",))
def modseq() -> Value:
    """One for all flags of the message (RFC 7162 §3.1.4.2)."""
    return Value(b"MODSEQ (%d)", lambda rows: rows["modseq"])
