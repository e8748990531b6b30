"""Section specifications: which octets of a message `BODY[...]` means.

Spec: RFC 3501 §6.4.5, §9 (section); RFC 9051 §6.4.5.1.  Status: complete.
"""

import re
from dataclasses import dataclass
from typing import Final

from mailserver.imap.parser import Parser

#: what a section may end with; "" is the part itself or, without numbers, the whole message
TEXTS: Final = ("", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME")

_WORD: Final = re.compile(rb"[A-Za-z.]+")
_ATOM: Final = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_QUOTABLE: Final = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*")


@dataclass(frozen=True, slots=True)
class Section:
    """One section-spec (RFC 3501 §9).

    numbers: the part number, () for the message itself.
    text:    one of TEXTS, in upper case.
    fields:  the names behind HEADER.FIELDS and HEADER.FIELDS.NOT, as written.
    """

    numbers: tuple[int, ...] = ()
    text: str = ""
    fields: tuple[bytes, ...] = ()

    def __bytes__(self) -> bytes:
        """The section as a response names it, without the brackets; field names as the client wrote them."""
        spec = ".".join([*map(str, self.numbers), *([self.text] if self.text else [])]).encode()
        if not self.fields:
            return spec
        return b"%b (%b)" % (spec, b" ".join(map(_astring, self.fields)))


@dataclass(frozen=True, slots=True)
class Partial:
    """`<offset.length>`: a substring of the section (RFC 3501 §6.4.5)."""

    offset: int
    length: int


def parse_section(p: Parser) -> Section:
    """[section-spec] "]"; the opening bracket has been read (RFC 3501 §9)."""
    numbers: list[int] = []
    if p.accept(b"]"):
        return Section()
    while p.line[p.at : p.at + 1].isdigit():
        numbers.append(p.nz_number())
        if not p.accept(b"."):
            p.expect(b"]")
            return Section(tuple(numbers))
    text = p.take(_WORD, "section").decode("ascii").upper()
    if text not in TEXTS or not text:
        raise p.error("unknown section")
    if text == "MIME" and not numbers:
        raise p.error("MIME needs a part number")  # RFC 3501 §6.4.5
    fields: list[bytes] = []
    if text.startswith("HEADER.FIELDS"):
        fields = p.sp().group(Parser.astring)
    p.expect(b"]")
    return Section(tuple(numbers), text, tuple(fields))


def parse_partial(p: Parser) -> Partial | None:
    """["<" number64 "." nz-number64 ">"] (RFC 9051 §9, partial)."""
    if not p.accept(b"<"):
        return None
    offset = p.number64()
    length = p.expect(b".").number64()
    if length == 0:
        raise p.error("expected a number from 1")
    p.expect(b">")
    return Partial(offset, length)


def _astring(value: bytes) -> bytes:
    if _ATOM.fullmatch(value):
        return value
    if _QUOTABLE.fullmatch(value):
        return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b"{%d}\r\n%b" % (len(value), value)
