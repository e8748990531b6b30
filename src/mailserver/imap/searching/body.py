"""Looks for several texts in one pass over a message's header and text parts.

Spec: RFC 3501 §6.4.4 (BODY, TEXT); RFC 9051 §6.4.4.  Status: complete.

Looked at are text parts and message parts that hold no message, without transfer encoding and charset, and header
fields, unfolded and decoded.  Other content types, preambles and epilogues are not (RFC 3501 §6.4.4, "MAY exclude").
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailserver.imap.searching.fold import fold
from mailserver.imap.searching.header import header_text
from mailserver.imap.searching.octets import Octets
from mailserver.mime.decode import text
from mailserver.mime.layout import Part

_HEADER = 1_048_576  # octets of one header block that are searched


@dataclass(frozen=True, slots=True)
class Needle:
    """Folded text to look for in the body, and with *in_headers* in the header and in those of the parts too."""

    text: str
    in_headers: bool


def search(
    octets: Octets, root: Part, needles: Iterable[Needle], found: set[Needle]
) -> Iterator[None]:
    """Add to *found* those of *needles* that are there.  Yields after each piece; ends as soon as all are found.

    Raises Expunged.
    """
    found.update(
        [needle for needle in needles if not needle.text]
    )  # the empty string is in everything
    wanted = [needle for needle in needles if needle.text]
    keep = max([len(needle.text) for needle in wanted], default=1) - 1
    tail, last = "", 0
    if not wanted:
        return
    for place, is_outer, piece in _pieces(octets, root, any(n.in_headers for n in wanted)):
        if place != last:  # no text goes on from one part into another
            tail, last = "", place
        window = tail + fold(piece)
        tail = window[-keep:] if keep else ""
        hits = [n for n in wanted if n.text in window and (n.in_headers or not is_outer)]
        if hits:
            found.update(hits)
            wanted = [n for n in wanted if n not in found]
            if not wanted:
                return
        yield


def _pieces(octets: Octets, root: Part, with_outer: bool) -> Iterator[tuple[int, bool, str]]:
    """(place, whether it is a header that only TEXT looks at, text), in order; a place may come in several pieces."""
    place = 0
    todo = [(root, True)]
    while todo:
        part, is_outer = todo.pop()
        place += 1
        if with_outer or not is_outer:
            end = min(part.body_start, part.header_start + _HEADER)
            yield place, is_outer, header_text(octets[part.header_start : end])
        place += 1
        if part.message is not None:
            todo.append(
                (part.message, False)
            )  # an embedded message's header is part of the body around it
        elif part.type in ("text", "message"):
            for piece in text(octets, part):
                yield place, False, piece
        else:
            todo.extend((child, True) for child in reversed(part.children))
