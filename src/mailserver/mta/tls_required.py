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
    end = message.find(b"\r\n\r\n", 0, MOST)
    header = bytes(message[: end + 2]) if end >= 0 else bytes(message[:MOST]) + b"\r\n"
    if header.lower().find(b"tls-required") < 0:  # nearly always
        return False
    return len(_NAME.findall(header)) == 1 and _FIELD.search(header) is not None
