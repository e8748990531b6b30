"""Keys by which a message finds its thread.

Spec: RFC 5256 §3 (REFERENCES); RFC 5322 §3.6.4.  Status: complete.
"""

import re
from hashlib import blake2b

_MESSAGE_ID = re.compile(rb"<[ \t\r\n]*([^<>\s]+(?:[ \t\r\n]+[^<>\s]+)*)[ \t\r\n]*>")
_SPACE = re.compile(rb"\s+")
_MOST = 32


def message_ids(value: bytes) -> list[bytes]:
    """Every "<...>" of a field in order, without white space inside."""
    return [_SPACE.sub(b"", m[0]) for m in _MESSAGE_ID.finditer(value)]


def thread_keys(
    own: bytes, replied: list[bytes], references: list[bytes], base: str
) -> tuple[int, ...]:
    """Signed 64-bit hashes of (message-id, base subject), its own first, then the nearest ancestors; at most 32.

    The base subject is part of the key: a changed subject begins a new thread even inside References.
    """
    ids = list(
        dict.fromkeys(
            [own, *replied[:_MOST], *reversed(references[-_MOST:])]
            if own
            else [*replied[:_MOST], *reversed(references[-_MOST:])]
        )
    )
    seed = base.casefold().encode("utf-8", "replace")[:500]
    return tuple(
        int.from_bytes(blake2b(seed + b"\0" + one, digest_size=8).digest(), "big", signed=True)
        for one in ids[:_MOST]
    )
