"""The address fields of a stored ENVELOPE, read back from its wire text.

Spec: RFC 3501 §7.4.2.  Status: complete.
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

from mailserver.imap.searching.fold import fold
from mailserver.mime.headers import decode_words

_TOKEN = re.compile(rb'[ ]*(?:([()])|"((?:[^"\\]|\\.)*)"|\{([0-9]+)\}\r\n|NIL)')
_ESCAPE = re.compile(rb"\\(.)")
_WORDS = re.compile(r"[0-9a-z]+|[^\x00-\x7f]+")


class Place(IntEnum):
    """Where a field stands in an ENVELOPE."""

    FROM = 2
    TO = 5
    CC = 6
    BCC = 7


def address_text(envelope: bytes, place: Place) -> str:
    """The addresses of a field, folded for comparison: `name <mailbox@host>, group: ...;`.

    Names are decoded.  A second line has the same as fields often write it: quotes round a name, brackets round an
    address alone.
    """
    return address_texts(envelope, (place,))[0]


def address_texts(envelope: bytes, places: Sequence[Place] = tuple(Place)) -> list[str]:
    """The `address_text` of each of *places*, ascending, in one pass."""
    depth = field = at = 0
    last = places[-1]
    parts: list[bytes | None] = []
    found: dict[int, tuple[list[str], list[str]]] = {place: ([], []) for place in places}
    while (m := _TOKEN.match(envelope, at)) is not None:
        at = m.end()
        bracket, quoted, size = m.groups()
        value: bytes | None = None
        if bracket == b"(":
            depth += 1
            continue
        if bracket == b")":
            depth -= 1
            if depth == 2 and field in found:
                simple, full = _address(*parts[:4])
                found[field][0].append(simple)
                found[field][1].append(full)
            if depth == 1:
                field += 1
            parts = []
            if field > last or not depth:
                break
            continue
        if quoted is not None:
            value = _ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        elif size is not None:
            value = envelope[at : at + int(size)]
            at += len(value)
        if depth == 1:
            field += 1
        else:
            parts.append(value)
    return [fold(", ".join(plain) + "\n" + ", ".join(dressed)) for plain, dressed in found.values()]


def _address(
    name: bytes | None, _route: bytes | None, mailbox: bytes | None, host: bytes | None
) -> tuple[str, str]:
    if host is None:
        group = decode_words(mailbox) + ":" if mailbox else ";"
        return group, group
    address = decode_words((mailbox or b"") + b"@" + host)
    if name is None:
        return address, f"<{address}>"
    shown = decode_words(name)
    quoted = re.sub(r'(["\\])', r"\\\1", shown)
    return f"{shown} <{address}>", f'"{quoted}" <{address}>'


@lru_cache(maxsize=64)
def words_of(needle: str) -> tuple[bytes, ...]:
    """Runs of letters and digits in folded text, which an envelope that has *needle* has too, in any form of it."""
    return tuple(word.encode() for word in _WORDS.findall(needle))


def cannot_have(envelope: bytes, words: tuple[bytes, ...]) -> bool:
    """Sure, at small cost, that no address in *envelope* has all these *words*."""
    if b"=?" in envelope or not envelope.isascii():
        return False
    plain = envelope.lower()
    return not all(word in plain for word in words)
