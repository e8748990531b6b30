r"""IMAP's ENVELOPE, and strings as IMAP writes them.

Spec: RFC 3501 §4.3, §7.4.2; RFC 9051 §7.5.2.  Status: complete.
"""

import re
from collections.abc import Mapping

from mailserver.mime.addresses import Address, parse_addresses
from mailserver.mime.headers import unfold

Fields = Mapping[bytes, list[bytes]]

_QUOTABLE = re.compile(rb"[ !#-\[\]-~]*")  # needs no escape
_NEEDS_LITERAL = re.compile(rb"[^ -~]")
_ESCAPED = re.compile(rb'(["\\])')


def nstring(value: bytes | None) -> bytes:
    r"""NIL, a quoted string, or a literal {n}\r\n where octets above 126 or controls ask for one."""
    if value is None:
        return b"NIL"
    if _QUOTABLE.fullmatch(value) is not None:
        return b'"%b"' % value
    if _NEEDS_LITERAL.search(value) is None:
        return b'"%b"' % _ESCAPED.sub(rb"\\\1", value)
    value = value.replace(b"\0", b"")
    return b"{%d}\r\n%b" % (len(value), value)


def address_list(addresses: list[Address]) -> bytes:
    """NIL or the parenthesised list of address structures."""
    if not addresses:
        return b"NIL"
    return b"(%b)" % b"".join(
        b"(%b %b %b %b)"
        % (nstring(a.name), nstring(a.route), nstring(a.mailbox), nstring(a.domain))
        for a in addresses
    )


def field_addresses(fields: Fields, name: bytes, limit: int) -> list[Address]:
    """The addresses of all fields of this name, as if they stood in one (RFC 7103 §7.5.1)."""
    found: list[Address] = []
    for value in fields.get(name, ()):
        found.extend(parse_addresses(value, limit - len(found)))
    return found


def envelope(fields: Fields, limit: int) -> bytes:
    """The ENVELOPE of a header; *limit* bounds the addresses of one field."""
    sender_list = [
        address_list(field_addresses(fields, name, limit))
        for name in (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
    ]
    from_ = sender_list[0]
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(_text(fields, b"date")),
        nstring(_text(fields, b"subject")),
        from_,
        from_ if sender_list[1] == b"NIL" else sender_list[1],
        from_ if sender_list[2] == b"NIL" else sender_list[2],
        sender_list[3],
        sender_list[4],
        sender_list[5],
        nstring(_text(fields, b"in-reply-to")),
        nstring(_text(fields, b"message-id")),
    )


def _text(fields: Fields, name: bytes) -> bytes | None:
    values = fields.get(name)
    return None if values is None else unfold(values[0])
