"""Keys by which a message finds its thread.

Spec: RFC 5256 §3 (REFERENCES); RFC 5322 §3.6.4; RFC 8474 §5.2.  Status: complete.

THREADID has a thread chosen once, at delivery, from `thread_keys`; THREAD works it out from the `ancestry` of the
messages it is asked about.
"""

import re
from array import array
from collections.abc import Iterable
from hashlib import blake2b

_MESSAGE_ID = re.compile(rb"<(?:([^<>\s\x00]++)|([^<>]++))>")
_MOST = 32
_NEAREST = 1_000  # message-ids read of one field
_LONGEST = 2_000  # octets of one message-id that count


def message_ids(value: bytes, most: int = _NEAREST) -> list[bytes]:
    """Every "<...>" of a field in order, without white space and NULs inside, at most *most*."""
    found: list[bytes] = []
    for m in _MESSAGE_ID.finditer(value):
        inner, broken = m.groups()
        if broken is not None:
            inner = b"".join(broken.replace(b"\0", b"").split())
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


_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_QUOTE, _AT = b'"@'
_ANCESTORS = 255  # that are kept of one message: the first, and those next to it
_FIELD = 50_000  # octets of References that are looked at, from the end on


def ancestry(own: list[bytes], replied: list[bytes], references: list[bytes]) -> bytes:
    """Who a message is and whom it follows, packed: its own message-id, then its references, the oldest first.

    Each is a hash of 8 octets; the first is 0 for a message that has no valid message-id of its own (RFC 5256 §3).
    Without References the first message-id of In-Reply-To counts.  `unpack_ancestry` reads it.
    """
    ids = _valid(_ends(references[-1])) if references else []
    if not ids and replied:
        ids = _valid(message_ids(replied[-1]))[:1]
    if len(ids) > _ANCESTORS:
        ids = [ids[0], *ids[1 - _ANCESTORS :]]
    out = array("q", [0, *map(_hash, ids)])
    for one in _valid(own[:1]):
        out[0] = _hash(one)
    return out.tobytes()


def unpack_ancestry(packed: bytes) -> "array[int]":
    """What `ancestry` has packed: at least one number."""
    out = array("q")
    out.frombytes(packed)
    return out


def _ends(value: bytes) -> list[bytes]:
    """The message-ids of a field; of a very long one the first and the last ones."""
    ids = message_ids(value[-_FIELD:], _FIELD)
    return ids if len(value) <= _FIELD else message_ids(value[:_LONGEST], 1) + ids


def _valid(ids: Iterable[bytes]) -> list[bytes]:
    """Those that can be message-ids, without quoting that can be left out (RFC 5256 §3; RFC 5322 §3.6.4)."""
    return [_unquoted(one) if _QUOTE in one else one for one in ids if _AT in one[2:-2]]


def _unquoted(one: bytes) -> bytes:
    return _QUOTED.sub(lambda m: _ESCAPE.sub(rb"\1", m[1]), one)


def _hash(one: bytes) -> int:
    """Never 0."""
    number = int.from_bytes(blake2b(one, digest_size=8).digest(), "big", signed=True)
    return number or 1
