"""BODY and BODYSTRUCTURE as text for the wire.

Spec: RFC 3501 §7.4.2; RFC 9051 §7.5.2.  Status: complete.
"""

from mailserver.base.limits import MimeLimits
from mailserver.mime.entity import Entity
from mailserver.mime.envelope import envelope, nstring
from mailserver.mime.parameters import Params

_NOTHING = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0'  # a multipart has at least one part


def render(root: Entity, limits: MimeLimits, *, extended: bool) -> bytes:
    """BODY, or with *extended* BODYSTRUCTURE, of the tree; iterative."""
    out: list[bytes] = []
    todo: list[Entity | bytes] = [root]
    while todo:
        item = todo.pop()
        if isinstance(item, bytes):
            out.append(item)
        elif item.boundary is not None:
            out.append(b"(")
            todo.append(_multipart_tail(item, limits, extended))
            if item.children:
                todo.extend(reversed(item.children))
            else:
                out.append(_NOTHING + (b" NIL NIL NIL NIL)" if extended else b")"))
        elif item.message is not None:
            out.append(_basic(item) + b" " + envelope(item.message.fields, limits.addresses) + b" ")
            todo.append(b" %d" % item.lines + (_extension(item, limits) if extended else b")"))
            todo.append(item.message)
        else:
            out.append(_basic(item))
            if item.kind.startswith(b"text/"):
                out.append(b" %d" % item.lines)
            out.append(_extension(item, limits) if extended else b")")
    return b"".join(out)


def _basic(part: Entity) -> bytes:
    content = part.content
    params = content.params
    if not params and part.kind.startswith(b"text/") and content.get(b"charset") is None:
        params = ((b"charset", b"us-ascii"),)  # RFC 2045 §5.2
    fields = part.fields
    return b"(%b %b %b %b %b %b %d" % (
        nstring(content.type),
        nstring(content.subtype),
        _params(params),
        nstring(part.field(b"content-id")) if b"content-id" in fields else b"NIL",
        nstring(part.field(b"content-description")) if b"content-description" in fields else b"NIL",
        nstring(part.field(b"content-transfer-encoding"))
        if b"content-transfer-encoding" in fields
        else b'"7bit"',
        part.end - part.body_start,
    )


def _extension(part: Entity, limits: MimeLimits) -> bytes:
    """md5, disposition, language, location and the closing parenthesis."""
    return b" %b%b" % (nstring(part.field(b"content-md5")), _common_extension(part, limits))


def _multipart_tail(part: Entity, limits: MimeLimits, extended: bool) -> bytes:
    if not extended:
        return b" %b)" % nstring(part.content.subtype)
    return b" %b %b%b" % (
        nstring(part.content.subtype),
        _params(part.content.params),
        _common_extension(part, limits),
    )


def _common_extension(part: Entity, limits: MimeLimits) -> bytes:
    disposition = part.disposition(limits.parameters)
    return b" %b %b %b)" % (
        b"NIL"
        if not disposition.type
        else b"(%b %b)" % (nstring(disposition.type), _params(disposition.params)),
        _language(part.field(b"content-language")),
        nstring(part.field(b"content-location")),
    )


def _language(value: bytes | None) -> bytes:
    """A string list of the tags (RFC 3282 §2)."""
    if value is None:
        return b"NIL"
    tags = [tag for tag in (t.strip() for t in value.split(b",")) if tag]
    if not tags:
        return b"NIL"
    return b"(%b)" % b" ".join(nstring(tag) for tag in tags)


def _params(params: Params) -> bytes:
    if not params:
        return b"NIL"
    return b"(%b)" % b" ".join(b"%b %b" % (nstring(name), nstring(value)) for name, value in params)
