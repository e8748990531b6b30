"""A script as tokens, each with its place.

Spec: RFC 5228 §2.1 - §2.4, §8.1.  Status: complete.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from mailserver.sieve.errors import Place, ScriptError

#: the largest number (RFC 5228 §2.4.1 asks for 2147483647 at least)
LARGEST = 2**63 - 1

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_TOKEN = re.compile(
    r"""(?P<space>(?>(?:[ \t\n]|\#[^\n]*+(?:\n|\Z))+))
    |(?P<comment>/\*)
    |(?P<text>text:[ \t]*+(?:\#[^\n]*+)?\n)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*+)
    |:(?P<tag>[A-Za-z_][A-Za-z0-9_]*+)
    |(?P<number>[0-9]++)(?P<unit>[KMGkmg]?)(?![A-Za-z0-9_])
    |"(?P<string>[^"\\]*+(?>(?:\\.[^"\\]*+)*))"
    |(?P<mark>[\[\]{}(),;])""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_TEXT_END = re.compile(r"^\.\n|^\.\Z", re.MULTILINE)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Kind(Enum):
    """What a token is."""

    WORD = "a word"
    TAG = "a tag"
    NUMBER = "a number"
    STRING = "a string"
    MARK = "a mark"
    END = "the end of the script"


class Token(NamedTuple):
    """text: words and tags in lower case, a string's value with CRLF as line end, a mark itself."""

    kind: Kind
    text: str
    number: int
    at: int  # offset in `Source.text`


class Source:
    """A script's text with LF line ends, and where its lines begin.

    name: of an included script, "" for the main one.  Raises ScriptError if it is no UTF-8 or has NULs.
    """

    __slots__ = ("_lines", "name", "text")

    def __init__(self, script: bytes, name: str = "") -> None:
        self.name = name
        try:
            text = script.removeprefix(b"\xef\xbb\xbf").decode()
        except UnicodeDecodeError as error:
            before = script[: error.start].decode(errors="replace")
            place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
            raise ScriptError(place, "the script must be UTF-8", name) from None
        self.text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._lines = [0, *(m.end() for m in re.finditer("\n", self.text))]
        if "\0" in text:
            raise self.error(self.text.find("\0"), "a NUL character is not allowed")

    def place(self, at: int) -> Place:
        """The place of the character at the offset *at*."""
        line = bisect_right(self._lines, at)
        return Place(line, at - self._lines[line - 1] + 1)

    def line(self, at: int) -> int:
        """The number of the line with the offset *at*."""
        return bisect_right(self._lines, at)

    def error(self, at: int, text: str) -> ScriptError:
        """An error at the offset *at*, to be raised."""
        return ScriptError(self.place(at), text, self.name)


def tokens(source: Source) -> Iterator[Token]:
    """The tokens of *source* without comments, END last.  Raises ScriptError."""
    text, at = source.text, 0
    while at < len(text):
        m = _TOKEN.match(text, at)
        if m is None:
            raise source.error(at, _complaint(text, at))
        kind, start, at = m.lastgroup, at, m.end()
        if kind == "space":
            continue
        if kind == "comment":
            end = text.find("*/", at)
            if end < 0:
                raise source.error(start, "this comment is not closed with */")
            at = end + 2
        elif kind == "word":
            yield Token(Kind.WORD, m[0].lower(), 0, start)
        elif kind == "tag":
            yield Token(Kind.TAG, m["tag"].lower(), 0, start)
        elif kind == "string":
            value = _ESCAPE.sub(r"\1", m["string"]).replace("\n", "\r\n")
            yield Token(Kind.STRING, value, 0, start)
        elif kind == "mark":
            yield Token(Kind.MARK, m[0], 0, start)
        elif kind == "text":
            stop = _TEXT_END.search(text, at)
            if stop is None:
                raise source.error(start, 'this text is not closed with a line that is only "."')
            lines = text[at : stop.start()].split("\n")
            unstuffed = [line[1:] if line.startswith(".") else line for line in lines]
            at = stop.end()
            yield Token(Kind.STRING, "\r\n".join(unstuffed), 0, start)
        else:
            yield Token(Kind.NUMBER, m[0], _number(source, m, start), start)
    yield Token(Kind.END, "", 0, len(text))


def _number(source: Source, m: re.Match[str], at: int) -> int:
    if len(m["number"]) > 19:
        raise source.error(at, f"this number is too large, {LARGEST} is the largest")
    number = int(m["number"]) * _UNITS[m["unit"].upper()]
    if number > LARGEST:
        raise source.error(at, f"this number is too large, {LARGEST} is the largest")
    return number


def _complaint(text: str, at: int) -> str:
    char = text[at]
    if char == '"':
        return "this string is not closed"
    if char == ":":
        return "a colon must be followed by the name of a tag, as in :is"
    if char.isdigit():
        return "this is no number: digits, then K, M, G or nothing"
    if char in "'`\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}":
        return f'strings stand in straight double quotes ("), not in {char}'
    return f"the character {char!r} means nothing here"
