"""One entity while a message is being scanned: its header fields as found, its place in the tree.

Spec: RFC 2045 §5, §6; RFC 2046 §5; RFC 7103 §7.5.1, §8.1.  Status: complete.
"""

from functools import lru_cache

from mailserver.mime.headers import FIELD, unfold
from mailserver.mime.parameters import (
    EMPTY,
    Value,
    leading_word,
    parse_content_type,
    parse_disposition,
)

Fields = dict[bytes, list[bytes]]

#: the fields anybody looks at; all others are skipped
WANTED = frozenset(
    b"date subject from sender reply-to to cc bcc in-reply-to message-id references received"
    b" content-type content-transfer-encoding content-id content-description content-disposition"
    b" content-md5 content-language content-location".split()
)
TEXT = Value(b"text", b"plain", ())
_MESSAGE = Value(b"message", b"rfc822", ())
_SHORT = 40  # octets of a transfer encoding that is remembered
_LARGE = 65_536  # octets of a header from which on its fields are not all held at once


def read_fields(block: bytes) -> Fields:
    """The bodies of the wanted fields by lower case name, in order, still folded."""
    fields: Fields = {}
    found = (
        FIELD.findall(block)
        if len(block) < _LARGE
        else (m.groups(b"") for m in FIELD.finditer(block))
    )
    for name, value in found:
        name = name.lower()
        if name in WANTED:
            if name in fields:
                fields[name].append(value)
            else:
                fields[name] = [value]
    return fields


def _token(value: bytes) -> bytes:
    word = leading_word(value)
    return b"7bit" if word is None else word[0]


_usual_token = lru_cache(maxsize=64)(_token)  # there are five of them


class Entity:
    """A message, an embedded message's root or a body part; grows while the scan goes on."""

    __slots__ = (
        "body_start",
        "boundary",
        "children",
        "content",
        "depth",
        "end",
        "fields",
        "header_start",
        "kind",
        "lines",
        "message",
        "parent",
    )

    def __init__(
        self, parent: "Entity | None", start: int, body_start: int, fields: Fields
    ) -> None:
        self.parent = parent
        self.header_start = start
        self.body_start = body_start
        self.end = body_start
        self.fields = fields
        self.content = TEXT
        self.kind = b"text/plain"  # type and subtype in lower case
        self.boundary: bytes | None = None  # of a multipart
        self.children: list[Entity] = []
        self.message: Entity | None = None
        self.lines = 0
        self.depth: int = 0 if parent is None else parent.depth + 1

    def classify(self, parameters: int) -> None:
        """Read Content-Type: a missing or broken one means text/plain (RFC 2045 §5.2).

        In a digest a missing one means message/rfc822 (RFC 2046 §5.1.5).  MIME-Version does not matter (RFC 7103 §8.1).
        """
        values = self.fields.get(b"content-type")
        if values is None:
            if self.parent is not None and self.parent.kind == b"multipart/digest":
                self.content, self.kind = _MESSAGE, b"message/rfc822"
            return
        content = parse_content_type(unfold(values[0]), parameters)
        if content.type:
            self.content = content
            self.kind = (content.type + b"/" + content.subtype).lower()

    def make_opaque(self) -> None:
        """Text, whatever the header says: its parts cannot be told apart or are too many."""
        self.content, self.kind = TEXT, b"text/plain"
        self.boundary = None

    def field(self, name: bytes) -> bytes | None:
        """The first field of this name, unfolded; None without one."""
        values = self.fields.get(name)
        return None if values is None else unfold(values[0])

    def encoding(self) -> bytes:
        """Content-Transfer-Encoding's token as written, "7bit" without one (RFC 2045 §6.1)."""
        values = self.fields.get(b"content-transfer-encoding")
        if values is None:
            return b"7bit"
        value = values[0]
        return (_usual_token if len(value) <= _SHORT else _token)(value)

    def disposition(self, parameters: int) -> Value:
        """Content-Disposition; EMPTY where it is missing or broken."""
        values = self.fields.get(b"content-disposition")
        return EMPTY if values is None else parse_disposition(unfold(values[0]), parameters)
