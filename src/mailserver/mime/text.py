"""What SEARCH looks through: the decoded text of headers and text parts, folded for comparison.

Spec: RFC 3501 §6.4.4; RFC 9051 §6.4.4; RFC 5051.  Status: complete.
Deviates: RFC 5051 §2: case is folded in full ("ß" finds "ss"), not by the simple titlecase map.
"""

import mmap
import unicodedata
from collections.abc import Iterator

from mailserver.mime.decode import text
from mailserver.mime.headers import FIELD, decode_words, unfold
from mailserver.mime.layout import Part, walk

_HEADER = 1_048_576  # octets of one header block that are searched


def fold(value: str) -> str:
    """*value* as it is compared: without case and with compatibility characters taken apart, so that NFC equals NFD."""
    if value.isascii():
        return value.lower()
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", value).casefold())


def header_text(block: bytes) -> Iterator[str]:
    """Every field of a header block as one decoded line "name: value"."""
    for m in FIELD.finditer(block[:_HEADER]):
        if m[1] is not None:
            yield f"{m[1].decode('ascii')}: {decode_words(unfold(m[2]))}"


def field_texts(block: bytes, name: bytes) -> list[str]:
    """The decoded values of every field of this name (any case), in order."""
    name = name.lower()
    return [
        decode_words(unfold(m[2]))
        for m in FIELD.finditer(block[:_HEADER])
        if m[1] is not None and m[1].lower() == name
    ]


def pieces(raw: bytes | mmap.mmap, root: Part, *, with_header: bool) -> Iterator[str]:
    """All text of the message in order, in bounded pieces, not folded.

    That is every text part and the header of every embedded message; *with_header* adds the message's own (TEXT
    against BODY).  A part's text may be cut anywhere: `contains` finds what lies across.
    """
    if with_header:
        yield "\n".join(header_text(raw[: min(root.body_start, _HEADER)]))
    for part in walk(root):
        if part.message is not None:
            inner = part.message
            yield "\n".join(header_text(raw[inner.header_start : inner.body_start][:_HEADER]))
        elif part.type == "text":
            yield from text(raw, part)


def contains(
    raw: bytes | mmap.mmap, root: Part, needles: list[str], *, with_header: bool
) -> list[bool]:
    """For each needle whether the message's text has it, in one pass; an empty needle is everywhere."""
    folded = [fold(needle) for needle in needles]
    found = [not needle for needle in folded]
    if all(found):
        return found
    keep = max(len(needle) for needle in folded) - 1
    tail = ""
    for piece in pieces(raw, root, with_header=with_header):
        window = tail + fold(piece)
        for i, needle in enumerate(folded):
            if not found[i] and needle in window:
                found[i] = True
        if all(found):
            break
        tail = window[-keep:] if keep else ""
    return found
