"""Content-Type, Content-Disposition and their parameters.

Spec: RFC 2045 §5.1; RFC 2183 §2; RFC 2231 §3, §4.  Status: complete.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from mailserver.mime.charsets import decode_text

Params = tuple[tuple[bytes, bytes], ...]

_TYPE = re.compile(rb"\s*([!#-'*+.0-9A-Z^-~\-]+)\s*/\s*([!#-'*+./0-9A-Z^-~\-]+)")
_TOKEN = re.compile(rb"\s*([!#-'*+.0-9A-Z^-~\-]+)")
_PARAM = re.compile(
    rb"""[\s;]*([^\s;="()<>@,\\/\[\]?]+)\s*=\s*(?:"((?:[^"\\]|\\.)*+)("?)|([^;\s]*))[^;]*""",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_SECTION = re.compile(rb"(.+?)\*(?:(\d{1,4})(\*?))?\Z", re.DOTALL)
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_COMMENT = re.compile(rb"\([^()]*\)")


class Value(NamedTuple):
    """A structured field: its leading word(s) and its parameters as written, names in the message's case.

    params: continuations joined (RFC 2231 §3); a name ends in "*" where the value is still in RFC 2231 §4 form.
    """

    type: bytes
    subtype: bytes
    params: Params

    def get(self, name: bytes) -> bytes | None:
        """The first parameter of this name (lower case) as octets."""
        for key, value in self.params:
            if key.lower() == name:
                return value
        return None

    def text(self, name: bytes) -> str:
        """The parameter decoded (RFC 2231 §4; RFC 2047 words are not decoded here); "" without one."""
        extended = self.get(name + b"*")
        if extended is not None:
            return decode_extended(extended)
        value = self.get(name)
        return "" if value is None else decode_text(value, "")


EMPTY = Value(b"", b"", ())


def parse_content_type(value: bytes, limit: int) -> Value:
    """A Content-Type field's body; EMPTY where it has no type/subtype at all (then RFC 2045 §5.2 applies)."""
    if len(value) <= 200:
        return _content_type(value, limit)
    return _content_type.__wrapped__(value, limit)


@lru_cache(maxsize=512)
def _content_type(value: bytes, limit: int) -> Value:
    value = _clean(value)
    m = _TYPE.match(value)
    if m is None:
        return EMPTY
    return Value(m[1], m[2], parse_params(value, m.end(), limit))


def parse_disposition(value: bytes, limit: int) -> Value:
    """A Content-Disposition field's body; its word is in `type`."""
    value = _clean(value)
    m = _TOKEN.match(value)
    if m is None:
        return EMPTY
    return Value(m[1], b"", parse_params(value, m.end(), limit))


def _clean(value: bytes) -> bytes:
    if b"(" in value and b'"' not in value:
        value = _COMMENT.sub(b" ", value)
    return value.replace(b"\0", b"")


def parse_params(value: bytes, start: int, limit: int) -> Params:
    """The parameters that begin at *start*, at most *limit* of them, continuations joined."""
    found: list[tuple[bytes, bytes]] = []
    has_sections = False
    for m in _PARAM.finditer(value, start):
        name, quoted, _, token = m.groups()
        if quoted is None:
            found.append((name, token))
        else:
            if b"\n" in quoted:
                quoted = quoted.replace(b"\r", b"").replace(b"\n", b"")
            if b"\\" in quoted:
                quoted = _ESCAPE.sub(rb"\1", quoted)
            found.append((name, quoted))
        if b"*" in name:
            has_sections = True
        if len(found) >= limit:
            break
    return tuple(_join(found)) if has_sections else tuple(found)


def _join(found: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    joined: list[tuple[bytes, bytes]] = []
    sections: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    names: dict[bytes, bytes] = {}
    for name, value in found:
        m = _SECTION.match(name)
        if m is None or m[2] is None:
            joined.append((name, value))
            continue
        key = m[1].lower()
        names.setdefault(key, m[1])
        sections.setdefault(key, {}).setdefault(int(m[2]), (value, bool(m[3])))
    for key, pieces in sections.items():
        octets: list[bytes] = []
        extended = any(flag for _, flag in pieces.values())
        for i in range(len(pieces)):
            if i not in pieces:
                break
            value, flag = pieces[i]
            if extended and not flag:
                value = value.replace(b"%", b"%25")
            octets.append(value)
        joined.append((names[key] + (b"*" if extended else b""), b"".join(octets)))
    return joined


def decode_extended(value: bytes) -> str:
    """charset'language'percent-encoded text, decoded (RFC 2231 §4); lenient about missing apostrophes."""
    pieces = value.split(b"'", 2)
    charset, text = (pieces[0], pieces[2]) if len(pieces) == 3 else (b"", value)
    octets = _PERCENT.sub(lambda m: bytes((int(m[1], 16),)), text)
    return decode_text(octets, charset.decode("ascii", "replace").lower())
