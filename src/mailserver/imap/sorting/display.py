"""The name that people see of a message's first address, out of its stored ENVELOPE.

Spec: RFC 5957 §3, §4; RFC 3501 §7.4.2.  Status: complete.
"""

import re
from typing import Final

from mailserver.mime.headers import decode_words

#: places of address lists in an ENVELOPE
FROM: Final = 2
TO: Final = 5

_TOKEN: Final = re.compile(rb'[ ]*(?:([()])|"((?:[^"\\]|\\.)*)"|\{([0-9]+)\}\r\n|NIL)')
_ESCAPE: Final = re.compile(rb"\\(.)")


def display(envelope: bytes, place: int) -> str:
    """The sort value of the first address in the field at *place*; "" where there is none (RFC 5957 §3)."""
    parts = _first_address(envelope, place)
    if parts is None:
        return ""
    name, mailbox, host = parts
    shown = decode_words(name) if name else ""
    if shown:
        return shown
    if mailbox is not None and host is not None:
        return decode_words(mailbox + b"@" + host)
    return decode_words(mailbox) if mailbox else ""


def _first_address(
    envelope: bytes, place: int
) -> tuple[bytes | None, bytes | None, bytes | None] | None:
    """addr-name, addr-mailbox and addr-host of the first address there."""
    depth = field = at = 0
    strings: list[bytes | None] = []
    while (m := _TOKEN.match(envelope, at)) is not None:
        at = m.end()
        bracket, quoted, size = m.groups()
        if bracket == b"(":
            depth += 1
            continue
        if bracket == b")":
            depth -= 1
            if depth == 1:
                field += 1
                if field > place:
                    return None
            continue
        value: bytes | None = None
        if quoted is not None:
            value = _ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        elif size is not None:
            value = envelope[at : at + int(size)]
            at += len(value)
        if depth == 1:  # a string, or NIL for a whole list
            field += 1
            if field > place:
                return None
        elif depth == 3 and field == place:
            strings.append(value)
            if len(strings) == 4:
                return strings[0], strings[2], strings[3]
    return None
