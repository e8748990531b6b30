"""Lists of senders and other texts, as people write their entries and as filters ask for them; address books.

Spec: RFC 6134 §2.2, §2.5, §2.6, §2.7; RFC 4151 §2.1.  Status: complete.

An entry is an address, "@example.org" for everybody there, "@.example.org" for everybody in the domains below it, or
any other text.  A filter names a list `tag:mailserver,2026:NAME`, which means the lists of this name of the user, of
his domain and of the server together; `tag:alice@example.org,2026:NAME` and `tag:example.org,2026:NAME` are those of
the user or of the domain alone.  `:addrbook:default` and `:addrbook:NAME` are the user's address books.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from mailserver.base.errors import Cannot, PeerError
from mailserver.base.ids import ListId
from mailserver.directory.addresses import fold, parse
from mailserver.sieve.environment import ADDRESS_BOOK, BOOKS, Lists
from mailserver.sieve.header import read_addresses
from mailserver.smtp.address import parse_domain
from mailserver.store.contacts import AddressBook
from mailserver.store.scripts import Owner
from mailserver.store.tx import Read
from mailserver.store.values import Account

ALLOW, BLOCK = (
    "allow",
    "block",
)  #: lists of senders; every user, domain and server has them, empty at first
ANYBODY = "mailserver"  #: the authority of a tag that means user, domain and server

_TAG = re.compile(r"tag:([^,/]{1,320}),([0-9]{4}(?:-[0-9]{2}){0,2}):([^#?]{1,200})", re.IGNORECASE)
_LABELS = 20  # of a domain, for which "@." is looked up


def entry(list_: str, text: str) -> str:
    """The entry that somebody typed, as it is kept.  Raises Cannot for what is no sender in a list of senders."""
    text = " ".join(text.split())
    is_senders = list_ in (ALLOW, BLOCK)
    if is_senders and "@" not in text:
        text = f"@{text.removeprefix('*')}"
    text = text.removeprefix("*") if text.startswith("*@") else text
    if text.startswith("@"):
        below = "." if text[1:].startswith(("*.", ".")) else ""
        try:
            return f"@{below}{parse_domain(text[1:].removeprefix('*').removeprefix('.'))}"
        except PeerError:
            pass
    elif "@" in text:
        try:
            return str(parse(text))
        except Cannot:
            pass
    if is_senders or not text.isprintable():
        raise Cannot(
            f"{text[:100]!r} is no sender: bob@example.org, @example.org for everybody there,"
            " @.example.org for everybody in the domains below it"
        )
    return fold(text)


def candidates(value: str) -> list[str]:
    """The entries that would match *value*: itself, its domain, those above; of a header field also its addresses."""
    out = [fold(value.strip())]
    for local, domain in _addresses(value):
        labels = domain.split(".")[1 : _LABELS + 1]
        above = [".".join(labels[n:]) for n in range(len(labels))]
        out += [f"{local}@{domain}", f"@{domain}", *(f"@.{name}" for name in above)]
    return list(dict.fromkeys(out))


def addresses_in(value: str) -> list[str]:
    """*value*, if it is an address, or the addresses of a header field, as the directory spells them."""
    return list(dict.fromkeys(f"{local}@{domain}" for local, domain in _addresses(value)))


def _addresses(value: str) -> Iterator[tuple[str, str]]:
    text = fold(value.strip())
    texts = [text]
    if any(mark in text for mark in '<,"('):
        texts += [found.whole for found in read_addresses(text.encode(errors="replace"))]
    for address in texts:
        local, at, domain = address.rpartition("@")
        if not at or not local or not domain:
            continue
        try:
            domain = parse_domain(domain)
        except PeerError:
            continue
        yield local, domain


class AccountLists(Lists):
    """The lists that the scripts of *account* can ask for."""

    __slots__ = ("_account", "_books", "_found", "_tx")

    def __init__(self, tx: Read, account: Account) -> None:
        self._tx, self._account = tx, account
        self._found: dict[str, Sequence[ListId] | None] = {}
        self._books: dict[str, AddressBook | None] = {}

    def is_known(self, name: str) -> bool:
        """Whether one of those that *name* stands for is there; lists of senders and the default book always are."""
        if name.startswith(BOOKS):
            return name == ADDRESS_BOOK or self._book(name) is not None
        return self._lists(name) is not None

    def find(self, name: str, values: Sequence[str]) -> str | None:
        """The entry that one of *values* matches; in address books, the address that is in or among them."""
        if name.startswith(BOOKS):
            book = self._book(name)
            addresses = [address for value in values for address in addresses_in(value)]
            return None if book is None else self._tx.contacts.match(book.id, addresses)
        texts = [text for value in values for text in candidates(value)]
        return self._tx.lists.match(self._lists(name) or (), texts)

    def members(self, name: str, most: int) -> Sequence[str]:
        """At most *most* entries, those of several lists once."""
        if name.startswith(BOOKS):
            book = self._book(name)
            return () if book is None else self._tx.contacts.members(book.id, most)
        out: dict[str, None] = {}
        for list_ in self._lists(name) or ():
            out |= dict.fromkeys(e.text for e in self._tx.lists.entries(list_, most=most))
        return tuple(out)[:most]

    def _book(self, name: str) -> AddressBook | None:
        if name not in self._books:
            is_default, written = name == ADDRESS_BOOK, name[len(BOOKS) :]
            book = "" if is_default else unicodedata.normalize("NFC", written)
            is_one = is_default or bool(book)
            self._books[name] = self._tx.contacts.find(self._account.id, book) if is_one else None
        return self._books[name]

    def _lists(self, name: str) -> Sequence[ListId] | None:
        """Those that *name* stands for; None where it stands for none."""
        if name not in self._found:
            self._found[name] = self._look_up(name)
        return self._found[name]

    def _look_up(self, name: str) -> Sequence[ListId] | None:
        m = _TAG.fullmatch(name)
        if m is None:
            return None
        account, authority = self._account, fold(m[1])
        user, domain = Owner(account=account.id), Owner(domain=account.domain_id)
        owners = {
            ANYBODY: (user, domain, Owner()),
            account.address: (user,),
            account.domain: (domain,),
        }.get(authority, ())
        found = [self._tx.lists.find(owner, m[3]) for owner in owners]
        lists = [one for one in found if one is not None]
        return lists if lists or (owners and m[3] in (ALLOW, BLOCK)) else None
