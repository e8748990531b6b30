"""Keys by which a message finds its thread.

Spec: RFC 5256 §3 (REFERENCES); RFC 5322 §3.6.4; RFC 8474 §5.2.  Status: complete.
"""

import re
from hashlib import blake2b

_MESSAGE_ID = re.compile(rb"<([^<>]++)>")
_MOST = 32
_NEAREST = 1_000  # message-ids read of one field
_LONGEST = 2_000  # octets of one message-id that count


def message_ids(value: bytes, most: int = _NEAREST) -> list[bytes]:
    """Every "<...>" of a field in order, without white space and NULs inside, at most *most*."""
    found: list[bytes] = []
    for m in _MESSAGE_ID.finditer(value):
        inner = m[1]
        if b"\0" in inner or len(inner.split(None, 1)) != 1 or inner[-1:].isspace():
            inner = b"".join(inner.replace(b"\0", b"").split())
        if inner:
            found.append(b"<%b>" % inner[:_LONGEST])
            if len(found) == most:
                break
    return found


def thread_keys(
    own: list[bytes], replied: list[bytes], references: list[bytes], base: str
) -> tuple[int, ...]:
    """Signed 64-bit hashes of (message-id, base subject): the message's own, then its nearest ancestors; at most 32.

    *own* is none or one message-id, *replied* and *references* are the fields of In-Reply-To and References.  The base
    subject is part of the key, case folded: a changed subject begins a new thread even inside References.
    """
    ids = list(own)
    for value in replied:
        ids.extend(message_ids(value))
    for value in references:
        ids.extend(message_ids(value[-_NEAREST * 100 :])[::-1])
    seed = base.casefold().encode("utf-8", "replace") + b"\0"
    return tuple(
        [
            int.from_bytes(blake2b(seed + one, digest_size=8).digest(), "big", signed=True)
            for one in list(dict.fromkeys(ids))[:_MOST]
        ]
    )
