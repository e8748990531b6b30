"""Whether a message may go without what its next hops publish about TLS, as its author says.

Spec: RFC 8689 §3, §4.1.  Status: complete.
"""

import re
from mmap import mmap

MOST = 65_536  #: octets at the start of a message in which the field is looked for

_FIELD = re.compile(
    rb"^TLS-Required:[ \t]*(?:\r\n[ \t]+)?No[ \t]*\r\n", re.IGNORECASE | re.MULTILINE
)
_NAME = re.compile(rb"^TLS-Required[ \t]*:", re.IGNORECASE | re.MULTILINE)


def is_waived(message: bytes | mmap) -> bool:
    """The header of *message* has one field `TLS-Required: No`; a second one makes both void."""
    head = bytes(message[:MOST])
    at = head.lower().find(b"tls-required")
    if at < 0:  # nearly always
        return False
    header = head.partition(b"\r\n\r\n")[0] + b"\r\n"
    return len(_NAME.findall(header)) == 1 and _FIELD.search(header) is not None
