"""Content-Type, Content-Disposition and their parameters.

Spec: RFC 2045 §5.1; RFC 2183 §2; RFC 2231 §3, §4.  Status: complete.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from mailserver.mime.charsets import decode_text
from mailserver.mime.patterns import many

Params = tuple[tuple[bytes, bytes], ...]

_COMMENT = rb"\(%b\)" % many(rb"[^()\\]++|\\.|\(" + many(rb"[^()\\]++|\\.") + rb"\)")
_SKIP = many(rb"\s++|" + _COMMENT)
_TYPE = re.compile(
    rb"SKIP\"?([^\s\"/;()<>@,:\\\[\]?=]++)SKIP/SKIP([^\s\"/;()<>@,:\\\[\]?=]++)\"?".replace(
        b"SKIP", _SKIP
    ),
    re.DOTALL,
)
_WORD = re.compile(rb"%b\"?([^\s\"/;()<>@,:\\\[\]?=]++)\"?" % _SKIP, re.DOTALL)
_BETWEEN = re.compile(many(rb"[\s;]++|" + _COMMENT), re.DOTALL)
_NAME = re.compile(rb"([^\s;=\"()]++)%b=%b" % (_SKIP, _SKIP), re.DOTALL)
_VALUE = re.compile(rb"\"(" + many(rb"[^\"\\]++|\\.") + rb")(?:\"|\Z)|([^;\s\"(]*+)", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_LINE_BREAK = re.compile(rb"\r?\n|\r")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_NAME_SIZE = 100
_CR, _LF, _BACKSLASH, _STAR = b"\r\n\\*"


class Value(NamedTuple):
    """A structured field: its leading word(s) and its parameters, names in the message's case.

    params: continuations are joined (RFC 2231 §3); a name ends in "*" where the value is in RFC 2231 §4 form
    still, and these stand last, sorted by name.
    """

    type: bytes
    subtype: bytes
    params: Params

    def get(self, name: bytes) -> bytes | None:
        """The first parameter of this name (lower case) as octets, decoded if it is in RFC 2231 §4 form."""
        for key, value in self.params:
            key = key.lower()
            if key == name:
                return value
            if key == name + b"*":
                return extended(value)[1]
        return None

    def text(self, name: bytes) -> str:
        """The parameter as text, its RFC 2231 §4 form preferred; "" without one."""
        plain = None
        for key, value in self.params:
            key = key.lower()
            if key == name + b"*":
                charset, octets = extended(value)
                return decode_text(octets, charset)
            if key == name and plain is None:
                plain = value
        return "" if plain is None else decode_text(plain, "")


EMPTY = Value(b"", b"", ())


def parse_content_type(value: bytes, limit: int) -> Value:
    """A Content-Type field's body; EMPTY where it has no type and subtype (then RFC 2045 §5.2 applies)."""
    if len(value) <= 200:
        return _short_content_type(value, limit)
    return _content_type(value, limit)


def _content_type(value: bytes, limit: int) -> Value:
    m = _TYPE.match(value)
    if m is None:
        return EMPTY
    return Value(m[1], m[2], parse_params(value, m.end(), limit))


_short_content_type = lru_cache(maxsize=512)(_content_type)


def parse_disposition(value: bytes, limit: int) -> Value:
    """A Content-Disposition field's body; its word is in `type`."""
    word = leading_word(value)
    if word is None:
        return EMPTY
    return Value(word[0], b"", parse_params(value, word[1], limit))


def leading_word(value: bytes) -> tuple[bytes, int] | None:
    """The first token of a structured field, comments skipped, and where it ends; a quoted one passes."""
    m = _WORD.match(value)
    return None if m is None else (m[1], m.end())


def parse_params(value: bytes, pos: int, limit: int) -> Params:
    """The parameters behind *pos*, at most *limit* of them, continuations joined."""
    found: list[tuple[bytes, bytes]] = []
    has_sections = False
    while len(found) < limit:
        m = _BETWEEN.match(value, pos)
        assert m is not None  # it may be empty
        pos = m.end()
        m = _NAME.match(value, pos)
        if m is None:
            pos = value.find(b";", pos) + 1
            if pos == 0:
                break
            continue
        name = m[1]
        m = _VALUE.match(value, m.end())
        assert m is not None  # it may be empty
        quoted, token = m.groups()
        if quoted is None:
            text = token
        else:
            text = _LINE_BREAK.sub(b"", quoted) if _CR in quoted or _LF in quoted else quoted
            if _BACKSLASH in text:
                text = _ESCAPE.sub(rb"\1", text)
        if len(name) <= _NAME_SIZE:
            found.append((name, text))
            if _STAR in name:
                has_sections = True
        if m.end() == len(value):
            break
        pos = value.find(b";", m.end()) + 1
        if pos == 0:
            break
    return _join(found) if has_sections else tuple(found)


def _join(found: list[tuple[bytes, bytes]]) -> Params:
    """RFC 2231 §3: name*0, name*1*, ... become one; a sequence with a gap stays as it is."""
    plain: list[tuple[bytes, bytes]] = []
    later: list[tuple[bytes, bytes]] = []
    sections: dict[bytes, dict[int, tuple[bytes, bytes]]] = {}
    for name, value in found:
        base, star, number = name.removesuffix(b"*").rpartition(b"*")
        if star and base and number.isdigit() and len(number) < 5:
            sections.setdefault(base.lower(), {}).setdefault(int(number), (name, value))
        elif name.endswith(b"*"):
            later.append((name, value))
        else:
            plain.append((name, value))
    for pieces in sections.values():
        if set(pieces) != set(range(len(pieces))):
            plain.extend(pieces.values())
            continue
        is_extended = any(name.endswith(b"*") for name, _ in pieces.values())
        octets: list[bytes] = []
        for i in range(len(pieces)):
            name, value = pieces[i]
            if is_extended and not name.endswith(b"*"):
                value = value.replace(b"%", b"%25")
            octets.append(value)
        base = pieces[0][0].removesuffix(b"*").rpartition(b"*")[0]
        later.append((base + b"*" if is_extended else base, b"".join(octets)))
    return (*plain, *sorted(later))


def extended(value: bytes) -> tuple[str, bytes]:
    """(charset in lower case, octets) of charset'language'percent-encoded text (RFC 2231 §4).

    Without the two apostrophes all of it is text of no charset.
    """
    pieces = value.split(b"'", 2)
    charset, text = (pieces[0], pieces[2]) if len(pieces) == 3 else (b"", value)
    octets = _PERCENT.sub(lambda m: bytes((int(m[1], 16),)), text)
    return charset[:80].decode("ascii", "replace").lower(), octets
