"""The header of a message or of one of its parts, as tests read it.

Spec: RFC 5228 §2.4.2.2, §2.7.2, §5.1.  Status: complete.
"""

from typing import NamedTuple

from mailserver.mime.addresses import Budget, parse_addresses
from mailserver.mime.headers import decode_words, split_fields, unfold

#: addresses that are read of one field
ADDRESSES = 2_000


class Mailbox(NamedTuple):
    """One address of a field.  domain: "" where it has none; `whole` is what `:all` compares."""

    whole: str
    localpart: str
    domain: str


class Header:
    """fields: (name as written, the field as it stands) of every field, in order.

    Names of fields are compared in lower case.  Whoever edits a header makes a new one.
    """

    __slots__ = ("_addresses", "_index", "_mailboxes", "_values", "_wholes", "fields")

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        self.fields = fields
        self._index: dict[bytes, list[bytes]] | None = None
        self._values: dict[str, list[str]] = {}
        self._addresses: dict[str, list[list[Mailbox]]] = {}
        self._mailboxes: dict[str, list[Mailbox]] = {}
        self._wholes: dict[str, list[str]] = {}

    @classmethod
    def of(cls, block: bytes) -> "Header":
        """The header that *block* is; lines that belong to no field are left out."""
        return cls(split_fields(block))

    def values(self, name: str) -> list[str]:
        """The values of all fields with this name in lower case, decoded, without white space at their ends."""
        found = self._values.get(name)
        if found is None:
            found = [decode_words(value).strip() for value in self.octets(name)]
            self._values[name] = found
        return found

    def addresses(self, name: str) -> list[list[Mailbox]]:
        """Of each field with this name in lower case, in order, its mailboxes, those inside of groups among them."""
        found = self._addresses.get(name)
        if found is None:
            found = [read_addresses(value) for value in self.octets(name)]
            self._addresses[name] = found
        return found

    def mailboxes(self, name: str) -> list[Mailbox]:
        """Those of all fields with this name in lower case."""
        found = self._mailboxes.get(name)
        if found is None:
            found = [mailbox for field in self.addresses(name) for mailbox in field]
            self._mailboxes[name] = found
        return found

    def wholes(self, name: str) -> list[str]:
        """The same as texts, which is how they are compared most often."""
        found = self._wholes.get(name)
        if found is None:
            found = [mailbox.whole for mailbox in self.mailboxes(name)]
            self._wholes[name] = found
        return found

    def octets(self, name: str) -> list[bytes]:
        """The values of all fields with this name in lower case, unfolded and not decoded."""
        if not name.isascii():  # no field is called that (RFC 5322 §2.2)
            return []
        if self._index is None:
            self._index = _indexed(self.fields)
        return [_value(whole) for whole in self._index.get(name.encode(), ())]

    def block(self) -> bytes:
        """All of it with its empty line."""
        return b"".join([_ended(whole) for _, whole in self.fields]) + b"\r\n"


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


def _indexed(fields: list[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    out: dict[bytes, list[bytes]] = {}
    for name, whole in fields:
        out.setdefault(name.lower(), []).append(whole)
    return out


def _value(whole: bytes) -> bytes:
    """A fold that goes on with a tab reads as a space: that is how most senders mean it."""
    value = whole[whole.index(b":") + 1 :]
    return unfold(value.replace(b"\n\t", b"\n ") if b"\n\t" in value else value)


def _ended(whole: bytes) -> bytes:
    return whole if whole.endswith(b"\n") else whole + b"\r\n"
