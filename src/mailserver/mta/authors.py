"""Who wrote a message, by its own account: the From and Sender fields.

Spec: RFC 5322 §3.6.2; RFC 7103 §7.5.1.  Status: complete.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from mailserver.base.errors import PeerError
from mailserver.mime.addresses import Budget, parse_addresses
from mailserver.mime.headers import FIELD, unfold
from mailserver.smtp.address import Address, parse_mailbox

MAX_ADDRESSES = 100  #: in one From or Sender
MAX_SIZE = 2_000  #: octets of one; below it the parser reads every word, so that nothing can hide behind its bounds
SHORT = 200  #: octets of one whose addresses are remembered
TOO_MUCH = f"more than {MAX_ADDRESSES} addresses or {MAX_SIZE} octets"

_MENTIONED = re.compile(rb"^(?:from|sender)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_NAMES = frozenset({b"from", b"sender"})


class Authors(NamedTuple):
    """What From and Sender say.

    addresses: all mailboxes in them, as they stand, each once.    broken: what stands there and is no address.
    first:     the first mailbox in From.
    """

    from_fields: int
    sender_fields: int
    addresses: tuple[Address, ...]
    broken: tuple[str, ...]
    first: Address | None = None


def count(header: bytes) -> Authors:
    """How many From and Sender fields there are, without a look at what they say."""
    text = b"\n" + header.lower()
    froms, senders = text.count(b"\nfrom:"), text.count(b"\nsender:")
    if froms + senders != text.count(b"\nfrom") + text.count(b"\nsender"):  # "From :", "From-X:"
        names = [m[0][:1].lower() for m in _MENTIONED.finditer(header)]
        froms, senders = names.count(b"f"), names.count(b"s")
    return Authors(froms, senders, (), ())


def read(header: bytes) -> Authors:
    """Everything that the From and Sender fields of *header* say."""
    froms = senders = 0
    found: dict[Address, None] = {}
    broken: list[str] = []
    first: Address | None = None
    for at in _lines(header):
        field = FIELD.match(header, at)
        if field is None or field[1] is None or (name := field[1].lower()) not in _NAMES:
            continue
        froms += name == b"from"
        senders += name == b"sender"
        value = unfold(field[2])
        addresses, others = (_known if len(value) <= SHORT else _mailboxes)(value[:MAX_SIZE])
        found |= dict.fromkeys(addresses)
        broken += others
        if len(value) > MAX_SIZE and TOO_MUCH not in others:
            broken.append(TOO_MUCH)
        if first is None and addresses and name == b"from":
            first = addresses[0]
    return Authors(froms, senders, tuple(found), tuple(broken), first)


def _lines(header: bytes) -> list[int]:
    """Where the lines of *header* begin that begin with one of the names, in their order."""
    text = b"\n" + header.lower()
    found = []
    for name in (b"\nfrom", b"\nsender"):
        at = text.find(name)
        while at >= 0:
            found.append(at)
            at = text.find(name, at + 1)
    return sorted(found)


def _mailboxes(value: bytes) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """The addresses in a field's body, and what stands there and is none."""
    found: list[Address] = []
    broken: list[str] = []
    addresses = parse_addresses(value, Budget(MAX_SIZE))
    if len(addresses) > MAX_ADDRESSES:
        broken.append(TOO_MUCH)
    for one in addresses[:MAX_ADDRESSES]:
        if one.mailbox is None or one.domain is None:
            continue  # the beginning or the end of a group
        try:
            found.append(_address(one.mailbox, one.domain))
        except (PeerError, UnicodeDecodeError):
            broken.append(f"{_text(one.mailbox)}@{_text(one.domain)}")
    return tuple(found), tuple(broken)


#: the same of short ones: a user's From is that of his mail before, and is asked for again when the mail is signed
_known = lru_cache(maxsize=1_000)(_mailboxes)


def _address(mailbox: bytes, domain: bytes) -> Address:
    try:
        return parse_mailbox(f"{mailbox.decode()}@{domain.decode()}")
    except PeerError:  # a local part that ENVELOPE shows without its quotes
        return parse_mailbox(str(Address(mailbox.decode(), domain.decode())))


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")
