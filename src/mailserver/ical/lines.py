"""Content lines: folded lines of octets as properties with a group, a name, parameters and a value.

Spec: RFC 6350 §3.2, §3.3, §3.4; RFC 2426 §2.6, §4; vCard 2.1 §2.1.  Status: complete for reading.

vCard 2.1 is what telephones and old programs still export.  It has parameters without names, quoted-printable values
that go on in lines of their own, and folds that keep their space.
"""

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from mailserver.base.errors import PeerError
from mailserver.mime.charsets import decode_text

OLD = "2.1"  #: the version whose lines are read differently

_HEAD = re.compile(rb"(?:([A-Za-z0-9_-]{1,100})\.)?([A-Za-z0-9_-]{1,100})")
_PARAMETER = re.compile(rb';[ \t]*([A-Za-z0-9_/.-]{0,100})[ \t]*(?:=((?:"[^"]*"|[^";:])*))?')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TOKEN = re.compile(r"\\.|[^\\;,]+|[;,]|\\", re.DOTALL)
_CODED = (b"QUOTED-PRINTABLE", b"BASE64", b"ENCODING=")  # parameters of lines that go on
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]+")
_PARAMETERS = 100  #: of one property; a line with more is none
_ENCODINGS = frozenset({"QUOTED-PRINTABLE", "BASE64", "7BIT", "8BIT"})


class Property(NamedTuple):
    """One of a card.

    line:       where it begins, counted from the line that was said to be the first.
    group:      "item1" of item1.EMAIL, "" without one.        name: in upper case.
    parameters: (name in upper case, value without quotes), one for each that is written.
    value:      unfolded, as it stands.
    """

    line: int
    group: str
    name: str
    parameters: tuple[tuple[str, str], ...]
    value: bytes

    def parameter(self, name: str) -> str:
        """The first value of this parameter; "" without one."""
        return next((value for known, value in self.parameters if known == name), "")

    @property
    def preference(self) -> int:
        """1 is liked best, 100 least of those that say so; 101: nothing is said (RFC 6350 §5.3; RFC 2426 §3.3.2)."""
        said = self.parameter("PREF")
        if said.isascii() and said.isdigit() and 1 <= int(said[:4]) <= 100:
            return int(said)
        is_liked = any(
            name == "TYPE" and value.upper() == "PREF" for name, value in self.parameters
        )
        return 1 if is_liked else 101

    def text(self, version: str) -> str:
        """The value as text: its encoding, charset and escapes undone.  Never fails."""
        return unescaped(self.raw_text(), version)

    def parts(self, version: str, most: int) -> tuple[str, ...]:
        """The first *most* of the texts in the value that semicolons part (RFC 6350 §6.2.2).

        Where commas part the values of a text, as they do from version 3.0 on, there is a space in their place.
        """
        parts: list[list[str]] = [[]]
        for token in _TOKEN.finditer(self.raw_text()):
            if token[0] == "," and version != OLD:
                parts[-1].append(" ")
            elif token[0] != ";":
                parts[-1].append(token[0])
            elif len(parts) < most:
                parts.append([])
            else:
                break
        return tuple(unescaped("".join(part), version) for part in parts)

    def raw_text(self) -> str:
        """The value as text, escapes left as they are."""
        encoding, value = self.parameter("ENCODING"), self.value
        if encoding == "QUOTED-PRINTABLE":
            value = binascii.a2b_qp(value)
        elif encoding in ("B", "BASE64"):
            try:
                value = binascii.a2b_base64(value)
            except binascii.Error:
                value = b""
        return decode_text(value, self.parameter("CHARSET"))


def unescaped(text: str, version: str) -> str:
    r"""*text* with "\," as "," and "\n" as a line end (RFC 6350 §3.4); vCard 2.1 escapes semicolons alone."""
    if "\\" not in text:
        return text
    if version == OLD:
        return text.replace("\\;", ";")
    return _ESCAPED.sub(lambda m: "\n" if m[1] in "nN" else m[1], text)


def properties(octets: bytes, version: str, most: int, first: int = 1) -> Iterator[Property]:
    """The properties in order; first: the number of the first line, for what is said of mistakes.

    Raises PeerError for a line that is none, and for more than *most*.
    """
    for count, (line, text) in enumerate(unfolded(octets, version, first)):
        if count >= most:
            raise PeerError(f"line {line}: more than {most} properties")
        yield _property(line, text)


def unfolded(octets: bytes, version: str, first: int = 1) -> Iterator[tuple[int, bytes]]:
    """(the number of its first line, the line) of all lines that are not empty (RFC 6350 §3.2).

    In vCard 2.1 a quoted-printable line goes on behind a "=" at its end, and base64 in lines that some do not indent.
    """
    keep, is_old = (0, True) if version == OLD else (1, False)
    at, parts, encoding = first, list[bytes](), ""
    is_soft = False  # the line before ends with "=", which stands for nothing
    for number, line in enumerate(octets.splitlines(), first):
        if is_soft:
            parts[-1] = parts[-1][:-1]
            parts.append(line)
        elif parts and line[:1] in (b" ", b"\t"):
            parts.append(line[keep:])
        elif encoding in ("BASE64", "B") and is_old and _BASE64.fullmatch(line):
            parts.append(line)
        else:
            if parts:
                yield at, b"".join(parts)
            at, parts = number, [line] if line.strip() else []
            encoding = _encoding(line)
        is_soft = encoding == "QUOTED-PRINTABLE" and line.endswith(b"=")
    if parts:
        yield at, b"".join(parts)


def _encoding(line: bytes) -> str:
    """That of the property that begins with *line*; "" for none."""
    start = line[:1_000].upper()
    if not any(word in start for word in _CODED):
        return ""
    head = _head(line)
    return "" if head is None else next((v for name, v in head[2] if name == "ENCODING"), "")


def _property(line: int, text: bytes) -> Property:
    head = _head(text)
    if head is None:
        raise PeerError(f"line {line}: this is no property: NAME:VALUE")
    group, name, parameters, at = head
    return Property(line, group, name, tuple(parameters), text[at:])


def _head(text: bytes) -> tuple[str, str, list[tuple[str, str]], int] | None:
    """Group, name, parameters, and where the value begins."""
    head = _HEAD.match(text)
    if head is None:
        return None
    at, parameters = head.end(), list[tuple[str, str]]()
    while (found := _PARAMETER.match(text, at)) and len(parameters) < _PARAMETERS:
        parameters += _parameters(found)
        at = found.end()
    if text[at : at + 1] != b":":
        return None
    return (head[1] or b"").decode(), head[2].decode().upper(), parameters, at + 1


def _parameters(found: "re.Match[bytes]") -> list[tuple[str, str]]:
    """TYPE=a,b is two of them; one without a name is a type or an encoding (vCard 2.1 §2.1.2)."""
    name = found[1].decode().upper()
    if found[2] is None:
        return [("ENCODING" if name in _ENCODINGS else "TYPE", name)]
    value = found[2].decode(errors="replace")
    parts = [part.strip().strip('"') for part in value.split(",")]
    return [(name, part.upper() if name == "ENCODING" else part) for part in parts]
