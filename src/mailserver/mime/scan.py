r"""One pass over a message's octets: where its parts begin and end, and what IMAP wants to know about them.

A boundary line is searched as "\n--" and compared with the boundaries of the multiparts that are open, innermost and
longest first; the line of an outer multipart ends all inner ones (RFC 2046 §5.1.2).  Nothing here recurses on input.
Spec: RFC 2046 §5.1; RFC 7103 §7, §8.  Status: complete.
"""

import mmap
import re

from mailserver.base.limits import MimeLimits
from mailserver.mime.addresses import parse_addresses
from mailserver.mime.charsets import decode_text
from mailserver.mime.dates import parse_date
from mailserver.mime.derived import Derived
from mailserver.mime.entity import Entity, read_fields
from mailserver.mime.envelope import envelope
from mailserver.mime.headers import decode_words
from mailserver.mime.layout import Part, pack
from mailserver.mime.parameters import Value
from mailserver.mime.structure import render
from mailserver.mime.subjects import base_subject
from mailserver.mime.threads import message_ids, thread_keys

Raw = bytes | mmap.mmap

DEFAULT = MimeLimits()
_HEADER_END = re.compile(rb"\n(?:\r?\n|--)")
_BOUNDARY_SIZE = 80  # RFC 2046 §5.1.1 allows 70; a longer one is compared by its beginning
_PIECE = 1 << 20
_ENCODINGS_OF_MESSAGES = frozenset({b"message/rfc822", b"message/global"})


def derive(raw: Raw, limits: MimeLimits = DEFAULT) -> Derived:
    """Everything that is stored beside the message; never raises on content."""
    root = scan(raw, limits)
    fields = root.fields
    when = parse_date(fields[b"date"][0]) if b"date" in fields else None
    raw_subject = root.field(b"subject")
    subject = "" if raw_subject is None else decode_words(raw_subject[:20_000])[:1000]
    base = base_subject(subject)
    own = message_ids(fields[b"message-id"][0])[:1] if b"message-id" in fields else []
    return Derived(
        envelope=envelope(fields, limits.addresses),
        body=render(root, limits, extended=False),
        bodystructure=render(root, limits, extended=True),
        layout=pack(layout(root, limits)),
        header_size=root.body_start,
        sent_at=when.at if when is not None else None,
        sent_day=when.day if when is not None else None,
        subject=subject,
        base_subject=base,
        sort_from=_first_mailbox(root, b"from"),
        sort_to=_first_mailbox(root, b"to"),
        sort_cc=_first_mailbox(root, b"cc"),
        message_id=own[0].decode("utf-8", "replace") if own else "",
        thread_keys=thread_keys(
            own[0] if own else b"",
            message_ids(b"".join(fields.get(b"in-reply-to", ()))),
            message_ids(b"".join(fields.get(b"references", ()))),
            base,
        ),
        hops=len(fields.get(b"received", ())),
    )


def scan(raw: Raw, limits: MimeLimits = DEFAULT) -> Entity:
    """The tree of entities with their offsets."""
    return _Scan(raw, limits).run()


class _Scan:
    def __init__(self, raw: Raw, limits: MimeLimits) -> None:
        self.raw = raw
        self.limits = limits
        self.size = len(raw)
        self.open: list[Entity] = []  # multiparts whose closing boundary line has not come
        self.parts = 0
        self.messages: list[Entity] = []

    def run(self) -> Entity:
        raw, size = self.raw, self.size
        root, pos = self.enter(None, 0)
        current = root
        while self.open:
            hit = self.next_boundary(pos)
            if hit is None:
                break
            at, owner, after = hit
            end = at - 1 if at and raw[at - 1 : at] == b"\r" else at
            while current is not owner:
                current.end = max(current.body_start, end)
                assert current.parent is not None
                current = current.parent
            del self.open[self.open.index(owner) + 1 :]
            line_end = raw.find(b"\n", after)
            line_end = size if line_end < 0 else line_end + 1
            if raw[after : after + 2] == b"--" or self.parts >= self.limits.parts:
                self.open.pop()
                pos = line_end - 1
            else:
                current, pos = self.enter(owner, line_end)
        node: Entity | None = current
        while node is not None:
            node.end = size
            node = node.parent
        self.count_lines(root)
        return root

    def enter(self, parent: Entity | None, start: int) -> tuple[Entity, int]:
        """The innermost entity that begins at *start*, and where to search for the next boundary line."""
        while True:
            entity, pos = self.header(parent, start)
            self.parts += 1
            if parent is not None:
                if parent.boundary is not None:
                    parent.children.append(entity)
                else:
                    parent.message = entity
            entity.classify(parent is not None and parent.is_digest, self.limits.parameters)
            kind = entity.kind
            if entity.depth < self.limits.depth:
                if kind.startswith(b"multipart/"):
                    boundary = entity.content.get(b"boundary")
                    if boundary:
                        entity.boundary = boundary[:_BOUNDARY_SIZE]
                        entity.is_digest = kind == b"multipart/digest"
                        self.open.append(entity)
                        return entity, pos
                elif kind in _ENCODINGS_OF_MESSAGES:
                    self.messages.append(entity)
                    parent, start = entity, entity.body_start
                    continue
            if kind.startswith(b"multipart/") or kind in _ENCODINGS_OF_MESSAGES:
                entity.content = Value(b"text", b"plain", ())
                entity.kind = b"text/plain"
            return entity, pos

    def header(self, parent: Entity | None, start: int) -> tuple[Entity, int]:
        raw = self.raw
        pos = start - 1
        if start == 0:
            pos = 0
            if raw[:1] == b"\n" or raw[:2] == b"\r\n":
                body = 1 if raw[:1] == b"\n" else 2
                return Entity(parent, 0, body, {}), body - 1
            if self.open and raw[:2] == b"--":
                pass
        body_start, search = self.size, self.size
        while True:
            m = _HEADER_END.search(raw, pos)
            if m is None:
                break
            if raw[m.end() - 1 : m.end()] == b"\n":
                body_start = m.end()
                search = body_start - 1
                break
            if self.open and self.owner(m.start() + 3) is not None:
                body_start = m.start() + 1
                search = m.start()
                break
            pos = m.start() + 1
        block = raw[start : min(body_start, start + self.limits.header_size)]
        return Entity(parent, start, body_start, read_fields(block)), search

    def owner(self, at: int) -> Entity | None:
        """The open multipart whose boundary stands at *at*: the longest that matches, the innermost of equals."""
        line = self.raw[at : at + _BOUNDARY_SIZE]
        best: Entity | None = None
        for entity in reversed(self.open):
            boundary = entity.boundary
            assert boundary is not None
            if line.startswith(boundary) and (
                best is None or len(boundary) > len(best.boundary or b"")
            ):
                best = entity
        return best

    def next_boundary(self, pos: int) -> tuple[int, Entity, int] | None:
        """(offset of the line's preceding LF, the multipart it belongs to, offset behind the boundary)."""
        while True:
            at = self.raw.find(b"\n--", pos)
            if at < 0:
                return None
            owner = self.owner(at + 3)
            if owner is not None:
                assert owner.boundary is not None
                return at, owner, at + 3 + len(owner.boundary)
            pos = at + 1

    def count_lines(self, root: Entity) -> None:
        todo = [root]
        while todo:
            entity = todo.pop()
            if entity.kind.startswith(b"text/") or entity.message is not None:
                entity.lines = count(self.raw, entity.body_start, entity.end)
            todo.extend(entity.children)
            if entity.message is not None:
                todo.append(entity.message)


def count(raw: Raw, start: int, end: int) -> int:
    """LFs in raw[start:end]."""
    if isinstance(raw, bytes):
        return raw.count(b"\n", start, end)
    return sum(raw[i : min(i + _PIECE, end)].count(b"\n") for i in range(start, end, _PIECE))


def layout(root: Entity, limits: MimeLimits) -> Part:
    """The scanned tree as values."""
    order: list[Entity] = []
    todo = [root]
    while todo:
        entity = todo.pop()
        order.append(entity)
        todo.extend(entity.children)
        if entity.message is not None:
            todo.append(entity.message)
    made: dict[int, Part] = {}
    for entity in reversed(order):  # children before their parents
        children = tuple(made.pop(id(child)) for child in entity.children)
        message = made.pop(id(entity.message)) if entity.message is not None else None
        made[id(entity)] = _part(entity, children, message, limits)
    return made[id(root)]


def _part(
    entity: Entity, children: tuple[Part, ...], message: Part | None, limits: MimeLimits
) -> Part:
    disposition = entity.disposition(limits.parameters)
    filename = disposition.text(b"filename") or entity.content.text(b"name")
    if "=?" in filename:
        filename = decode_words(filename.encode())
    encoding = entity.field(b"content-transfer-encoding")
    main, _, sub = entity.kind.partition(b"/")
    return Part(
        main.decode("ascii", "replace"),
        sub.decode("ascii", "replace"),
        entity.header_start,
        entity.body_start,
        entity.end,
        entity.lines,
        decode_text(encoding[:80], "").lower() if encoding else "7bit",
        entity.content.text(b"charset")[:80].lower(),
        decode_text(disposition.type[:80], "").lower(),
        filename[:255],
        children,
        message,
    )


def _first_mailbox(root: Entity, name: bytes) -> str:
    values = root.fields.get(name)
    if values is None:
        return ""
    for address in parse_addresses(values[0], 4):
        if address.mailbox is not None and address.domain is not None:
            return decode_text(address.mailbox, "").casefold()[:255]
    return ""
