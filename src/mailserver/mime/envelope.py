r"""IMAP's ENVELOPE, and strings as IMAP writes them.

Spec: RFC 3501 §4.3, §7.4.2; RFC 9051 §7.5.2; RFC 7103 §7.5.1.  Status: complete.
"""

import re

from mailserver.mime.addresses import Address, Budget, parse_addresses
from mailserver.mime.entity import Fields
from mailserver.mime.headers import unfold

AddressLists = dict[bytes, list[Address]]

_ADDRESS_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
_LONGEST = 4_000  # octets of a quoted string; some clients read lines into buffers
_QUOTABLE = re.compile(rb"[\t !#-\[\]-~]{0,%d}+" % _LONGEST)
_LITERAL = re.compile(rb"[^\t -~]")
_SPECIAL = re.compile(rb'(["\\])')


def nstring(value: bytes | None) -> bytes:
    r"""NIL, a quoted string, or a literal {n}\r\n where octets above 126, controls or the length ask for one."""
    if value is None:
        return b"NIL"
    if _QUOTABLE.fullmatch(value) is not None:
        return b'"' + value + b'"'
    if len(value) <= _LONGEST and _LITERAL.search(value) is None:
        return b'"%b"' % _SPECIAL.sub(rb"\\\1", value)
    value = value.replace(b"\0", b"")
    return b"{%d}\r\n%b" % (len(value), value)


def address_list(addresses: list[Address] | None) -> bytes:
    """NIL or the parenthesised list of address structures."""
    if not addresses:
        return b"NIL"
    return b"(%b)" % b"".join(
        [
            b"(%b %b %b %b)"
            % (
                b"NIL" if name is None else nstring(name),
                b"NIL" if route is None else nstring(route),
                nstring(mailbox),
                nstring(domain),
            )
            for name, route, mailbox, domain in addresses
        ]
    )


def address_lists(fields: Fields, limit: int, shared: Budget | None = None) -> AddressLists:
    """The parsed address fields by name, at most *limit* addresses of each, or what *shared* still gives for all.

    Several fields of one name are read as if they stood in one (RFC 7103 §7.5.1).
    """
    lists: AddressLists = {}
    for name in _ADDRESS_FIELDS:
        values = fields.get(name)
        if values is not None:
            budget = Budget(limit) if shared is None else shared
            found: list[Address] = []
            for value in values:
                found.extend(parse_addresses(unfold(value), budget))
            lists[name] = found
    return lists


def envelope(fields: Fields, lists: AddressLists) -> bytes:
    """The ENVELOPE of a header whose address fields are parsed.

    Of several Date, Subject, In-Reply-To or Message-ID fields the last counts: it is the one that a signature
    covers first (RFC 6376 §5.4.2), what was put on top later does not replace it.
    """
    get = lists.get
    sender = address_list(get(b"from"))
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(last(fields, b"date")),
        nstring(last(fields, b"subject")),
        sender,
        address_list(get(b"sender")) if get(b"sender") else sender,
        address_list(get(b"reply-to")) if get(b"reply-to") else sender,
        address_list(get(b"to")),
        address_list(get(b"cc")),
        address_list(get(b"bcc")),
        nstring(last(fields, b"in-reply-to")),
        nstring(last(fields, b"message-id")),
    )


def last(fields: Fields, name: bytes) -> bytes | None:
    """The last field of this name, unfolded; None without one, "" where it is empty (RFC 9051 §7.5.2)."""
    values = fields.get(name)
    return None if values is None else unfold(values[-1])
