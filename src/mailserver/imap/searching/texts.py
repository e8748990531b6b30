"""What the text index keeps of a message: everything that a search key could find in it.

Spec: RFC 3501 §6.4.4.  Status: complete.

The texts hold whatever `body.search`, `header.field_values` and the keys of the ENVELOPE compare with, piece by piece,
and nothing else: what the index finds for sure is not looked at again.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mailserver.documents.kinds import kind_of
from mailserver.imap.searching.body import pieces
from mailserver.imap.searching.envelope import addresses
from mailserver.imap.searching.fold import fold
from mailserver.imap.searching.header import field_values
from mailserver.imap.searching.keys.envelope import SUBJECT_SIZE
from mailserver.mime.decode import Octets
from mailserver.mime.headers import FIELD, decode_words, unfold
from mailserver.mime.layout import Part, unpack
from mailserver.mime.patterns import many

HEADER = 1_048_576  #: octets of the header block that HEADER looks at
_BETWEEN = "\x01"  #: stands between two texts; no text goes on behind it
_ALSO = b"\xfe"  #: the same between two texts of a field; never part of UTF-8
#: a header in which the whole text says all that its fields say one by one
_PLAIN = re.compile(
    many(rb"[!-9;-~]++:[^\r\n\0]*+\r\n" + many(rb"[ \t][^\r\n\0]*+\r\n")) + rb"(?:\r\n)?"
)


class Source(NamedTuple):
    """What is stored of a message."""

    header_size: int
    layout: bytes
    envelope: bytes
    subject: str


class Texts(NamedTuple):
    """partly: what searches read and is not here, "": nothing."""

    head: str
    body: str
    partly: str


def fields_of(source: Source, header: Callable[[], bytes]) -> tuple[bytes, ...]:
    """From, to, cc and bcc in their plain form, and subject, as UTF-8.

    *header* is called only where the stored subject is cut short.
    """
    plain = [_encoded(forms.plain) for forms in addresses(source.envelope)]
    return (*plain, _subject(source.subject, header))


def texts_of(octets: Octets, source: Source, size: int) -> Iterator[Texts | None]:
    """The texts, as the last of what is yielded; None stands for work done.

    It ends at *size* characters of header or of body.

    Raises Expunged.
    """
    block = octets[0 : min(source.header_size, HEADER)]
    parts: dict[bool, list[str]] = {True: [], False: []}
    left = {True: size, False: size}
    partly = ""
    last = 0
    for place, is_outer, piece in pieces(octets, source.header_size, source.layout, True):
        if left[is_outer] < len(piece):
            partly = "its text is longer than limits.search.text_size"
            piece = piece[: left[is_outer]]
        left[is_outer] -= len(piece)
        if place != last:
            parts[is_outer].append(_BETWEEN)
            last = place
        parts[is_outer].append(piece)
        if partly:
            break
        yield None
    head = "".join(parts[True])
    if not partly and not is_plain(block) and says_more(block, head):
        partly = "its header reads differently as a whole and field by field"
    yield Texts(_clean(head), _clean("".join(parts[False])), partly)


def documents_of(layout: bytes, most: int) -> list[tuple[str, Part]]:
    """(kind, part) of the attached documents that can be read, at most *most*."""
    found: list[tuple[str, Part]] = []
    todo = [unpack(layout)]
    while todo and len(found) < most:
        part = todo.pop()
        if part.message is not None:
            todo.append(part.message)
        elif part.children:
            todo.extend(reversed(part.children))
        elif part.type != "text":
            kind = kind_of(f"{part.type}/{part.subtype}", part.filename)
            if kind:
                found.append((kind, part))
    return found


def is_plain(block: bytes) -> bool:
    """The header reads the same as a whole and field by field."""
    return b"=?" not in block and block.isascii() and _PLAIN.fullmatch(block) is not None


def says_more(block: bytes, head: str) -> bool:
    """A field says something when it is read alone that *head*, the whole header as text, does not say.

    HEADER reads fields alone, TEXT the whole: an encoded word that lacks its end may go on in the next field.
    """
    for m in FIELD.finditer(block):
        if m[1] is not None and not (
            fold(m[1].decode("ascii")) in head and fold(decode_words(unfold(m[2]))) in head
        ):
            return True
    return False


def _subject(stored: str, header: Callable[[], bytes]) -> bytes:
    """What SUBJECT looks at: the stored text, and the field itself where that may be longer."""
    text = fold(stored)
    if len(text) < SUBJECT_SIZE:
        return _encoded(text)
    return _ALSO.join(map(_encoded, [text, *field_values(header(), b"subject")[-1:]]))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _clean(text: str) -> str:
    """*text* as SQLite takes it: no half surrogate pairs, and no NULs, over which its tokenizers read."""
    if "\0" in text:
        text = text.replace("\0", _BETWEEN)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
