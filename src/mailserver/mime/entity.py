"""One entity while a message is being scanned: its header fields as found, its place in the tree.

Spec: RFC 2045 §5, §6; RFC 2046 §5.  Status: complete.
"""

from mailserver.mime.headers import FIELD, unfold
from mailserver.mime.parameters import EMPTY, Value, parse_content_type, parse_disposition

#: the fields anybody looks at; all others are skipped
WANTED = frozenset(
    b"date subject from sender reply-to to cc bcc in-reply-to message-id references received".split()
    + b"content-type content-transfer-encoding content-id content-description content-disposition".split()
    + b"content-md5 content-language content-location".split()
)
_TEXT = Value(b"text", b"plain", ())
_MESSAGE = Value(b"message", b"rfc822", ())


def read_fields(block: bytes) -> dict[bytes, list[bytes]]:
    """The bodies of the wanted fields by lower case name, in order, still folded."""
    fields: dict[bytes, list[bytes]] = {}
    for m in FIELD.finditer(block):
        name = m[1]
        if name is not None:
            name = name.lower()
            if name in WANTED:
                if name in fields:
                    fields[name].append(m[2])
                else:
                    fields[name] = [m[2]]
    return fields


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
        "is_digest",
        "kind",
        "lines",
        "message",
        "parent",
    )

    def __init__(
        self, parent: "Entity | None", start: int, body_start: int, fields: dict[bytes, list[bytes]]
    ) -> None:
        self.parent = parent
        self.header_start = start
        self.body_start = body_start
        self.end = body_start
        self.fields = fields
        self.content = _TEXT
        self.kind = b"text/plain"  # lower case
        self.boundary: bytes | None = None
        self.children: list[Entity] = []
        self.message: Entity | None = None
        self.lines = 0
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.is_digest = False

    def classify(self, in_digest: bool, parameters: int) -> None:
        """Read Content-Type; a missing or broken one means text/plain, in a digest message/rfc822 (RFC 2046 §5.1.5)."""
        value = self.field(b"content-type")
        content = EMPTY if value is None else parse_content_type(value, parameters)
        if content is EMPTY or not content.type:
            content = _MESSAGE if in_digest and value is None else _TEXT
        self.content = content
        self.kind = (content.type + b"/" + content.subtype).lower()

    def field(self, name: bytes) -> bytes | None:
        """The first field of this name, unfolded; None without one."""
        values = self.fields.get(name)
        return None if values is None else unfold(values[0])

    def disposition(self, parameters: int) -> Value:
        """Content-Disposition; EMPTY where it is missing or broken."""
        value = self.field(b"content-disposition")
        return EMPTY if value is None else parse_disposition(value, parameters)
