"""A part's content without its transfer encoding and charset, piece by piece, whatever damage it has taken.

Spec: RFC 2045 §6; RFC 2046 §4.1.2; RFC 7103 §7.6, §8.2.  Status: complete.
"""

import binascii
import codecs
import re
from collections.abc import Callable, Iterator
from typing import Protocol

from mailserver.mime.charsets import charset_named, whole
from mailserver.mime.layout import Part

PIECE = 262_144  # octets taken from the message at a time

_NOT_BASE64 = bytes(
    i
    for i in range(256)
    if i not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
)
_PADDING = re.compile(rb"=+")
_AT_END_OF_LINE = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_AT_END = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")
_LONGEST_TAIL = 65_536  # octets of an unfinished line that wait for the next piece
_SECOND_CHOICE = {"utf-16": "utf-16-be", "utf-32": "utf-32-be"}  # RFC 2781 §4.3

Decoder = Callable[[bytes, bool], bytes]


class Octets(Protocol):
    """A message that can be sliced: bytes, a mapped file, or something that reads what is asked for."""

    def __getitem__(self, where: slice, /) -> bytes: ...


def content(raw: Octets, part: Part) -> Iterator[bytes]:
    """The part's octets decoded, in pieces of about PIECE octets; an unknown encoding is passed as it is.

    Damaged input loses as little as possible: octets outside the alphabet are skipped (RFC 2045 §6.8), a broken
    quoted-printable escape stays as it stands (§6.7), text behind base64 padding is read as a further run.
    """
    make = _DECODERS.get(part.encoding)
    decode = make() if make is not None else None
    start, end = part.body_start, part.end
    while start < end:
        stop = min(start + PIECE, end)
        piece = raw[start:stop]
        start = stop
        if decode is not None:
            piece = decode(piece, stop == end)
        if piece:
            yield piece


def text(raw: Octets, part: Part) -> Iterator[str]:
    """The text of a text part in pieces; an unknown charset shows its ASCII, undeclared 8-bit is UTF-8 or cp1252."""
    known, is_guess = charset_named(part.charset[:80])
    codec = known or "ascii"
    decoder = codecs.getincrementaldecoder(codec)("strict" if is_guess else "replace")
    for octets in content(raw, part):
        waiting = decoder.getstate()[0]
        try:
            piece = decoder.decode(octets)
        except UnicodeError:  # undeclared and not UTF-8, or UTF-16 without its mark
            decoder = codecs.getincrementaldecoder(_SECOND_CHOICE.get(codec, "cp1252"))("replace")
            piece = decoder.decode(waiting + octets)
        if piece:
            yield whole(piece) if codec == "utf-7" else piece
    rest = _last(decoder)
    if rest:
        yield rest


def _last(decoder: codecs.IncrementalDecoder) -> str:
    try:
        return decoder.decode(b"", final=True)
    except UnicodeError:
        return "\N{REPLACEMENT CHARACTER}"


class _Base64:
    """Runs of base64, each ended by padding; a remainder of one to three digits waits for more."""

    def __init__(self) -> None:
        self.rest = b""

    def __call__(self, piece: bytes, final: bool) -> bytes:
        digits = self.rest + piece.translate(None, _NOT_BASE64)
        self.rest = b""
        if b"=" in digits:
            runs = _PADDING.split(digits)
            out = [_base64(run) for run in runs[:-1]]
            digits = runs[-1]
        else:
            out = []
        if not final:
            whole = len(digits) - len(digits) % 4
            digits, self.rest = digits[:whole], digits[whole:]
        out.append(_base64(digits))
        return b"".join(out)


def _base64(digits: bytes) -> bytes:
    over = len(digits) % 4
    if over == 1:  # six bits are no octet
        digits = digits[:-1]
    elif over:
        digits += b"=" * (4 - over)
    return binascii.a2b_base64(digits)


class _QuotedPrintable:
    """Whole lines are decoded; an unfinished one waits for the next piece, within bounds.

    White space at the end of a line was added on the way and goes (RFC 2045 §6.7, rule 3).
    """

    def __init__(self) -> None:
        self.rest = b""

    def __call__(self, piece: bytes, final: bool) -> bytes:
        data = self.rest + piece
        if final:
            return binascii.a2b_qp(_AT_END.sub(b"", data))
        cut = data.rfind(b"\n") + 1
        if len(data) - cut > _LONGEST_TAIL:
            cut = len(data)
            equals = data.rfind(b"=", cut - 3)  # never part "=4" from "1", nor "=\r" from "\n"
            if equals >= 0:
                cut = equals
        self.rest = data[cut:]
        return binascii.a2b_qp(_AT_END_OF_LINE.sub(b"", data[:cut]))


class _UuEncode:
    """Lines between "begin" and "end"; a line that is none is skipped."""

    def __init__(self) -> None:
        self.rest = b""
        self.is_inside = False

    def __call__(self, piece: bytes, final: bool) -> bytes:
        lines = (self.rest + piece).split(b"\n")
        self.rest = b"" if final else lines.pop()[:_LONGEST_TAIL]
        out: list[bytes] = []
        for line in lines:
            line = line.rstrip(b"\r")
            if not self.is_inside:
                self.is_inside = line.startswith(b"begin ")
            elif line == b"end":
                self.is_inside = False
            elif line:
                try:
                    out.append(binascii.a2b_uu(line[:100]))
                except binascii.Error:
                    continue
        return b"".join(out)


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "base64": _Base64,
    "quoted-printable": _QuotedPrintable,
    "x-uuencode": _UuEncode,
    "uuencode": _UuEncode,
    "x-uue": _UuEncode,
}
ENCODINGS = frozenset(_DECODERS)  #: the transfer encodings that `content` undoes
