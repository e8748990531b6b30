"""Looks for several texts in one pass over a message's header and text parts.

Spec: RFC 3501 §6.4.4 (BODY, TEXT); RFC 9051 §6.4.4.  Status: complete.

Looked at are text parts and message parts that hold no message, without transfer encoding and charset, and header
fields, unfolded and decoded.  HTML is looked at twice: as it is written, and as it is read.  Names of files are looked
at as they are meant (RFC 2231).  Other content types, preambles and epilogues are not (RFC 3501 §6.4.4, "MAY exclude").
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailserver.imap.searching.fold import fold
from mailserver.imap.searching.header import header_text
from mailserver.mime.decode import PIECE, Octets, text
from mailserver.mime.html import HtmlText
from mailserver.mime.layout import Part, unpack

_HEADER = 1_048_576  # octets of one header block that are searched
_HTML = frozenset({"html", "xhtml"})
_IDENTITY = frozenset({"7bit", "8bit", "binary"})
_ASCII = frozenset({"", "us-ascii", "utf-8", "iso-8859-1", "iso-8859-15", "windows-1252"})
#: the packed layout of a message that is one plain text: where that begins and ends
_PLAIN = re.compile(
    rb'\[\["text","plain",0,([0-9]+),([0-9]+),[0-9]+,"(?:%b)","(?:%b)","[a-z]*","",0\]\]'
    % ("|".join(sorted(_IDENTITY)).encode(), "|".join(sorted(_ASCII)).encode())
)


@dataclass(frozen=True, slots=True)
class Needle:
    """Folded text to look for in the body, and with *in_headers* in the header and in those of the parts too."""

    text: str
    in_headers: bool


def search(
    octets: Octets, header_size: int, layout: bytes, needles: Iterable[Needle], found: set[Needle]
) -> Iterator[None]:
    """Add to *found* those of *needles* that are there.  Yields after each piece; ends as soon as all are found.

    *layout* is the packed part tree.  The empty string is in everything.  Raises Expunged.
    """
    found.update([needle for needle in needles if not needle.text])
    wanted = [needle for needle in needles if needle.text]
    if not wanted:
        return
    keep = max([len(needle.text) for needle in wanted]) - 1
    tail, last = "", 0
    with_outer = any(needle.in_headers for needle in wanted)
    for place, is_outer, piece in pieces(octets, header_size, layout, with_outer):
        if place != last:  # no text goes on from one part into another
            tail, last = "", place
        window = tail + piece if tail else piece
        tail = window[-keep:] if keep else ""
        hits = [n for n in wanted if n.text in window and (n.in_headers or not is_outer)]
        if hits:
            found.update(hits)
            wanted = [n for n in wanted if n not in found]
            if not wanted:
                return
        yield


def at_once(
    whole: bytes, header_size: int, layout: bytes, needles: Iterable[Needle]
) -> set[Needle] | None:
    """Those of *needles* that `search` finds in a message that is one plain text; None: it is another message."""
    m = _PLAIN.fullmatch(layout)
    if m is None or not whole.isascii():
        return None
    text = fold(whole[int(m[1]) : int(m[2])].decode("ascii"))
    found = {needle for needle in needles if needle.text in text}
    for_head = [needle for needle in needles if needle.in_headers and needle not in found]
    if for_head:
        head = header_text(whole[: min(header_size, _HEADER)])
        found.update([needle for needle in for_head if needle.text in head])
    return found


def pieces(
    octets: Octets, header_size: int, layout: bytes, with_outer: bool
) -> Iterator[tuple[int, bool, str]]:
    """(place, whether it is a header that only TEXT looks at, folded text), in order; a place may come in pieces."""
    if with_outer:
        yield 1, True, header_text(octets[0 : min(header_size, _HEADER)])
    if (m := _PLAIN.fullmatch(layout)) and (plain := _plain(octets, int(m[1]), int(m[2]))):
        yield 3, False, plain
        return
    root = unpack(layout)
    place = 1
    todo = [(root, True)]
    while todo:
        part, is_outer = todo.pop()
        place += 1
        if part is not root and (with_outer or not is_outer):
            end = min(part.body_start, part.header_start + _HEADER)
            yield place, is_outer, header_text(octets[part.header_start : end])
            if part.filename:
                place += 1
                yield place, is_outer, fold(part.filename)
        place += 1
        if part.message is not None:  # an embedded message's header is part of the body around it
            todo.append((part.message, False))
        elif part.type in ("text", "message"):
            is_html = part.subtype in _HTML and part.type == "text"
            held: list[str] = []  # the part's text, if it is short enough for being held
            for piece in _texts(octets, part):
                yield place, False, piece
                if is_html and part.end - part.body_start <= PIECE:
                    held.append(piece)
            if is_html:
                place += 1
                for piece in _as_read(held or _texts(octets, part)):
                    yield place, False, piece
        else:
            todo.extend((child, True) for child in reversed(part.children))


def _as_read(pieces: Iterable[str]) -> Iterator[str]:
    """The folded text of folded HTML."""
    html = HtmlText()
    for piece in pieces:
        yield fold(html.feed(piece))
    yield fold(html.feed("", is_last=True))


def _texts(octets: Octets, part: Part) -> Iterator[str]:
    """The folded text of a part in pieces."""
    if part.encoding in _IDENTITY and part.charset in _ASCII:
        plain = _plain(octets, part.body_start, part.end)
        if plain:
            yield plain
            return
    for piece in text(octets, part):
        yield fold(piece)


def _plain(octets: Octets, start: int, end: int) -> str:
    """The folded text of these octets, if they are few and ASCII, as of most mail: nothing is to be decoded."""
    if end - start <= PIECE:
        data = octets[start:end]
        if data.isascii():
            return fold(data.decode("ascii"))
    return ""
