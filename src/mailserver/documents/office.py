"""The text of office documents: archives of XML, read member by member, within bounds.

Spec: ECMA-376 part 1 (§11.3, §12.3, §13.3); OpenDocument 1.2 part 3 (§2.2).  Status: text only, no layout.

An archive says of itself how large its members become; nobody believes that.  Members are unpacked in pieces and fed to
an XML parser that keeps nothing but the text, and reading ends at a bound on what was unpacked.
"""

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Final
from xml.parsers import expat
from zlib import error as _zlib_error

#: the members that hold text, in the order of reading
_MEMBERS: Final = {
    "docx": re.compile(r"word/(?:document|footnotes|endnotes|comments|header\d*|footer\d*)\.xml"),
    "xlsx": re.compile(r"xl/(?:sharedStrings\.xml|worksheets/[^/]+\.xml|comments\d*\.xml)"),
    "pptx": re.compile(r"ppt/(?:slides|notesSlides)/[^/]+\.xml"),
    "odf": re.compile(r"content\.xml"),
}
#: elements whose characters are text; none: all characters are
_TEXT: Final = {
    "docx": frozenset({"t", "delText", "instrText"}),
    "xlsx": frozenset({"t", "v"}),
    "pptx": frozenset({"t"}),
    "odf": frozenset[str](),
}
#: elements behind which another word begins
_BREAKS: Final = frozenset(
    {
        "p",
        "h",
        "br",
        "cr",
        "tab",
        "tc",
        "tr",
        "si",
        "c",
        "is",
        "table-cell",
        "line-break",
        "s",
        "list-item",
    }
)
_PIECE: Final = 65_536  # octets that are unpacked at a time
_MOST_MEMBERS: Final = 2_000


class Unreadable(Exception):
    """The document is damaged, encrypted, or none."""


def read(kind: str, data: bytes, unpacked: int) -> Iterator[str]:
    """The text in pieces.  *unpacked*: octets of XML that are looked at.  Raises Unreadable."""
    try:
        archive = zipfile.ZipFile(BytesIO(data))
        members = [m for m in archive.infolist() if _MEMBERS[kind].fullmatch(m.filename)]
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, EOFError) as error:
        raise Unreadable(str(error)) from error
    for member in sorted(members[:_MOST_MEMBERS], key=lambda m: _numbered(m.filename)):
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            continue  # office programs write no others; some unpack to thousands of times their size
        words = _Words(_TEXT[kind])
        try:
            with archive.open(member) as file:
                while unpacked > 0 and (piece := file.read(min(_PIECE, unpacked))):
                    unpacked -= len(piece)
                    yield words.feed(piece)
        except (
            zipfile.BadZipFile,
            RuntimeError,
            EOFError,
            OSError,
            ValueError,
            expat.ExpatError,
            _zlib_error,
        ) as error:
            yield words.rest()
            if not words.had_any:
                raise Unreadable(f"{type(error).__name__}: {error}") from error
        yield "\n"


def _numbered(name: str) -> list[str | int]:
    """Sorts slide10 behind slide9."""
    return [f"{int(part):09}" if part.isdigit() else part for part in re.split(r"(\d{1,9})", name)]


class _Words:
    """Takes XML in pieces and gives the text in them."""

    def __init__(self, elements: frozenset[str]) -> None:
        self._elements = elements
        self._inside = 0
        self._out: list[str] = []
        self.had_any = False
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = _no_entities
        self._parser = parser

    def feed(self, piece: bytes) -> str:
        """The text that *piece* ends; raises expat.ExpatError."""
        self._parser.Parse(piece, False)
        return self.rest()

    def rest(self) -> str:
        """What was found before an error."""
        text = "".join(self._out)
        self._out.clear()
        return text

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._inside += name.rpartition(":")[2] in self._elements

    def _end(self, name: str) -> None:
        local = name.rpartition(":")[2]
        self._inside -= local in self._elements
        if local in _BREAKS:
            self._out.append("\n" if local in ("p", "h") else " ")

    def _characters(self, text: str) -> None:
        if self._inside or not self._elements:
            self._out.append(text)
            self.had_any = True


def _no_entities(*_declaration: object) -> None:
    """Office programs declare none; what does wants to grow (CVE-2003-1564)."""
    raise ValueError("an entity is declared")
