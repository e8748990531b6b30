"""Authentication-Results: what we found out about a message, where its readers look for it; and what others claim.

Spec: RFC 8601 §2.2, §2.3, §2.4, §2.5, §2.7, §5; RFC 2045 §5.1 (value).  Status: complete.
"""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from mailserver.base.errors import PeerError
from mailserver.mailauth.names import a_labels
from mailserver.mime.headers import FIELD, decode_words

MAX_VALUE = 320  #: octets of one value that are written: an address of any sensible size
MAX_FIELD = 20_000  #: octets of a field that are read
MAX_RESULTS = 100  #: of one field
MAX_FIELDS = 200  #: of one message that stay: with names in other alphabets, each costs its time

_NEXT = ";\r\n\t"  #: between two methods
_BARE = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+")
_ADDRESS = re.compile(r"(?:[!#$%&'*+/0-9=?A-Z^_`a-z{|}~.-]+)?@[0-9A-Za-z._-]+")
_KEYWORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[0-9]{1,9}")
_SPACE = re.compile(r"[ \t\r\n]+")
_PVALUE = re.compile(r"[^\s;()\"]+")
_QUOTED = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*)"', re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f]+")
_PLAIN = str.maketrans("()\\", "[]/")
_NAME = b"authentication-results"


class Property(NamedTuple):
    """What of the message was looked at, as `smtp.mailfrom=a@b.example` (RFC 8601 §2.3)."""

    ptype: str
    name: str
    value: str


class MethodResult(NamedTuple):
    """One method's verdict.  comment: for people, written in parentheses, never read."""

    method: str
    result: str
    properties: tuple[Property, ...] = ()
    reason: str = ""
    comment: str = ""


class Results(NamedTuple):
    """One field: whose it is, and what it says.  results: empty for "none"."""

    authserv_id: str
    results: tuple[MethodResult, ...]


def text(authserv_id: str, results: Iterable[MethodResult]) -> str:
    """The field's body without its name, one line for each method; also what an ARC set holds (RFC 8617 §4.1.1)."""
    return together(authserv_id, map(line, results))


def together(authserv_id: str, lines: Iterable[str]) -> str:
    """The same of what `line` makes of each method."""
    return f"{_value(authserv_id)}; {_NEXT.join(lines) or 'none'}"


def build(authserv_id: str, results: Iterable[MethodResult]) -> bytes:
    """The whole field with its line end."""
    return field(text(authserv_id, results))


def field(text: str) -> bytes:
    """The whole field with its line end, *text* its body."""
    return f"Authentication-Results: {text}\r\n".encode()


def line(one: MethodResult) -> str:
    """What the field says of one method."""
    said = f"{one.method}={one.result}"
    if one.comment:
        said += f" ({_comment(one.comment)})"
    if one.reason:
        said += f" reason={_quoted(one.reason)}"
    for kind, name, value in one.properties:
        if value:
            said += shown(kind, name, value)
    return said


def shown(kind: str, name: str, value: str) -> str:
    """A property as it stands behind the others of its method."""
    return f"\r\n\t\t{kind}.{name}={_pvalue(value)}"


def _value(value: str) -> str:
    return value if _BARE.fullmatch(value) else _quoted(value)


def _pvalue(value: str) -> str:
    """An address or a domain stands as it is, all else is quoted."""
    if len(value) <= MAX_VALUE and (_BARE.fullmatch(value) or _ADDRESS.fullmatch(value)):
        return value
    return _quoted(value)


def _quoted(value: str) -> str:
    return '"' + _shown(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comment(value: str) -> str:
    """Without parentheses, which would have to match."""
    return _shown(value).translate(_PLAIN)


def _shown(value: str) -> str:
    return (value if value.isprintable() else _UNSHOWN.sub(" ", value))[:MAX_VALUE]


def parse(value: bytes) -> Results:
    """What stands behind the colon.  Raises PeerError for what is no such field."""
    if len(value) > MAX_FIELD:
        raise PeerError("the field is too long")
    return _Reader(value.decode("utf-8", "replace")).read()


def without(header: bytes, ours: Collection[str]) -> tuple[bytes, int]:
    """*header* without the results that claim to be one of *ours*, and how many there were (RFC 8601 §5).

    One that cannot be read goes as well if it names us anywhere: somebody else may read it.  So does one of another
    version of the field, whoever made it: nobody here knows what it says; and what is beyond MAX_FIELDS.
    """
    if header.lower().find(_NAME) < 0:
        return header, 0
    names = frozenset(map(_folded, ours))
    kept, end, count, seen = [], 0, 0, 0
    for m in FIELD.finditer(header):
        if m[1] is None or m[1].lower() != _NAME:
            continue
        seen += 1
        if seen > MAX_FIELDS or _claims(m[2], names):
            kept.append(header[end : m.start()])
            end = m.end()
            count += 1
    kept.append(header[end:])
    return b"".join(kept), count


def _claims(value: bytes, ours: Collection[str]) -> bool:
    reader = _Reader(value[:MAX_FIELD].decode("utf-8", "replace"))
    try:
        name = reader.authserv_id()
    except PeerError:
        return any(one.encode() in value.lower() for one in ours)
    return int(reader.version or 1) != 1 or _folded(name) in ours


def _folded(name: str) -> str:
    """The name in A-labels, whatever it was written in (RFC 8601 §5); as it is if it is no domain's."""
    octets = name.rstrip(".").encode()
    if b"=?" in octets:  # no place for encoded words, and yet some decode them first
        octets = decode_words(octets).rstrip(".").encode()
    try:
        return a_labels(octets)
    except PeerError:
        return name.lower()


class _Reader:
    """One walk over a field's body; comments and folding may stand between any two words (RFC 5322 §3.2.2)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.version = ""  #: of the field, as it says; known once its server is

    def read(self) -> Results:
        name = self.authserv_id()
        found: list[MethodResult] = []
        while self._skip():
            if not self._take(";") or len(found) >= MAX_RESULTS:
                raise PeerError("no results where some should be")
            if not self._skip():
                break  # a ";" at the end, as some write
            if (one := self._one()) is not None:
                found.append(one)
        return Results(name, tuple(found))

    def authserv_id(self) -> str:
        """The name of who found it all out; the version behind it is in `version`."""
        self._skip()
        name = self._word(_PVALUE)
        if self._skip() and self._text[self._at] in "0123456789":
            self.version = self._word(_VERSION)
        if self._skip() and self._text[self._at] != ";":
            raise PeerError("something stands behind the name of the server")
        return name

    def _one(self) -> MethodResult | None:
        """One verdict; None for "none"."""
        method = self._word(_KEYWORD).lower()
        self._skip()
        if method == "none" and (self._at == len(self._text) or self._text[self._at] == ";"):
            return None
        if self._take("/"):
            self._skip()
            self._word(_KEYWORD)
            self._skip()
        result = self._equals(_KEYWORD).lower()
        reason, properties = "", []
        while self._skip() and self._text[self._at] != ";":
            word = self._word(_KEYWORD).lower()
            self._skip()
            if self._take("."):
                self._skip()
                name = self._word(_KEYWORD).lower()
                self._skip()
                properties.append(Property(word, name, self._equals(_PVALUE)))
            elif word == "reason":
                reason = self._equals(_PVALUE)
            else:
                raise PeerError("neither a reason nor a property")
        return MethodResult(method, result, tuple(properties), reason)

    def _equals(self, pattern: re.Pattern[str]) -> str:
        if not self._take("="):
            raise PeerError("a result without =")
        self._skip()
        return self._word(pattern)

    def _word(self, pattern: re.Pattern[str]) -> str:
        if (quoted := _QUOTED.match(self._text, self._at)) is not None and pattern is _PVALUE:
            self._at = quoted.end()
            local = _PAIR.sub(r"\1", quoted[1])
            if self._text.startswith("@", self._at):  # "a b"@example.org
                return local + self._word(pattern)
            return local
        if (found := pattern.match(self._text, self._at)) is None:
            raise PeerError("a word is missing")
        self._at = found.end()
        return found[0]

    def _take(self, char: str) -> bool:
        if not self._text.startswith(char, self._at):
            return False
        self._at += len(char)
        return True

    def _skip(self) -> bool:
        """Behind white space and comments; whether something follows."""
        text, depth = self._text, 0
        while self._at < len(text):
            char = text[self._at]
            if depth and char == "\\":
                self._at += 1
            elif char == "(":
                depth += 1
            elif depth and char == ")":
                depth -= 1
            elif not depth:
                space = _SPACE.match(text, self._at)
                if space is None:
                    return True
                self._at = space.end() - 1
            self._at += 1
        if depth:
            raise PeerError("a comment does not end")
        return False
