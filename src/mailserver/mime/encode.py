"""Transfer encodings, written: base64 and quoted-printable, piece by piece.

Spec: RFC 2045 §6.7, §6.8.  Status: complete.

An encoder is called with each piece, and last with `final`; what it gives out, joined, is the encoded text.  Lines end
in CRLF, the last one in nothing.
"""

import binascii
import re
from typing import Protocol

_OCTETS = 57  # to a line of base64: 76 digits (RFC 2045 §6.8)
_CHARACTERS = 76  # to a line of quoted-printable (RFC 2045 §6.7)
_EQUALS = ord("=")
_LONGEST = 16_384  # octets of an unfinished line that wait for the rest of it
_UNSAFE = re.compile(rb"[^\t -<>-~]+|[\t ]\Z")
_PLAIN_LINE = re.compile(rb"[\t -<>-~]{0,75}[!-<>-~]|")
#: octets that need no escape in quoted-printable; CR and LF where they end a line
PLAIN = bytes(c for c in range(256) if c in b"\t\r\n" or (32 <= c < 127 and c != 61))


class Encoder(Protocol):
    """One content on its way out."""

    def __call__(self, piece: bytes, final: bool) -> bytes:
        """What can be said once *piece* has come; *final*: nothing more will."""
        ...


class Base64:
    """Every octet is kept, whatever it is."""

    def __init__(self) -> None:
        self._rest = b""
        self._has_begun = False

    def __call__(self, piece: bytes, final: bool) -> bytes:
        """Whole lines; the rest waits."""
        data = self._rest + piece
        end = len(data) if final else len(data) - len(data) % _OCTETS
        self._rest = data[end:]
        lines = [
            binascii.b2a_base64(data[at : at + _OCTETS], newline=False)
            for at in range(0, end, _OCTETS)
        ]
        if not lines:
            return b""
        if self._has_begun:
            lines.insert(0, b"")
        self._has_begun = True
        return b"\r\n".join(lines)


class QuotedPrintable:
    """CRLF ends a line; CR or LF alone are escaped as all other controls are, so that every octet is kept."""

    def __init__(self) -> None:
        self._rest = b""

    def __call__(self, piece: bytes, final: bool) -> bytes:
        """Whole lines; an unfinished one waits, unless it is long."""
        lines = (self._rest + piece).split(b"\r\n")
        self._rest = lines.pop()
        out = [_line(line) + b"\r\n" for line in lines]
        if final:
            out.append(_line(self._rest))
            self._rest = b""
        elif len(self._rest) > _LONGEST:
            cut = len(self._rest) - 1  # a CR may be half of a line's end
            out.append(_line(self._rest[:cut]) + b"=\r\n")
            self._rest = self._rest[cut:]
        return b"".join(out)


def _line(line: bytes) -> bytes:
    """One line without its end, in lines of at most 76 characters (RFC 2045 §6.7 (5)).

    binascii.b2a_qp sometimes makes one of 77.
    """
    if _PLAIN_LINE.fullmatch(line):
        return line
    said = _UNSAFE.sub(_escaped, line)
    lines = []
    at = 0
    while len(said) - at > _CHARACTERS:
        end = at + _CHARACTERS - 1
        if said[end - 1] == _EQUALS:  # an escape is never cut
            end -= 1
        elif said[end - 2] == _EQUALS:
            end -= 2
        lines.append(said[at:end] + b"=")
        at = end
    return b"\r\n".join([*lines, said[at:]])


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"=" + found[0].hex("=").upper().encode()
