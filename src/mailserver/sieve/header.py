"""The header of a message or of one of its parts, as tests read it.

Spec: RFC 5228 §2.4.2.2, §2.7.2, §5.1.  Status: complete.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mailserver.mime.addresses import Budget, parse_addresses
from mailserver.mime.headers import FIELD, decode_words, split_fields, unfold

#: addresses that are read of one field
ADDRESSES = 2_000
#: fields that are looked for in a header before all of it is taken apart
LOOKED_FOR = 8


class Mailbox(NamedTuple):
    """One address of a field.  domain: "" where it has none; `whole` is what `:all` compares."""

    whole: str
    localpart: str
    domain: str


class Header:
    """The fields of one header, or of what a script has made of it.

    Names of fields are compared in lower case.  Whoever edits a header makes a new one, so that it can be shared.
    """

    __slots__ = (
        "_addresses",
        "_block",
        "_fields",
        "_folded",
        "_index",
        "_left",
        "_mailboxes",
        "_values",
        "_wholes",
    )

    def __init__(self, fields: list[tuple[bytes, bytes]] | None, block: bytes = b"") -> None:
        self._fields, self._block = fields, block
        self._folded = (
            b""  # a line end and the block in lower case, once somebody looks for a field
        )
        self._left = LOOKED_FOR
        self._index: dict[bytes, list[bytes]] | None = None
        self._values: dict[str, list[str]] = {}
        self._addresses: dict[str, list[list[Mailbox]]] = {}
        self._mailboxes: dict[str, list[Mailbox]] = {}
        self._wholes: dict[str, list[str]] = {}

    @classmethod
    def of(cls, block: bytes) -> "Header":
        """The header that *block* is; lines that belong to no field are left out."""
        return cls(None, block)

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """(name as written, the field as it stands) of every field, in order."""
        if self._fields is None:
            self._fields = split_fields(self._block)
        return self._fields

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
        return [_value(whole) for whole in self._named(name.encode())]

    def _named(self, name: bytes) -> Sequence[bytes]:
        """The fields with this name as they stand: looked for as long as few are asked for."""
        if self._index is None:
            if self._fields is None and self._left:
                self._left -= 1
                return self._found(name)
            self._index = _indexed(self.fields)
        return self._index.get(name, ())

    def _found(self, name: bytes) -> list[bytes]:
        """Every line that begins with a name and a colon begins a field."""
        if not self._folded:
            self._folded = b"\n" + self._block.lower()
        out, line = [], b"\n" + name
        at = self._folded.find(line)
        while at >= 0:
            m = FIELD.match(self._block, at)
            if m is not None and m[1] is not None and m[1].lower() == name:
                out.append(m[0])
            at = self._folded.find(line, at + 1)
        return out

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
