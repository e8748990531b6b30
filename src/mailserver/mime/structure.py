"""BODY and BODYSTRUCTURE as text for the wire, both in one walk.

Spec: RFC 3501 §7.4.2; RFC 9051 §7.5.2; RFC 2231 §3; RFC 3282 §2; RFC 1864 §2; RFC 2557 §4.2.  Status: complete.
Deviates: RFC 9051 §7.5.2: a parameter in RFC 2231 §4 form is sent undecoded as "name*", as clients of IMAP4rev1 expect;
message/global has no envelope in it, for IMAP4rev1 knows that only of message/rfc822 (RFC 3501 §9, body-type-msg).
"""

from functools import lru_cache

from mailserver.base.limits import MimeLimits
from mailserver.mime.addresses import Budget
from mailserver.mime.entity import Entity
from mailserver.mime.envelope import address_lists, envelope, nstring
from mailserver.mime.parameters import Params, Value, leading_word

_SHORT = 80  # octets of a type, or of a parameter, that is remembered
_US_ASCII = ((b"charset", b"us-ascii"),)


def structures(root: Entity, limits: MimeLimits) -> tuple[bytes, bytes]:
    """(BODY, BODYSTRUCTURE) of the tree; iterative.  Embedded messages together show limits.addresses addresses."""
    body: list[bytes] = []
    extended: list[bytes] = []
    addresses = Budget(limits.addresses)
    todo: list[Entity | tuple[bytes, bytes]] = [root]
    while todo:
        item = todo.pop()
        if isinstance(item, tuple):
            body.append(item[0])
            extended.append(item[1])
            continue
        if item.boundary is not None:
            body.append(b"(")
            extended.append(b"(")
            todo.append(_multipart_tail(item, limits))
            todo.extend(reversed(item.children))
            continue
        basic = _basic(item)
        extension = _extension(item, limits)
        if item.message is not None and item.kind == b"message/rfc822":
            lists = address_lists(item.message.fields, limits.addresses, addresses)
            basic = b"%b %b " % (basic, envelope(item.message.fields, lists))
            body.append(basic)
            extended.append(basic)
            lines = b" %d" % item.lines
            todo.append((lines + b")", lines + extension))
            todo.append(item.message)
        else:
            if item.kind.startswith(b"text/"):
                basic += b" %d" % item.lines
            body.append(basic + b")")
            extended.append(basic + extension)
    return b"".join(body), b"".join(extended)


def _basic(part: Entity) -> bytes:
    fields = part.fields
    is_text = part.kind.startswith(b"text/")
    return b"(%b %b %b %b %d" % (
        (_usual_type if _is_usual(part) else _type)(part.content, is_text),
        nstring(part.field(b"content-id")) if b"content-id" in fields else b"NIL",
        nstring(part.field(b"content-description")) if b"content-description" in fields else b"NIL",
        nstring(part.encoding()),
        part.end - part.body_start,
    )


def _type(content: Value, is_text: bool) -> bytes:
    """Type, subtype and parameters."""
    params = content.params
    if is_text and content.get(b"charset") is None:
        params += _US_ASCII  # RFC 2045 §5.2, RFC 2046 §4.1.2
    return b"%b %b %b" % (nstring(content.type), nstring(content.subtype), _params(params))


_usual_type = lru_cache(maxsize=256)(_type)  # most parts have one of very few


def _is_usual(part: Entity) -> bool:
    """Whether it takes little to remember its type."""
    params = part.content.params
    return len(part.kind) <= _SHORT and (
        not params or (len(params) == 1 and len(params[0][1]) <= _SHORT)
    )


def _extension(part: Entity, limits: MimeLimits) -> bytes:
    """md5, disposition, language, location and the closing parenthesis."""
    return b" %b%b" % (nstring(part.field(b"content-md5")), _common_extension(part, limits))


def _multipart_tail(part: Entity, limits: MimeLimits) -> tuple[bytes, bytes]:
    subtype = nstring(part.content.subtype)
    params = _params(part.content.params)
    return (
        b" %b)" % subtype,
        b" %b %b%b" % (subtype, params, _common_extension(part, limits)),
    )


def _common_extension(part: Entity, limits: MimeLimits) -> bytes:
    fields = part.fields
    shown = b"NIL"
    if b"content-disposition" in fields:
        disposition = part.disposition(limits.parameters)
        if disposition.type:
            shown = b"(%b %b)" % (nstring(disposition.type), _params(disposition.params))
    return b" %b %b %b)" % (
        shown,
        _language(part.field(b"content-language"), limits.parameters),
        nstring(part.field(b"content-location")),
    )


def _language(value: bytes | None, limit: int) -> bytes:
    """The tags without comments, at most *limit*."""
    if value is None:
        return b"NIL"
    words = (leading_word(tag) for tag in value.split(b",", limit)[:limit])
    tags = [nstring(word[0]) for word in words if word is not None]
    return b"(%b)" % b" ".join(tags) if tags else b"NIL"


def _params(params: Params) -> bytes:
    if not params:
        return b"NIL"
    return b"(%b)" % b" ".join(
        [b"%b %b" % (nstring(name), nstring(value)) for name, value in params]
    )
