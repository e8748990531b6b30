"""Mailbox names on the wire: UTF-8 once the client has enabled it, modified UTF-7 before.

Spec: RFC 3501 §5.1, §5.1.3; RFC 9051 §5.1; RFC 9755 §3.
Status: complete; what a name may hold is checked where it is stored (`store/names.py`).
"""

import re
from unicodedata import normalize

from mailserver.base.errors import Cannot
from mailserver.imap import utf7, wire

_QUOTABLE = re.compile(rb"[^\x00\r\n]{0,1000}")


def fold(name: str) -> str:
    """*name* as the store keeps it: NFC, and "INBOX" in upper case also where it has inferiors (RFC 3501 §5.1)."""
    name = normalize("NFC", name)
    head, slash, rest = name.partition("/")
    return f"INBOX{slash}{rest}" if head.upper() == "INBOX" else name


def decode(octets: bytes, *, is_utf8: bool) -> str:
    """The name that a client means and that is only looked up, folded.  Raises ValueError.

    Without *is_utf8*, what is no correct modified UTF-7 is read as UTF-8: it can only fail to be found.
    """
    return fold(octets.decode("utf-8") if is_utf8 else utf7.decode_tolerant(octets))


def decode_new(octets: bytes, *, is_utf8: bool) -> str:
    """The name of a mailbox that shall come to be, folded.

    Raises Cannot for wrong modified UTF-7, ValueError for what is no UTF-8 (RFC 9755 §3: BAD).
    """
    if is_utf8:
        return fold(octets.decode("utf-8"))
    try:
        return fold(utf7.decode(octets))
    except ValueError as error:
        raise Cannot(f"Not modified UTF-7: {error}") from None


def decode_pattern(octets: bytes, *, is_utf8: bool) -> str:
    """A pattern of LIST, NFC; nothing of it is taken for INBOX before it stands behind its reference.

    Raises ValueError.
    """
    return normalize("NFC", octets.decode("utf-8") if is_utf8 else utf7.decode_tolerant(octets))


def encode(name: str, *, is_utf8: bool) -> bytes:
    """*name* for a response, quoted or a literal where it must be."""
    if not is_utf8:
        return wire.astring(utf7.encode(name))
    octets = name.encode("utf-8")
    if octets.isascii() or not _QUOTABLE.fullmatch(octets):
        return wire.astring(octets)
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def old_name(written: bytes, name: str) -> bytes:
    """The data item OLDNAME, where a client wrote *name* in another form than the store keeps; else nothing.

    For clients that have enabled UTF-8 (RFC 9051 §6.3.9.7).
    """
    was = written.decode("utf-8", "replace").removesuffix("/")
    return b"" if was == name.removesuffix("/") else b'"OLDNAME" (%b)' % encode(was, is_utf8=True)
