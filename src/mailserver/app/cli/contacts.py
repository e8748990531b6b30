"""`mailserver contacts list|books|import|export|add|remove|drop`."""

from typing import IO, TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group, limit_option, one_line

if TYPE_CHECKING:
    from mailserver.store.contacts import AddressBook, Card, NewCard
    from mailserver.store.tx import Read, Write

EXAMPLES = """
mailserver contacts import alice@example.org contacts.vcf
mailserver contacts list alice@example.org
mailserver contacts add alice@example.org bob@example.com 'Bob Builder'
mailserver contacts export alice@example.org > alice.vcf
"""

_BOOK = click.option(
    "--book", default="", metavar="NAME", help="The address book; the default one unless set."
)


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Address books of users, which filters can ask, too (:list ":addrbook:default")."""


@command.command(
    name="list",
    examples="mailserver contacts list alice@example.org\n"
    "mailserver contacts list alice@example.org '*@example.com' --book Family --json",
)
@click.argument("user")
@click.argument("pattern", default="*")
@_BOOK
@limit_option("How many cards at most.", 1_000)
@click.pass_obj
def list_(caller: Caller, user: str, pattern: str, book: str, limit: int) -> None:
    """List the cards of an address book by name, all or those with a name or an address like PATTERN."""
    from mailserver.app.answers import moment, table

    def job(tx: "Read") -> "list[Card]":
        found = _book(tx, user, book)
        return tx.contacts.cards(found.id, pattern, most=limit + 1) if found is not None else []

    with caller.store() as store:
        cards = store.read_now(job)
    if len(cards) > limit:
        click.echo(f"there are more; --limit shows more than {limit}", err=True)
    rows = [
        {
            "name": card.name,
            "addresses": list(card.addresses),
            "kind": card.kind,
            "changed_at": moment(card.changed_at),
            "size": card.size,
            "uid": card.uid,
        }
        for card in cards[:limit]
    ]
    shown = [
        row | {"name": one_line(card.name), "uid": one_line(card.uid)}
        for row, card in zip(rows, cards, strict=False)
    ]
    caller.answer(rows, table(shown, ("name", "addresses", "kind", "changed_at", "uid")))


@command.command(examples="mailserver contacts books alice@example.org")
@click.argument("user")
@click.pass_obj
def books(caller: Caller, user: str) -> None:
    """List the address books that a user has."""
    from mailserver.app.answers import table
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse

    def job(tx: "Read") -> "list[AddressBook]":
        return tx.contacts.books(accounts.at(tx, parse(user)).id)

    with caller.store() as store:
        found = store.read_now(job)
    rows = [
        {"book": one.name, "default": one.is_default, "cards": one.cards, "size": one.size}
        for one in found
    ]
    caller.answer(rows, table(rows, ("book", "default", "cards", "size")))


@command.command(
    name="import",
    examples="mailserver contacts import alice@example.org contacts.vcf\n"
    "mailserver contacts import alice@example.org family.vcf --book Family",
)
@click.argument("user")
@click.argument("file", type=click.File("rb"))
@_BOOK
@click.pass_context
def import_(context: click.Context, user: str, file: IO[bytes], book: str) -> None:
    """Put the cards of FILE (vCard 2.1, 3.0, 4.0; "-": what is typed) into an address book, made if it is not there.

    A card whose UID is there already gives way to the one in FILE, so that an import can be done again, or to its end
    if it was interrupted.  What is no card is told by its line, the rest is taken, and the exit status is 1.
    """
    from mailserver.app.contacts import import_cards
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.directory.contacts import book_name
    from mailserver.store.contacts import Put

    caller: Caller = context.obj
    limits = caller.load().config.limits.contacts
    with caller.store() as store:
        account = store.read_now(lambda tx: accounts.at(tx, parse(user)))
        done = import_cards(store, account, book_name(book), file.readline, limits)
    new, changed, same = (done.done[what] for what in (Put.NEW, Put.CHANGED, Put.SAME))
    lines = [f"line {line}: {one_line(why)}" for line, why in done.refusals]
    if done.refused > len(lines):
        lines.append(f"... and {done.refused - len(lines)} more")
    caller.answer(
        {
            "new": new,
            "changed": changed,
            "same": same,
            "refused": done.refused,
            "refusals": [one._asdict() for one in done.refusals],
        },
        [*lines, f"{new} new, {changed} changed, {same} were there, {done.refused} refused"],
    )
    if done.refused:
        context.exit(1)


@command.command(
    examples="mailserver contacts export alice@example.org > alice.vcf\n"
    "mailserver contacts export alice@example.org family.vcf --book Family"
)
@click.argument("user")
@click.argument("file", type=click.File("wb", atomic=True), default="-")
@_BOOK
@click.pass_obj
def export(caller: Caller, user: str, file: IO[bytes], book: str) -> None:
    """Write the cards of an address book to FILE, or to standard output, each as it came."""
    from mailserver.app.contacts import export_cards

    with caller.store() as store:
        found = store.read_now(lambda tx: _book(tx, user, book))
        for octets in export_cards(store, found) if found is not None else ():
            file.write(octets)


@command.command(
    examples="mailserver contacts add alice@example.org bob@example.com 'Bob Builder'\n"
    "mailserver contacts add alice@example.org eve@example.com --book Family"
)
@click.argument("user")
@click.argument("address")
@click.argument("name", default="")
@_BOOK
@click.pass_obj
def add(caller: Caller, user: str, address: str, name: str, book: str) -> None:
    """Put somebody with ADDRESS, called NAME, into an address book, which is made if it is not there."""
    import uuid

    from mailserver.directory import accounts, contacts
    from mailserver.directory.addresses import parse

    uid = f"urn:uuid:{uuid.uuid4()}"

    def job(tx: "Write") -> "NewCard":
        account = accounts.at(tx, parse(user))
        found = tx.contacts.make(account.id, contacts.book_name(book))
        return contacts.add(tx, account, found, parse(address), name, uid)

    with caller.store() as store:
        card = store.write_now(job)
    caller.answer(
        {"uid": card.uid, "name": card.name, "addresses": list(card.addresses)},
        f"{card.addresses[0]} is among the contacts of {user}",
    )


@command.command(
    examples="mailserver contacts remove alice@example.org bob@example.com\n"
    "mailserver contacts remove alice@example.org urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1"
)
@click.argument("user")
@click.argument("cards", nargs=-1, required=True)
@_BOOK
@click.pass_obj
def remove(caller: Caller, user: str, cards: tuple[str, ...], book: str) -> None:
    """Remove cards, named by an address or by their UID."""
    from mailserver.directory import accounts, contacts
    from mailserver.directory.addresses import parse

    def job(tx: "Write") -> None:
        account = accounts.at(tx, parse(user))
        found = tx.contacts.get(account.id, contacts.book_name(book))
        for card in cards:
            tx.contacts.take(found, contacts.named(tx, found, card))

    with caller.store() as store:
        store.write_now(job)
    caller.answer({"removed": list(cards)}, f"{', '.join(cards)}: no contact any more")


@command.command(examples="mailserver contacts drop alice@example.org Family")
@click.argument("user")
@click.argument("book")
@click.pass_obj
def drop(caller: Caller, user: str, book: str) -> None:
    """Remove an address book with all its cards.  Filters that ask for it have a mistake then."""
    from mailserver.directory import accounts, contacts
    from mailserver.directory.addresses import parse

    def job(tx: "Write") -> None:
        account = accounts.at(tx, parse(user))
        tx.contacts.remove(account.id, contacts.book_name(book))

    with caller.store() as store:
        store.write_now(job)
    caller.answer({"dropped": book}, f"the address book {book} of {user} is gone")


def _book(tx: "Read", user: str, name: str) -> "AddressBook | None":
    """The book; None for the default one as long as nobody put anything into it.  Raises NotFound."""
    from mailserver.directory import accounts, contacts
    from mailserver.directory.addresses import parse

    account, name = accounts.at(tx, parse(user)), contacts.book_name(name)
    return tx.contacts.get(account.id, name) if name else tx.contacts.find(account.id, name)
