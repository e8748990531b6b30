"""Header fields we write ourselves: trace fields, dates, text that may need encoded words.

Spec: RFC 5322 §2.2, §3.3, §3.6; RFC 2047 §2, §5.  Status: complete.
"""

import binascii
import re
import time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LINE = 78  # RFC 5322 §2.1.1: a line SHOULD be no longer
_WORD = 45  # octets of UTF-8 in one encoded word: 60 digits and 12 characters around them, RFC 2047 §2 allows 75
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_SPACES = re.compile(r"([ \t]+)")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


def format_date(at: float) -> str:
    """'Tue, 14 Nov 2023 22:13:20 +0000' for UTC epoch seconds (RFC 5322 §3.3)."""
    t = time.gmtime(at)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"
    )


def encode_text(value: str) -> str:
    """*value* for an unstructured field or a phrase: as it is in ASCII, else as encoded words; never a line break."""
    value = _CONTROL.sub(" ", value)
    if value.isascii() and "=?" not in value:
        return value
    words: list[str] = []
    chunk = b""
    for char in value:
        octets = char.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _WORD:  # a character is never cut (RFC 2047 §5)
            words.append(_encoded_word(chunk))
            chunk = b""
        chunk += octets
    if chunk:
        words.append(_encoded_word(chunk))
    return " ".join(words)


def _encoded_word(octets: bytes) -> str:
    return "=?utf-8?B?" + binascii.b2a_base64(octets, newline=False).decode() + "?="


def encode_phrase(value: str) -> str:
    """*value* as a display name: atoms, a quoted string, or encoded words (RFC 5322 §3.2.5)."""
    value = _CONTROL.sub(" ", value).strip()
    if not value.isascii() or "=?" in value:
        return encode_text(value)
    if _ATOMS.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def field(name: str, value: str) -> bytes:
    """`Name: value` CRLF, folded at white space to lines of at most 78 where possible (RFC 5322 §2.2.3).

    Line breaks and other controls in *value* become spaces, so that no value can add a field of its own.
    """
    value = _CONTROL.sub(" ", value).strip()
    lines: list[str] = []
    line = f"{name}:"
    for i, piece in enumerate(_SPACES.split(" " + value)[1:]):
        if i % 2 == 0:
            space = piece
        elif piece:
            if len(line) + len(space) + len(piece) > _LINE and line.strip() and i > 1:
                lines.append(line)
                line = ""
            line += space + piece
    lines.append(line)
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n"
