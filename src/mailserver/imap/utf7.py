"""Modified UTF-7, the encoding of international mailbox names on the wire.

Spec: RFC 3501 §5.1.3.  Status: complete.
"""

import re
from binascii import Error, a2b_base64, b2a_base64

_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_OUTSIDE = re.compile(r"[^\x20-\x7e]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]")


def encode(name: str) -> bytes:
    """*name* in its one correct form: shifts only around what cannot stand for itself (RFC 3501 §5.1.3).

    Raises UnicodeEncodeError for a lone surrogate, which is no character.
    """
    if name.isascii() and name.isprintable() and "&" not in name:
        return name.encode("ascii")
    return _OUTSIDE.sub(_shift, name.replace("&", "&-")).encode("ascii")


def _shift(run: re.Match[str]) -> str:
    b64 = b2a_base64(run.group().encode("utf-16-be"), newline=False)
    return "&" + b64.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def decode(wire: bytes) -> str:
    """The name that *wire* is the correct form of.  Raises ValueError for every other form.

    Correct means: printable US-ASCII outside shifts, no printable US-ASCII inside, no shift right after a shift, every
    shift closed (RFC 3501 §5.1.3).
    """
    if b"&" not in wire:
        name = wire.decode("ascii")
        if name and not name.isprintable():
            raise ValueError("control character in a mailbox name")
        return name
    out: list[str] = []
    at, after_shift = 0, False
    while at < len(wire):
        amp = wire.find(b"&", at)
        if amp != at:
            end = len(wire) if amp < 0 else amp
            plain = wire[at:end].decode("ascii")
            if not plain.isprintable():
                raise ValueError("control character in a mailbox name")
            out.append(plain)
            at, after_shift = end, False
            continue
        shift = _SHIFTED.match(wire, at)
        if shift is None:
            raise ValueError("shift without end in a mailbox name")
        if shift.group(1):
            if after_shift:
                raise ValueError("superfluous shift in a mailbox name")
            out.append(_unshift(shift.group(1)))
            after_shift = True
        else:
            out.append("&")
            after_shift = False
        at = shift.end()
    return "".join(out)


def _unshift(b64: bytes) -> str:
    """The characters inside one shift.  Raises ValueError."""
    try:
        utf16 = a2b_base64(b64.replace(b",", b"/") + b"=" * (-len(b64) % 4))
    except Error as error:
        raise ValueError("broken base64 in a mailbox name") from error
    canonical = b2a_base64(utf16, newline=False).rstrip(b"=").replace(b"/", b",")
    if canonical != b64 or not utf16 or len(utf16) % 2:
        raise ValueError("broken base64 in a mailbox name")
    text = utf16.decode("utf-16-be")  # UnicodeDecodeError is a ValueError
    if _PRINTABLE.search(text):
        raise ValueError("printable US-ASCII inside a shift of a mailbox name")
    return text


def decode_tolerant(wire: bytes) -> str:
    """The name a client most likely means: the correct form, or UTF-8 with "&" for itself.  Raises ValueError.

    For names that are only looked up.  Clients that know UTF-8 alone, and people who type, write "R&D" or "Entwürfe".
    """
    try:
        return decode(wire)
    except ValueError:
        return wire.decode("utf-8")
