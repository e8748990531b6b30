"""Lists of tags and values, as signatures and key records are written.

Spec: RFC 6376 §3.2, §2.11; RFC 8616 §5.  Status: complete.
"""

import binascii
import re

from mailserver.base.errors import PeerError

_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
_USUAL = {
    name.encode(): name
    for name in ("v", "a", "b", "bh", "c", "cv", "d", "h", "i", "k", "l", "p", "q", "s", "t", "x")
}
_ESCAPE = re.compile(rb"=([0-9A-F]{2})?")
_WHITE = b" \t\r\n"
_BLANKS = b" \t"
#: octets that may stand in a list without line ends
_ALLOWED = bytes(c for c in range(256) if c in _BLANKS or c > 0x7F or 0x20 < c < 0x7F)


class BadTags(PeerError):
    """This is no list of tags, or a value is not what its tag takes."""


def parse_tags(text: bytes) -> dict[str, bytes]:
    """The values by name, in their order, unfolded and without the blanks around them.

    Raises BadTags: no list, a tag twice, control characters, broken UTF-8.  White space is folding white space: a CRLF
    is followed by more of it.  UTF-8 is read as RFC 8616 §5 has it.
    """
    text = text.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
    if text.translate(None, _ALLOWED):
        raise BadTags("a tag list has control characters or broken lines")
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            raise BadTags("a tag list is neither ASCII nor UTF-8") from None
    tags: dict[str, bytes] = {}
    parts = text.split(b";")
    if len(parts) > 1 and not parts[-1].strip(_BLANKS):
        parts.pop()
    for part in parts:
        before, equals, value = part.partition(b"=")
        word = before.strip(_BLANKS)
        name = _USUAL.get(word) or _read_name(word)
        if not equals or not name:
            raise BadTags("something in a tag list is no tag=value")
        if name in tags:
            raise BadTags(f"the tag {name[:20]}= is there twice")
        tags[name] = value.strip(_BLANKS)
    return tags


def emptied(text: bytes, name: bytes) -> bytes:
    """The list *text*, as it was written, but for the value of the tag *name*, which is there once."""
    end = len(text)
    for part in reversed(text.split(b";")):
        before, _, value = part.partition(b"=")
        if before.strip(_WHITE) == name:
            return text[: end - len(value)] + text[end:]
        end -= len(part) + 1
    return text


def _read_name(word: bytes) -> str:
    """A tag's name, "" if it is none."""
    return word.decode("ascii") if _NAME.fullmatch(word) else ""


def without_space(value: bytes) -> bytes:
    """*value* without any folding white space."""
    return value.translate(None, _WHITE)


def base64(value: bytes) -> bytes:
    """The octets of a base64 value; white space in it means nothing.  Raises BadTags."""
    try:
        return binascii.a2b_base64(without_space(value), strict_mode=True)
    except binascii.Error:
        raise BadTags("a value is not base64") from None


def quoted_printable(value: bytes) -> bytes:
    """The octets of a dkim-quoted-printable value (RFC 6376 §2.11).  Raises BadTags."""
    value = without_space(value)
    if b"=" not in value:
        return value

    def octet(m: re.Match[bytes]) -> bytes:
        if m[1] is None:
            raise BadTags("a value is not quoted-printable")
        return bytes((int(m[1], 16),))

    return _ESCAPE.sub(octet, value)


def colon_list(value: bytes) -> list[bytes]:
    """The elements of a list with colons, white space around them removed."""
    return [part.strip(_WHITE) for part in value.split(b":")]
