"""Address books and their cards, each kept octet for octet, and found again by UID, name and mail address.

Spec: RFC 6352 §5.1, §5.2; RFC 6578 §3.1.  Status: complete for what the command line and filters ask.

What changes carries the account's modseq, and a card that goes leaves a tombstone: CardDAV's sync-token and JMAP's
states will be read from these.
"""

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

import apsw

from mailserver.base.errors import Cannot, LimitReached, NotFound, OverQuota
from mailserver.base.ids import AccountId, AddressBookId, CardId, ModSeq
from mailserver.base.limits import ContactLimits
from mailserver.store.database import Database, Row
from mailserver.store.journal import Journal
from mailserver.store.patterns import like

FIRST_BOOK = "Contacts"  #: the name that a default book is made with
DEFAULT = "default"  #: what filters call it (RFC 6134 §2.6), so no book has this name
NAME_SIZE = 200  #: octets of a book's name
PURGED = 50  #: cards that are purged at once: some have pictures


class AddressBook(NamedTuple):
    """size: octets of all its cards.    modseq: of the latest change of anything in it."""

    id: AddressBookId
    account: AccountId
    name: str
    is_default: bool
    cards: int
    size: int
    modseq: ModSeq


class NewCard(NamedTuple):
    """A card as it is put.  addresses: as the directory spells them."""

    uid: str
    name: str
    kind: str
    addresses: Sequence[str]
    vcard: bytes


class Card(NamedTuple):
    """A card as lists show it."""

    id: CardId
    uid: str
    name: str
    kind: str
    size: int
    modseq: ModSeq
    changed_at: int
    addresses: tuple[str, ...]


class Put(Enum):
    """What putting a card did."""

    NEW, CHANGED, SAME = range(3)


class Contacts:
    """All address books.  Invariants: a UID is in a book once; a book knows how many cards and octets it has."""

    __slots__ = ("_db", "_journal", "_limits")

    def __init__(self, db: Database, journal: Journal, limits: ContactLimits) -> None:
        self._db, self._journal, self._limits = db, journal, limits

    # reading

    def books(self, account: AccountId) -> list[AddressBook]:
        """All of the account's, by name."""
        rows = self._db.rows(
            f"{_BOOK} WHERE account_id = ? AND name IS NOT NULL ORDER BY name", (account,)
        )
        return [_book(row) for row in rows]

    def find(self, account: AccountId, name: str) -> AddressBook | None:
        """The book of this name; "": the default one."""
        return (
            self._found("account_id = ? AND name = ?", account, name)
            if name
            else self._default(account)
        )

    def get(self, account: AccountId, name: str) -> AddressBook:
        """The same.  Raises NotFound."""
        found = self.find(account, name)
        if found is None:
            raise NotFound(
                f"There is no address book {name}." if name else "There are no contacts."
            )
        return found

    def cards(
        self,
        book: AddressBookId,
        pattern: str = "*",
        after: tuple[str, CardId] = ("", CardId(0)),
        most: int = 1_000,
    ) -> list[Card]:
        """At most *most* whose name or an address is like *pattern*, by name.

        after: name and id of the one that they come after.
        """
        wanted = like(pattern.casefold())
        rows = self._db.rows(
            "SELECT id, uid, name, kind, size, modified_modseq, changed_at FROM card"
            " WHERE book_id = ?1 AND (sort_name, id) > (?2, ?3) AND (?4 = '%' OR sort_name LIKE ?4 ESCAPE '\\'"
            " OR EXISTS (SELECT 1 FROM card_address WHERE card_id = id AND address LIKE ?4 ESCAPE '\\'))"
            " ORDER BY sort_name, id LIMIT ?5",
            (book, after[0].casefold(), after[1], wanted, most),
        )
        addresses = self._addresses([row[0] for row in rows])
        return [Card._make((*row, tuple(addresses.get(row[0], ())))) for row in rows]

    def with_address(self, book: AddressBookId, address: str) -> list[CardId]:
        """The cards with this address."""
        return [
            CardId(id_)
            for (id_,) in self._db.rows(
                "SELECT DISTINCT card_id FROM card_address WHERE book_id = ? AND address = ?",
                (book, address),
            )
        ]

    def with_uid(self, book: AddressBookId, uid: str) -> CardId | None:
        """The card with this UID."""
        rows = self._db.rows("SELECT id FROM card WHERE book_id = ? AND uid = ?", (book, uid))
        return CardId(rows[0][0]) if rows else None

    def vcard(self, card: CardId) -> bytes:
        """The card as it was given.  Raises NotFound."""
        rows = self._db.rows("SELECT vcard FROM card WHERE id = ?", (card,))
        if not rows:
            raise NotFound("There is no such card.")
        return bytes(rows[0][0])

    def match(self, book: AddressBookId, addresses: Sequence[str]) -> str | None:
        """The first of *addresses* that a card of the book has."""
        if not addresses:
            return None
        found = {
            address
            for (address,) in self._db.rows(
                "SELECT address FROM card_address WHERE book_id = ? AND address IN carray(?)",
                (book, apsw.carray(tuple(addresses))),
            )
        }
        return next((address for address in addresses if address in found), None)

    def members(self, book: AddressBookId, most: int) -> list[str]:
        """At most *most* addresses that are in the book."""
        return [
            address
            for (address,) in self._db.rows(
                "SELECT DISTINCT address FROM card_address WHERE book_id = ? ORDER BY address LIMIT ?",
                (book, most),
            )
        ]

    # changing

    def make(self, account: AccountId, name: str = "") -> AddressBook:
        """The book of this name, which is there from now on; "": the default one.

        Raises Cannot, LimitReached; NotFound for an account that is gone.
        """
        found = self.find(account, name)
        if found is not None:
            return found
        if not self._db.rows(
            "SELECT 1 FROM account WHERE id = ? AND domain_id IS NOT NULL", (account,)
        ):
            raise NotFound("No such account.")
        is_default = not name
        name = name or self._free_name(account)
        check_name(name)
        ((count,),) = self._db.rows(
            "SELECT count(*) FROM address_book WHERE account_id = ? AND name IS NOT NULL",
            (account,),
        )
        if count >= self._limits.books:
            raise LimitReached(f"There may be {self._limits.books} address books.")
        modseq = self._journal.modseq(self._db, account)
        self._db.run(
            "INSERT INTO address_book (account_id, name, is_default, modseq, created_modseq, modified_modseq)"
            " VALUES (?1, ?2, ?3, ?4, ?4, ?4)",
            (account, name, is_default, modseq),
        )
        return self.get(account, name)

    def remove(self, account: AccountId, name: str) -> None:
        """Takes the book with all its cards out of sight and begins to purge it.  Raises NotFound."""
        book = self.get(account, name)
        self._journal.modseq(self._db, account)
        self._db.run("UPDATE address_book SET name = NULL, is_default = 0 WHERE id = ?", (book.id,))
        self._journal.has_purge = True

    def put(self, book: AddressBook, card: NewCard) -> Put:
        """The card is in the book; one with its UID gives way to it.

        Raises LimitReached for too many cards, OverQuota for too many octets; nothing has changed then.
        """
        digest, size = hashlib.sha256(card.vcard).digest(), len(card.vcard)
        rows = self._db.rows(
            "SELECT id, size, digest FROM card WHERE book_id = ? AND uid = ?", (book.id, card.uid)
        )
        if rows and bytes(rows[0][2]) == digest:
            return Put.SAME
        self._check_room(book, more=not rows, octets=size - (rows[0][1] if rows else 0))
        modseq = self._journal.modseq(self._db, book.account)
        values = (
            *(card.name, card.name.casefold(), card.kind, size, digest),
            *(modseq, self._journal.now, card.vcard),
        )
        if rows:
            id_, was = rows[0][:2]
            self._db.run(
                "UPDATE card SET name = ?, sort_name = ?, kind = ?, size = ?, digest = ?, modified_modseq = ?,"
                " changed_at = ?, vcard = ? WHERE id = ?",
                (*values, id_),
            )
            self._db.run("DELETE FROM card_address WHERE card_id = ?", (id_,))
        else:
            was = 0
            ((id_,),) = self._db.rows(
                "INSERT INTO card (name, sort_name, kind, size, digest, modified_modseq, changed_at, vcard, book_id,"
                " uid, created_modseq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (*values, book.id, card.uid, modseq),
            )
        self._db.run_many(
            "INSERT INTO card_address (card_id, position, book_id, address) VALUES (?, ?, ?, ?)",
            [(id_, n, book.id, one) for n, one in enumerate(dict.fromkeys(card.addresses))],
        )
        self._count(book.id, modseq, more=0 if rows else 1, octets=size - was)
        return Put.CHANGED if rows else Put.NEW

    def take(self, book: AddressBook, card: CardId) -> None:
        """The card is gone, and leaves a tombstone.  Raises NotFound."""
        rows = self._db.rows(
            "SELECT uid, size, created_modseq FROM card WHERE id = ? AND book_id = ?",
            (card, book.id),
        )
        if not rows:
            raise NotFound("There is no such card.")
        uid, size, created = rows[0]
        modseq = self._journal.modseq(self._db, book.account)
        self._db.run("DELETE FROM card WHERE id = ?", (card,))
        self._db.run(
            "INSERT INTO card_gone (book_id, modseq, card_id, uid, created_modseq) VALUES (?, ?, ?, ?, ?)",
            (book.id, modseq, card, uid, created),
        )
        self._count(book.id, modseq, more=-1, octets=-size)

    # for purging

    def forget(self, account: AccountId) -> None:
        """For the removal of an account: its books are out of sight, their cards wait to be purged."""
        self._db.run(
            "UPDATE address_book SET name = NULL, is_default = 0 WHERE account_id = ?", (account,)
        )

    def has_removed(self) -> bool:
        """A removed book is still there."""
        return bool(
            self._db.rows(
                "SELECT 1 FROM address_book INDEXED BY address_book_removed WHERE name IS NULL LIMIT 1"
            )
        )

    def drain(self, most: int) -> int:
        """How many rows of removed books were purged, about *most* at most; fewer when nothing is left."""
        done = 0
        for (book,) in self._db.rows(
            "SELECT id FROM address_book INDEXED BY address_book_removed WHERE name IS NULL ORDER BY id LIMIT ?",
            (most,),
        ):
            for sql, share in (
                (
                    "DELETE FROM card WHERE id IN (SELECT id FROM card WHERE book_id = ? LIMIT ?) RETURNING 1",
                    PURGED,
                ),
                (
                    "DELETE FROM card_gone WHERE book_id = ?1 AND (modseq, card_id) IN (SELECT modseq, card_id"
                    " FROM card_gone WHERE book_id = ?1 ORDER BY modseq, card_id LIMIT ?2) RETURNING 1",
                    most,
                ),
            ):
                gone = len(self._db.rows(sql, (book, min(share, max(most - done, 0)))))
                done += gone
                if done >= most or gone >= share:
                    return most
            self._db.run("DELETE FROM address_book WHERE id = ?", (book,))
            done += 1
        return done

    # helpers

    def _default(self, account: AccountId) -> AddressBook | None:
        return self._found("account_id = ? AND is_default = 1", account)

    def _found(self, where: str, *values: int | str) -> AddressBook | None:
        rows = self._db.rows(f"{_BOOK} WHERE {where}", values)
        return _book(rows[0]) if rows else None

    def _free_name(self, account: AccountId) -> str:
        """FIRST_BOOK, or with a number where somebody has called another book that."""
        names = {book.name for book in self.books(account)}
        numbered = (f"{FIRST_BOOK} {n}" for n in range(2, len(names) + 3))
        return next(name for name in (FIRST_BOOK, *numbered) if name not in names)

    def _addresses(self, cards: Sequence[int]) -> Mapping[int, list[str]]:
        found: dict[int, list[str]] = {}
        if not cards:
            return found
        for card, address in self._db.rows(
            "SELECT card_id, address FROM card_address WHERE card_id IN carray(?) ORDER BY card_id, position",
            (apsw.carray(array("q", cards)),),
        ):
            found.setdefault(card, []).append(address)
        return found

    def _check_room(self, book: AddressBook, *, more: bool, octets: int) -> None:
        rows = self._db.rows(
            "SELECT sum(size), sum(iif(id = ?, cards, 0)) FROM address_book"
            " WHERE account_id = ? AND name IS NOT NULL",
            (book.id, book.account),
        )
        ((size, cards),) = rows
        if more and cards >= self._limits.cards:
            raise LimitReached(f"An address book may have {self._limits.cards} cards.")
        if octets > 0 and size + octets > self._limits.size:
            raise OverQuota(f"All cards of a user may have {self._limits.size} octets.")

    def _count(self, book: AddressBookId, modseq: ModSeq, *, more: int, octets: int) -> None:
        self._db.run(
            "UPDATE address_book SET cards = cards + ?, size = size + ?, modseq = ? WHERE id = ?",
            (more, octets, modseq, book),
        )


def check_name(name: str) -> None:
    """Raises Cannot for what cannot be the name of an address book."""
    if not 0 < len(name.encode(errors="replace")) <= NAME_SIZE or not name.isprintable():
        raise Cannot(f"An address book's name has 1 to {NAME_SIZE} octets that can be printed.")
    if name.casefold() == DEFAULT:
        raise Cannot(f'"{name}" is what filters call the default address book.')


_BOOK = "SELECT id, account_id, name, is_default, cards, size, modseq FROM address_book"


def _book(row: Row) -> AddressBook:
    return AddressBook._make(row)._replace(is_default=bool(row[3]))
