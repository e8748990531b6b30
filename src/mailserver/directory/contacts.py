"""Contacts: cards on their way into address books, as files and people bring them.

Spec: RFC 6352 §5.1; RFC 6350 §6.7.6.  Status: complete.
"""

import hashlib
import unicodedata
import uuid
from collections.abc import Sequence

from mailserver.base.errors import AlreadyExists, Cannot, NotFound
from mailserver.base.ids import CardId
from mailserver.base.limits import ContactLimits
from mailserver.directory.accounts import check_name
from mailserver.directory.addresses import parse, shown
from mailserver.ical import vcard, writing
from mailserver.smtp.address import Address
from mailserver.store.contacts import AddressBook, NewCard
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account


def card_of(octets: bytes, limits: ContactLimits, line: int = 1) -> NewCard:
    """The card that *octets* are, octet for octet; it is given a UID if it has none, always the same one.

    line: of the file where it begins.  Raises PeerError.
    """
    card = vcard.read(octets, limits, line)
    uid = card.uid
    if not uid:
        uid = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(octets).hexdigest())}"
        octets = writing.with_uid(octets, uid)
    return NewCard(uid, card.name, card.kind, _known(card.emails), octets)


def _known(emails: Sequence[str]) -> list[str]:
    """As the directory spells them; what is no address is in the card, but nobody writes from it."""
    found = []
    for email in emails:
        try:
            found.append(str(parse(email)))
        except Cannot:
            continue
    return found


def book_name(name: str) -> str:
    """How a book that somebody calls *name* is called; "" is the default one."""
    return "" if name.casefold() == "default" else unicodedata.normalize("NFC", name)


def add(
    tx: Write, account: Account, book: AddressBook, address: Address, name: str, uid: str
) -> NewCard:
    """The new card of somebody.  Raises AlreadyExists where the book has the address; Cannot, LimitReached."""
    check_name(name)
    if tx.contacts.with_address(book.id, str(address)):
        raise AlreadyExists(f"{address} is in {book.name} of {account.address} already")
    octets = writing.made(uid, name or str(address), [str(address)])
    card = NewCard(uid, name or str(address), vcard.INDIVIDUAL, [str(address)], octets)
    tx.contacts.put(book, card)
    return card


def named(tx: Read, book: AddressBook, text: str) -> CardId:
    """The card with this address or UID.  Raises NotFound, Cannot where several have the address."""
    found = tx.contacts.with_uid(book.id, text)
    if found is not None:
        return found
    try:
        cards = tx.contacts.with_address(book.id, str(parse(text)))
    except Cannot:
        cards = []
    if not cards:
        raise NotFound(f"no card with the address or UID {shown(text)} in {book.name}")
    if len(cards) > 1:
        raise Cannot(f"{len(cards)} cards have the address {shown(text)}: name one by its UID")
    return cards[0]
