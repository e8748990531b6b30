"""Cuts sections out of a stored message by its offsets, without reading more of it than they need.

Spec: RFC 3501 §6.4.5, §7.4.2; RFC 9051 §6.4.5.1; RFC 3516 §4.3.  Status: complete.
Deviates: RFC 3501 §7.4.2: 8-bit octets in a header are sent as they are stored, because no octet of a message changes.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from mailserver.base.errors import Corrupt
from mailserver.base.ids import BlobId
from mailserver.imap.conversation import BlobDecoded, BlobRange, Chunk
from mailserver.imap.fetching import decoded
from mailserver.imap.fetching.item import Binary, Cut
from mailserver.imap.fetching.section import Section
from mailserver.mime.layout import Part, find
from mailserver.mime.preview import preview

#: longer pieces are streamed by the driver instead of read into memory
INLINE_SIZE: Final = 65_536
#: octets of a header block that HEADER.FIELDS looks at, as many as the MIME scanner does by default
FIELDS_SIZE: Final = 1_048_576


class Bare(NamedTuple):
    """A value that is said as it is: a number, NIL, a string."""

    text: bytes


class Literal8(NamedTuple):
    """Octets with NUL among them, which only a literal8 may hold (RFC 3516 §4.3)."""

    chunk: Chunk


#: what an item of one message is: octets for a literal, something else, or None for a part that is not there
Piece: TypeAlias = Chunk | Bare | Literal8 | None


class Message:
    """A stored message while one FETCH cuts pieces out of it.

    read:   (offset, length) -> octets of the blob; no length: up to its end.
    layout: unpacks the part tree, when a section asks for a part.      taken: octets read so far.
    """

    __slots__ = ("_layout", "_read", "_root", "blob", "header_size", "size", "taken")

    def __init__(
        self,
        blob: BlobId,
        size: int,
        header_size: int,
        read: Callable[[int, int | None], bytes],
        layout: Callable[[], Part],
    ) -> None:
        self.blob, self.size, self.header_size = blob, size, header_size
        self._read, self._layout = read, layout
        self._root: Part | None = None
        self.taken = 0

    def piece(self, cut: Cut) -> Chunk | None:
        """The octets of *cut*; None if the message has no such part.

        A piece beyond INLINE_SIZE comes as the range where it stands.  Raises Corrupt, Expunged.
        """
        where = self.where(cut.section)
        if where is None:
            return None
        start, end = where
        if cut.choice:
            data = cut.choice(self._octets(start, min(end, start + FIELDS_SIZE)))
            if cut.partial:
                return data[cut.partial.offset : cut.partial.offset + cut.partial.length]
            return data
        if cut.partial:
            start = min(start + cut.partial.offset, end)
            end = min(start + cut.partial.length, end)
        if end - start > INLINE_SIZE:
            return BlobRange(self.blob, start, end - start)
        return self._octets(start, end)

    def binary(self, item: Binary) -> Piece:
        """The part without transfer encoding, or its size; a part that is not there has size 0.

        Raises UnknownEncoding, Corrupt, Expunged.
        """
        if not item.section.numbers:
            if item.is_size:
                return Bare(b"%d" % self.size)
            return self.piece(Cut(item.name, item.section, item.partial))
        part = self._part(item.section.numbers)
        if part is None:
            return Bare(b"0") if item.is_size else None
        octets = part.end - part.body_start
        if not item.is_size and octets <= INLINE_SIZE:
            self.taken += octets
            data = decoded.octets(part, self._read)
            if item.partial:
                data = data[item.partial.offset : item.partial.offset + item.partial.length]
            return Literal8(data) if b"\0" in data else data
        if not decoded.encoding_of(part) and item.is_size:
            return Bare(b"%d" % octets)
        self.taken += octets
        size, has_nul = decoded.count(self.blob, part, self._read)
        if item.is_size:
            return Bare(b"%d" % size)
        skip, length = 0, size
        if item.partial:
            skip = min(item.partial.offset, size)
            length = min(item.partial.length, size - skip)
        chunk = BlobDecoded(self.blob, part, skip, length)
        return Literal8(chunk) if has_nul else chunk

    def preview(self) -> str:
        """The first words; see `mime.preview`.  Raises Corrupt, Expunged."""
        root = self._part(())
        return preview(decoded.Octets(self._counted), root) if root else ""

    def where(self, section: Section) -> tuple[int, int] | None:
        """First octet and end of *section*, for HEADER.FIELDS of the whole header; None if there is no such part."""
        if not section.numbers:
            if not section.text:
                return 0, self.size
            if section.text == "TEXT":
                return self.header_size, self.size
            return 0, self.header_size
        part = self._part(section.numbers)
        if part is None:
            return None
        if not section.text:
            return part.body_start, part.end
        if section.text == "MIME":
            return part.header_start, part.body_start
        if part.message is None:  # only a message has a header and a text (RFC 3501 §6.4.5)
            return None
        if section.text == "TEXT":
            return part.message.body_start, part.message.end
        return part.message.header_start, part.message.body_start

    def _part(self, numbers: tuple[int, ...]) -> Part | None:
        if self._root is None:
            self._root = self._layout()
        return find(self._root, numbers)

    def _counted(self, offset: int, length: int | None) -> bytes:
        data = self._read(offset, length)
        self.taken += len(data)
        return data

    def _octets(self, start: int, end: int) -> bytes:
        if start == end:
            return b""
        # the whole is checked against its hash
        data = self._read(start, end - start if end - start < self.size else None)
        if len(data) != end - start:
            raise Corrupt("The stored message is damaged.")
        self.taken += len(data)
        return data
