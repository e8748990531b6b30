"""The parts of a message as a script walks over them and puts others in their places.

Spec: RFC 5703 §3, §5.  Status: complete.
"""

from collections.abc import Iterator, Sequence

from mailserver.mime import parts, scan
from mailserver.mime.decode import Octets
from mailserver.mime.layout import Part
from mailserver.mime.parameters import parse_content_type
from mailserver.sieve.edited import Pieces, Span
from mailserver.sieve.header import Header

#: parameters that are read of one field
PARAMETERS = 100


class MimePart:
    """One part: a leaf, a multipart, a message in the message, or the message itself.

    source:  the octets that the offsets of *layout* count in.
    place:   where it stands in the source of the part around it.
    version: grows whenever another one is put in its place.
    """

    __slots__ = ("_header", "_inside", "around", "is_new", "layout", "place", "source", "version")

    def __init__(self, source: Octets, layout: Part, around: "MimePart | None" = None) -> None:
        self.source, self.layout, self.around = source, layout, around
        self.place = Span(layout.header_start, layout.end)
        self.version = 0
        self.is_new = False  # its header is not the one in *source*
        self._header: Header | None = None
        self._inside: list[MimePart] | None = None

    @classmethod
    def of(cls, entity: bytes) -> "MimePart":
        """The one that *entity* is, a header and what follows it."""
        return cls(entity, scan.layout(parts.scan(entity, scan.DEFAULT)))

    @property
    def header(self) -> Header:
        """Its header."""
        if self._header is None:
            layout = self.layout
            self._header = Header.of(self.source[layout.header_start : layout.body_start])
        return self._header

    @header.setter
    def header(self, header: Header) -> None:
        self._header = header

    @property
    def cost(self) -> int:
        """Steps that looking at it takes, and at how many there are inside; more for the first time."""
        if self._header is not None and self._inside is not None:
            return 1
        layout = self.layout
        return 10 + len(layout.children)

    @property
    def header_size(self) -> int:
        """Octets of the header that it came with."""
        return self.layout.body_start - self.layout.header_start

    def header_block(self, most: int) -> bytes:
        """The header as it stands, or its first *most* octets."""
        if self.is_new:
            return self.header.block()[:most]
        start = self.layout.header_start
        return self.source[start : min(self.layout.body_start, start + most)]

    @property
    def inside(self) -> Sequence["MimePart"]:
        """The parts directly inside: of a multipart, or the root of the message that it holds."""
        if self._inside is None:
            layout = self.layout
            held = layout.children if layout.message is None else (layout.message,)
            self._inside = [MimePart(self.source, part, self) for part in held]
        return self._inside

    @property
    def is_message(self) -> bool:
        """Whether it has the header of a message: it is all of it, or the root of one inside."""
        return self.around is None or self.around.layout.type == "message"

    def descendants(self) -> Iterator["MimePart"]:
        """The part and all inside of it, depth first."""
        todo = [self]
        while todo:
            part = todo.pop()
            yield part
            todo += reversed(part.inside)

    def boundaries(self) -> Iterator[bytes]:
        """The boundaries of the multiparts around it."""
        around = self.around
        while around is not None:
            for value in around.header.octets("content-type"):
                boundary = parse_content_type(value, PARAMETERS).get(b"boundary")
                if boundary:
                    yield boundary
            around = around.around

    def become(self, entity: bytes) -> None:
        """It is *entity*, a header and what follows it, from now on; what was inside is gone."""
        self.source, self.layout = entity, MimePart.of(entity).layout
        self._header = self._inside = None
        self.is_new = False
        self.version += 1

    def hold(self, message: "MimePart") -> None:
        """It is the message around *message* from now on; its own body is empty."""
        end = self.layout.end
        message.around, message.place = self, Span(end, end)
        self._inside = [message]

    # writing

    def write(self, out: "Writer") -> None:
        """All of it."""
        if self.is_new:
            out.add(self.header.block())
        else:
            out.stretch(self.source, self.layout.header_start, self.layout.body_start)
        self.write_body(out)

    def write_body(self, out: "Writer") -> None:
        """What follows its header."""
        at = self.layout.body_start
        for part in self._inside or ():
            out.stretch(self.source, at, part.place.start)
            part.write(out)
            at = part.place.end
        out.stretch(self.source, at, self.layout.end)


class Writer:
    """Puts pieces together; what follows in the message that came stays one stretch of it."""

    __slots__ = ("_out", "_raw")

    def __init__(self, raw: Octets) -> None:
        self._raw = raw
        self._out: list[bytes | Span] = []

    def stretch(self, source: Octets, start: int, end: int) -> None:
        """source[start:end]."""
        if start >= end:
            return
        if source is not self._raw:
            self._out.append(source[start:end])
            return
        last = self._out[-1] if self._out else None
        if isinstance(last, Span) and last.end == start:
            self._out[-1] = Span(last.start, end)
        else:
            self._out.append(Span(start, end))

    def add(self, octets: bytes) -> None:
        """These."""
        self._out.append(octets)

    def pieces(self) -> Pieces:
        """All of them."""
        return tuple(self._out)
