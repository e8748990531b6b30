"""The message as a script sees and edits it: header fields, addresses, parts; each is read when it is asked for.

Spec: RFC 5228 §2.4.2.2, §2.7.2, §5.1; RFC 5293 §3.  Status: complete.
"""

from collections.abc import Callable
from typing import NamedTuple

from mailserver.mime.addresses import Budget, parse_addresses
from mailserver.mime.decode import Octets
from mailserver.mime.headers import decode_words, split_fields, unfold
from mailserver.mime.layout import Part
from mailserver.sieve.edited import Edited

#: addresses that are read of one field
ADDRESSES = 2_000


class Mailbox(NamedTuple):
    """One address of a field.  domain: "" where it has none; `whole` is what `:all` compares."""

    whole: str
    localpart: str
    domain: str


class Message:
    """raw: all of it.      layout: gives its parts, when asked.

    Names of fields are compared in lower case.
    """

    __slots__ = ("_addresses", "_fields", "_index", "_layout", "_root", "is_edited", "raw", "size")

    def __init__(
        self, raw: Octets, header_size: int, size: int, layout: Callable[[], Part]
    ) -> None:
        self.raw, self.size = raw, size
        self._layout = layout
        self._root: Part | None = None
        self._fields = split_fields(raw[:header_size])
        self._index: dict[str, list[str]] | None = None
        self._addresses: dict[str, list[list[Mailbox]]] = {}
        self.is_edited = False

    @property
    def root(self) -> Part:
        """The message's parts; offsets count in *raw*."""
        if self._root is None:
            self._root = self._layout()
        return self._root

    def values(self, name: str) -> list[str]:
        """The values of all fields with this name in lower case, decoded, without white space at their ends."""
        if self._index is None:
            self._index = _indexed(self._fields)
        return self._index.get(name, [])

    def addresses(self, name: str) -> list[list[Mailbox]]:
        """Of each field with this name in lower case, in order, its mailboxes, those inside of groups among them."""
        found = self._addresses.get(name)
        if found is None:
            wanted = name.encode("latin-1", "replace")
            found = [
                read_addresses(_value(whole))
                for field, whole in self._fields
                if field.lower() == wanted
            ]
            self._addresses[name] = found
        return found

    # editing (RFC 5293)

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """(name as written, the field as it stands) of every field, in order."""
        return self._fields

    @fields.setter
    def fields(self, fields: list[tuple[bytes, bytes]]) -> None:
        self._fields, self._index, self.is_edited = fields, None, True
        self._addresses = {}

    def edited(self) -> Edited | None:
        """As it is now; None where it is as it came."""
        if not self.is_edited:
            return None
        return Edited(b"".join([_ended(whole) for _, whole in self._fields]) + b"\r\n")


def read_addresses(value: bytes) -> list[Mailbox]:
    """The mailboxes of an address list, groups opened; never fails."""
    out = []
    for found in parse_addresses(value, Budget(ADDRESSES)):
        if found.mailbox is None or found.domain is None:
            continue
        local = found.mailbox.decode(errors="replace")
        domain = found.domain.decode(errors="replace")
        out.append(Mailbox(f"{local}@{domain}", local, domain))
    return out


def _indexed(fields: list[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for name, whole in fields:
        out.setdefault(name.decode("latin-1").lower(), []).append(
            decode_words(_value(whole)).strip()
        )
    return out


def _value(whole: bytes) -> bytes:
    """A fold that goes on with a tab reads as a space: that is how most senders mean it."""
    value = whole[whole.index(b":") + 1 :]
    return unfold(value.replace(b"\n\t", b"\n ") if b"\n\t" in value else value)


def _ended(whole: bytes) -> bytes:
    return whole if whole.endswith(b"\n") else whole + b"\r\n"
