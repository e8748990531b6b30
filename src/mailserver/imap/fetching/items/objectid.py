"""Items that name a message and its thread for good, in whatever mailbox they are: EMAILID, THREADID.

Spec: RFC 8474 §5.1, §5.2, §5.3.  Status: complete.

A copied or moved message is the same one, so its EMAILID stays (RFC 8474 §5.1).
"""

from mailserver.imap.fetching.item import Value
from mailserver.imap.registry import fetch_item

EMAIL, THREAD = "M", "T"  #: an id begins with a letter, and no two kinds look alike (RFC 8474 §7)


@fetch_item("EMAILID", needs=("message",))
def email_id() -> Value:
    """The same octets have the same id in every mailbox they were copied to (RFC 8474 §5.1)."""
    return Value(b"EMAILID (M%d)", lambda rows: rows["message"])


@fetch_item("THREADID", needs=("thread",))
def thread_id() -> Value:
    """Messages that belong together have it in common (RFC 8474 §5.2)."""
    return Value(b"THREADID (T%d)", lambda rows: rows["thread"])
