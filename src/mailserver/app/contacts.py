"""Cards between files and address books: what is bad in a file is told by its line, and the rest is taken.

Spec: RFC 6350 §3.3.  Status: complete.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from mailserver.base.errors import MailError, PeerError
from mailserver.base.ids import CardId
from mailserver.base.limits import ContactLimits
from mailserver.directory.contacts import card_of
from mailserver.ical.splitting import pieces
from mailserver.store.contacts import AddressBook, NewCard, Put
from mailserver.store.store import Store
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account

SLICE = 100  #: cards in one transaction, and
SLICE_SIZE = 4_194_304  #: about so many octets
SHOWN = 100  #: refused cards that are listed; the others are counted


class Refusal(NamedTuple):
    """line: of the file."""

    line: int
    why: str


@dataclass(slots=True)
class Import:
    """What became of the cards in a file."""

    done: Counter[Put] = field(default_factory=Counter)
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, line: int, why: str) -> None:
        """One more that was not taken."""
        self.refused += 1
        if len(self.refusals) < SHOWN:
            self.refusals.append(Refusal(line, why))


def import_cards(
    store: Store,
    account: Account,
    book: str,
    readline: Callable[[int], bytes],
    limits: ContactLimits,
) -> Import:
    """Puts the cards of a file into the book, which is made if it is not there.  Who was interrupted does it again.

    readline: a binary file's.  Raises Cannot, LimitReached for the book.
    """
    result = Import()
    store.write_now(lambda tx: tx.contacts.make(account.id, book))
    for some in _slices(_cards(readline, limits, result)):
        for done in store.write_now(partial(_put, account=account, book=book, cards=some)):
            if isinstance(done, Refusal):
                result.refuse(*done)
            else:
                result.done[done] += 1
    result.refusals.sort()
    return result


def _cards(
    readline: Callable[[int], bytes], limits: ContactLimits, result: Import
) -> Iterator[tuple[int, NewCard]]:
    """(line, card) of those that can be taken, each UID once."""
    lines: dict[str, int] = {}
    for piece in pieces(readline, limits.card_size):
        if piece.problem:
            result.refuse(piece.line, piece.problem)
            continue
        try:
            card = card_of(piece.octets, limits, piece.line)
        except PeerError as error:
            line, _, why = str(error).removeprefix("line ").partition(": ")
            result.refuse(int(line), why)
            continue
        if card.uid in lines:
            result.refuse(piece.line, f"its UID is that of the card in line {lines[card.uid]}")
            continue
        lines[card.uid] = piece.line
        yield piece.line, card


def _slices(cards: Iterator[tuple[int, NewCard]]) -> Iterator[list[tuple[int, NewCard]]]:
    """What is put in one transaction each."""
    some, size = list[tuple[int, NewCard]](), 0
    for one in cards:
        some.append(one)
        size += len(one[1].vcard)
        if len(some) >= SLICE or size >= SLICE_SIZE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _put(
    tx: Write, account: Account, book: str, cards: list[tuple[int, NewCard]]
) -> list[Put | Refusal]:
    found, out = tx.contacts.get(account.id, book), list[Put | Refusal]()
    for line, card in cards:
        try:
            out.append(tx.contacts.put(found, card))
        except MailError as error:
            out.append(Refusal(line, str(error)))
    return out


def export_cards(store: Store, book: AddressBook) -> Iterator[bytes]:
    """The cards of the book by name, in slices, each as it was given."""
    after = ("", CardId(0))
    while some := store.read_now(partial(_some, book=book, after=after)):
        yield b"".join(octets for _, octets in some)
        after = some[-1][0]


def _some(
    tx: Read, book: AddressBook, after: tuple[str, CardId]
) -> list[tuple[tuple[str, CardId], bytes]]:
    out, size = list[tuple[tuple[str, CardId], bytes]](), 0
    for card in tx.contacts.cards(book.id, after=after, most=SLICE):
        octets = tx.contacts.vcard(card.id)
        out.append(((card.name, card.id), octets if octets.endswith(b"\n") else octets + b"\r\n"))
        size += card.size
        if size >= SLICE_SIZE:
            break
    return out
