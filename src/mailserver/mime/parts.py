r"""One pass over a message's octets: where its parts begin and end.

A boundary line is searched by what all open multiparts' boundaries begin with, then compared with each: the longest
that fits and of equals the innermost; the line of an outer multipart ends all inner ones (RFC 2046 §5.1.2).  The line
end before a boundary line belongs to the boundary line.  Nothing here recurses on input or goes back in it.
Spec: RFC 2046 §5.1; RFC 7103 §7, §8.  Status: complete.
"""

import mmap
import re

from mailserver.base.limits import MimeLimits
from mailserver.mime.entity import Entity, Fields, read_fields
from mailserver.mime.headers import leading_fields

Raw = bytes | mmap.mmap

_EMPTY_LINE_OR_DASHES = re.compile(rb"\n(?:\r?\n|--)")
_BOUNDARY_SIZE = 80  # RFC 2046 §5.1.1 allows 70; a longer one is known by its beginning
_LOOK_ALIKES = 2_000  # dashes in vain before a pattern is made of the open boundaries
_PIECE = (
    1 << 20
)  # octets looked at in one go: other threads wait that long, less than a millisecond
_EMBEDDED = frozenset({b"message/rfc822", b"message/global"})  # RFC 6532 §3.7, RFC 9051 §6.4.5.1
_IDENTITIES = frozenset({b"7bit", b"8bit", b"binary"})


def scan(raw: Raw, limits: MimeLimits) -> Entity:
    """The root of the tree of entities with their offsets; never raises on content.

    A multipart in which no part can be found, and what lies beyond a limit, is text.
    """
    return _Scan(raw, limits).run()


def head(raw: Raw, limits: MimeLimits) -> tuple[int, Fields]:
    """(Where the root's body begins, its wanted fields), as `scan` finds them."""
    root = _Scan(raw, limits).header(None, 0)
    return root.body_start, root.fields


class _Scan:
    def __init__(self, raw: Raw, limits: MimeLimits) -> None:
        self.raw = raw
        self.size = len(raw)
        self.limits = limits
        self.header_budget = limits.headers_size
        self.parts = 0
        # multiparts without a closing boundary line yet, outermost first
        self.open: list[Entity] = []
        # what all their boundary lines begin with, the LF before them included; found when asked for
        self.beginning: bytes | None = None
        self.misses = 0  # look-alikes since `open` changed
        self.patterns: tuple[re.Pattern[bytes], re.Pattern[bytes]] | None = None
        self.embedding: list[Entity] = []  # entities that have a message inside

    def run(self) -> Entity:
        raw, size, limit = self.raw, self.size, self.limits.parts
        root = self.header(None, 0)
        current, pos = self.enter(root)
        while self.open:
            at, owner = self.next_boundary(pos)
            if owner is None:
                break
            after = at + 3 + len(owner.boundary or b"")
            line_end = raw.find(b"\n", after)
            pos = size if line_end < 0 else line_end
            is_last = raw[after : after + 2] == b"--"
            if not is_last and self.parts >= limit:
                continue  # the part before swallows this one
            self.close(current, owner, at - 1 if raw[at - 1 : at] == b"\r" else at)
            if is_last:
                self.keep(self.open[: self.open.index(owner)])
                current = owner
            else:
                self.keep(self.open[: self.open.index(owner) + 1])
                entity = self.header(owner, min(pos + 1, size))
                owner.children.append(entity)
                current, pos = self.enter(entity)
        self.close(current, None, size)
        self.count_lines(root)
        return root

    def keep(self, multiparts: list[Entity]) -> None:
        """From here on these are open."""
        if len(multiparts) != len(self.open):
            self.open = multiparts
            self.beginning, self.misses, self.patterns = None, 0, None

    def enter(self, entity: Entity) -> tuple[Entity, int]:
        """The innermost entity that begins where *entity* does, and where to look for the next boundary line."""
        while True:
            self.parts += 1
            entity.classify(self.limits.parameters)
            if entity.kind.startswith(b"multipart/"):
                boundary = entity.content.get(b"boundary")
                if boundary and entity.depth < self.limits.depth:
                    entity.boundary = boundary[:_BOUNDARY_SIZE]
                    self.keep([*self.open, entity])
                else:
                    entity.make_opaque()
            elif entity.kind in _EMBEDDED:
                if entity.depth < self.limits.depth and self.parts < self.limits.parts:
                    self.embedding.append(entity)
                    start, encoding = entity.body_start, entity.encoding()
                    if encoding.lower() in _IDENTITIES:
                        entity.message = self.header(entity, start)
                    else:  # against RFC 2046 §5.2.1: a message without a header, of encoded text
                        fields = {b"content-transfer-encoding": [encoding]}
                        entity.message = Entity(entity, start, start, fields)
                    entity = entity.message
                    continue
                entity.make_opaque()
            return entity, max(entity.body_start - 1, 0)

    def header(self, parent: Entity | None, start: int) -> Entity:
        """The entity that begins at *start*, its header read; it ends with the empty line or where no field follows."""
        raw, limits = self.raw, self.limits
        body_start, stop = self.header_end(start)
        if body_start is None:
            size = min(stop - start, limits.header_size, self.header_budget)
            body_start = start + leading_fields(raw[start : start + size])
            if size < stop - start:
                body_start = stop
        size = min(body_start - start, limits.header_size, self.header_budget)
        self.header_budget -= size
        return Entity(parent, start, body_start, read_fields(raw[start : start + size]))

    def header_end(self, start: int) -> tuple[int | None, int]:
        """(offset behind the empty line or None, where the entity ends if there is none)."""
        raw = self.raw
        if start == 0:
            beginning = raw[:2]
            if beginning == b"\r\n":
                return 2, 2
            if beginning[:1] == b"\n":
                return 1, 1
        pos = max(start - 1, 0)
        if not self.open:
            at = raw.find(b"\n\r\n", pos)
            bare = raw.find(b"\n\n", pos, self.size if at < 0 else at)
            if bare >= 0:
                return bare + 2, bare + 2
            return (None, self.size) if at < 0 else (at + 3, at + 3)
        while True:
            pattern = self.patterns[0] if self.patterns is not None else _EMPTY_LINE_OR_DASHES
            m = pattern.search(raw, pos)
            if m is None:
                return None, self.size
            if m[0][-1:] == b"\n":
                return m.end(), m.end()
            at = m.start()
            if self.owner(at + 3) is not None:
                return None, max(start, at - 1 if raw[at - 1 : at] == b"\r" else at)
            pos = at + 1

    def next_boundary(self, pos: int) -> tuple[int, Entity | None]:
        """(offset of the LF before the next boundary line, the multipart it belongs to); None at the message's end."""
        raw = self.raw
        if self.beginning is None:
            self.beginning = b"\n--" + _common_beginning([e.boundary or b"" for e in self.open])
        while pos < self.size:
            stop = pos + _PIECE  # a line begins before it, and may go on behind
            if self.patterns is None:
                at = raw.find(self.beginning, pos, stop + len(self.beginning))
            else:
                m = self.patterns[1].search(raw, pos, stop + 3 + _BOUNDARY_SIZE)
                at = -1 if m is None else m.start()
            if at < 0:
                pos = stop
                continue
            owner = self.owner(at + 3)
            if owner is not None:
                return at, owner
            pos = at + 1
        return self.size, None

    def owner(self, at: int) -> Entity | None:
        """The open multipart whose boundary stands at *at*: the longest that fits, of equals the innermost.

        The rest of the line does not matter (RFC 2046 §5.1.1).
        """
        line = self.raw[at : at + _BOUNDARY_SIZE]
        best, size = None, 0
        for entity in reversed(self.open):
            boundary = entity.boundary or b""
            if len(boundary) > size and line.startswith(boundary):
                best, size = entity, len(boundary)
        if best is None:
            self.misses += 1
            if self.misses == _LOOK_ALIKES:
                self.patterns = self.exact_patterns()
        return best

    def exact_patterns(self) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
        """(empty line or boundary line, boundary line) that pass over look-alikes at the speed of C."""
        boundaries = b"|".join(sorted({re.escape(e.boundary or b"") for e in self.open}))
        return (
            re.compile(b"\n(?:\r?\n|--(?:" + boundaries + b"))"),
            re.compile(b"\n--(?:" + boundaries + b")"),
        )

    def close(self, current: Entity, owner: Entity | None, end: int) -> None:
        """Everything from *current* up to below *owner* ends at *end*.

        An empty line that is also the line end before the boundary line belongs to that: the header has none then.
        """
        chain: list[Entity] = []
        while current is not owner:
            chain.append(current)
            if current.parent is None:
                break
            current = current.parent
        if chain:
            end = max(end, chain[-1].header_start)
        for entity in chain:
            entity.header_start = min(entity.header_start, end)
            entity.body_start = min(entity.body_start, end)
            entity.end = end
            if entity.boundary is not None and not entity.children:
                entity.make_opaque()

    def count_lines(self, root: Entity) -> None:
        """LFs in the bodies of text parts and of entities with a message, each octet looked at twice at most."""
        todo = [root]
        while todo:
            entity = todo.pop()
            if entity.message is not None:
                todo.append(entity.message)
            elif entity.children:
                todo.extend(entity.children)
            elif entity.kind.startswith(b"text/"):
                entity.lines = self.count(entity.body_start, entity.end)
        if self.embedding:
            ends = {offset for e in self.embedding for offset in (e.body_start, e.end)}
            before: dict[int, int] = {}  # offset -> LFs before it, from the first offset on
            last, lines = min(ends), 0
            for offset in sorted(ends):
                lines += self.count(last, offset)
                before[offset] = lines
                last = offset
            for entity in self.embedding:
                entity.lines = before[entity.end] - before[entity.body_start]

    def count(self, start: int, end: int) -> int:
        raw = self.raw
        if end - start <= _PIECE:
            return _lines(raw[start:end])
        return sum(_lines(raw[i : min(i + _PIECE, end)]) for i in range(start, end, _PIECE))


def _lines(piece: bytes) -> int:
    """LFs in it; Python takes them out in a third of the time in which it counts them."""
    return len(piece) - len(piece.replace(b"\n", b""))


def _common_beginning(texts: list[bytes]) -> bytes:
    """The longer it is, the larger the steps in which octets are searched for it."""
    first, last = min(texts), max(texts)
    size = 0
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        size += 1
    return first[:size]
