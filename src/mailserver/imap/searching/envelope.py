"""The address fields of a stored ENVELOPE, read back from its wire text.

Spec: RFC 3501 §7.4.2.  Status: complete.
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from mailserver.imap.searching.fold import fold
from mailserver.mime.headers import decode_words

_TOKEN = re.compile(rb'[ ]*(?:([()])|"((?:[^"\\]|\\.)*)"|\{([0-9]+)\}\r\n|NIL)')
_ESCAPE = re.compile(rb"\\(.)")
#: in lower case: a string, a list of a few addresses, and an ENVELOPE of such up to its Bcc
_STRING = r'(?:nil|"[^"]*+")'
_LIST = rf'nil|\((?:\({_STRING} nil "[^"]*+" "[^"]*+"\)){{1,20}}\)'
_SHAPE = re.compile(
    rf"\({_STRING} {_STRING} ({_LIST}) (?:{_LIST}) (?:{_LIST}) ({_LIST}) ({_LIST}) ({_LIST}) "
)
_ADDRESS = re.compile(r'\((nil|"[^"]*+") nil "([^"]*+)" "([^"]*+)"\)')
_REMEMBERED: Final = 200  #: characters up to which a list of addresses is remembered
_DRESS = re.compile(r'["<>\\\n]+')
_WORDS = re.compile(r"[0-9a-z]+|[^\x00-\x7f]+")


class Place(IntEnum):
    """Where a field stands in an ENVELOPE."""

    FROM = 2
    TO = 5
    CC = 6
    BCC = 7


class Forms(NamedTuple):
    """The addresses of a field, folded for comparison and decoded: `name <mailbox@host>, group: ...;`.

    dressed: as fields often write the same: quotes round a name, brackets round an address alone.
    """

    plain: str
    dressed: str

    @property
    def text(self) -> str:
        """What is compared: a text is in the field if it is in one of both."""
        return f"{self.plain}\n{self.dressed}"


def address_text(envelope: bytes, place: Place) -> str:
    """What is compared of the addresses of a field."""
    return addresses(envelope, (place,))[0].text


def addresses(envelope: bytes, places: Sequence[Place] = tuple(Place)) -> list[Forms]:
    """Those of each of *places*, ascending, in one pass."""
    text = _plain(envelope)
    if text and (m := _SHAPE.match(text)):
        lists = {Place.FROM: m[1], Place.TO: m[2], Place.CC: m[3], Place.BCC: m[4]}
        return [_folded_list(lists[place]) for place in places]
    return _read(envelope, places)


def runs(needle: str) -> tuple[str, ...]:
    """What a field has in its plain form if it has *needle* in one of its forms, beside what dresses it.

    *needle* itself where nothing of that is in it: then it is in the plain form or nowhere.
    """
    return tuple(filter(None, _DRESS.split(needle)))


def _plain(envelope: bytes) -> str:
    """*envelope* in lower case if that is all there is to do about it: every octet of a string means itself.

    Printable ASCII without encoded words and escapes; a literal would have a line end.
    """
    if envelope.isascii() and b"\\" not in envelope and b"=?" not in envelope:
        text = envelope.decode("ascii")
        if text.isprintable():
            return text.lower()
    return ""


def _folded_list(addresses: str) -> Forms:
    return _remembered(addresses) if len(addresses) < _REMEMBERED else _listed(addresses)


def _listed(addresses: str) -> Forms:
    """What `_read` says of a list of plain *addresses*; most mail in a mailbox is from and to the same people."""
    plain: list[str] = []
    dressed: list[str] = []
    for name, mailbox, host in _ADDRESS.findall(addresses):
        if name == "nil":
            plain.append(f"{mailbox}@{host}")
            dressed.append(f"<{mailbox}@{host}>")
        else:
            plain.append(f"{name[1:-1]} <{mailbox}@{host}>")
            dressed.append(f"{name} <{mailbox}@{host}>")
    return Forms(", ".join(plain), ", ".join(dressed))


_remembered = lru_cache(maxsize=2_048)(_listed)


def _read(envelope: bytes, places: Sequence[Place]) -> list[Forms]:
    """The same of any ENVELOPE, token by token."""
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
    return [Forms(*[fold(", ".join(form)) for form in forms]) for forms in found.values()]


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
