"""Items that were worked out when the message came: ENVELOPE, BODY, BODYSTRUCTURE.

Spec: RFC 3501 §6.4.5, §7.4.2.  Status: complete.
"""

from mailserver.imap.fetching.item import Value
from mailserver.imap.registry import fetch_item


@fetch_item("ENVELOPE", needs=("envelope",))
def envelope() -> Value:
    """The header's main fields, taken apart (RFC 3501 §7.4.2)."""
    return Value(b"ENVELOPE %b", lambda rows: rows["envelope"], is_long=True)


@fetch_item("BODY", needs=("body",))
def body() -> Value:
    """The structure without extension data (RFC 3501 §7.4.2)."""
    return Value(b"BODY %b", lambda rows: rows["body"], is_long=True)


@fetch_item("BODYSTRUCTURE", needs=("bodystructure",))
def bodystructure() -> Value:
    """The structure with extension data (RFC 3501 §7.4.2)."""
    return Value(b"BODYSTRUCTURE %b", lambda rows: rows["bodystructure"], is_long=True)
