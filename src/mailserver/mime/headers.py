"""Header blocks: fields as they stand, unfolded values, and encoded words in plain text.

Spec: RFC 5322 §2.2, §4.5; RFC 2047; RFC 7103 §7.2, §7.3.  Status: complete.
"""

import binascii
import re
from collections.abc import Collection

from mailserver.mime.charsets import decode_text, one_line
from mailserver.mime.patterns import many

#: what follows a field's colon, up to its last line end: a line without any colon continues it (RFC 7103 §7.2)
FIELD_BODY = (
    rb"[^\n]*+(?:(?!\n[!-9;-~]++:)"  # mostly the next field follows, which is seen sooner than what does not
    + many(rb"\n(?:[ \t]|(?=[^\r\n:][^\n:]*+(?:\n|\Z)))[^\n]*+")
    + rb"|)"
)
#: a field (name; body) or else one line that is none.  Matches everywhere, never goes back.
FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:(" + FIELD_BODY + rb")\n?+|[^\n]*+\n?+")
_STRICT_FIELD = re.compile(
    rb"([!-9;-~]++)[ \t]*+:[^\n]*+" + many(rb"\n[ \t][^\n]*+") + rb"\n?+|[^\n]*+\n?+"
)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_WORD = re.compile(
    rb"=\?([^?\s*]{1,80})(?:\*[^?\s]{0,80})?"  # charset, language (RFC 2231 §5)
    rb"\?([BbQq])"
    rb"\?([^?]*+(?:(?<!=)\?(?!=)[^?]*+){0,8})\?="  # unencoded "?" inside is against RFC 2047 §4.2, but seen
)
_Q_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_LF, _CR, _NUL = b"\n\r\0"  # as numbers: ten times as quick to look for as octets are


def split_fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """(name as written, the field as it stands with folding and line end) of every field, in order.

    Lines that belong to no field and the empty line are left out.
    """
    return [(m[1], m[0]) for m in FIELD.finditer(block) if m[1] is not None]


def pick_fields(block: bytes, names: Collection[bytes], *, others: bool = False) -> bytes:
    """The fields with one of *names* (lower case) as they stand, or all *others* (RFC 3501 §6.4.5).

    The empty line is not part of it.
    """
    return b"".join(
        m[0]
        for m in FIELD.finditer(block)
        if m[1] is not None and (m[1].lower() in names) is not others
    )


def leading_fields(block: bytes) -> int:
    """The size of *block*'s header if it has no empty line: up to the last field, text behind that is body.

    RFC 7103 §7.2: a line that is no field ends the header only when neither an empty line nor a field follows.
    """
    end = 0
    for m in _STRICT_FIELD.finditer(block):
        if m[1] is not None:
            end = m.end()
    return end


def unfold(value: bytes) -> bytes:
    """A field's body without folding, NULs (RFC 7103 §7.6) and white space at its ends (RFC 5322 §2.2.3)."""
    value = value.strip()
    if _LF in value or _CR in value or _NUL in value:
        value = _FOLD.sub(b"", value).replace(b"\r\n", b" ")
        value = value.replace(b"\n", b" ").replace(b"\r", b" ").replace(b"\0", b"")
    return value


def decode_words(value: bytes) -> str:
    """A field's body as text: encoded words decoded, white space between adjacent ones dropped (RFC 2047 §6.2).

    Octets of adjacent words in one charset are joined before they are decoded: many writers cut characters in two.
    Never fails: raw 8-bit text is taken as UTF-8 (RFC 6532 §3.2) or else Windows-1252, an unknown charset gives
    replacement characters, what is no complete word stays as it is, an encoded line end is a space.
    """
    if value.find(b"=?") < 0:
        return one_line(decode_text(value, ""))
    out: list[str] = []
    end, charset = 0, ""
    data: list[bytes] = []  # octets of adjacent words in one charset, not yet decoded
    for m in _WORD.finditer(value):
        gap = value[end : m.start()]
        is_adjacent = end > 0 and not gap.strip()
        name = m[1].decode("ascii", "replace").lower()
        if data and not (is_adjacent and name == charset):
            out.append(decode_text(b"".join(data), charset))
            data = []
        if not is_adjacent:
            out.append(decode_text(gap, ""))
        end, charset = m.end(), name
        data.append(_octets(m[2], m[3]))
    out.append(decode_text(b"".join(data), charset))
    out.append(decode_text(value[end:], ""))
    return one_line("".join(out))


def _octets(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Qq":
        return _Q_ESCAPE.sub(lambda m: bytes((int(m[1], 16),)), text.replace(b"_", b" "))
    text = _NOT_BASE64.sub(b"", text)
    if len(text) % 4 == 1:  # six bits are no octet
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
