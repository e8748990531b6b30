"""`mailserver lists add|show|remove|drop|rename`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group, limit_option, one_line

if TYPE_CHECKING:
    from mailserver.store.lists import Entry, List
    from mailserver.store.tx import Read, Write

EXAMPLES = """
mailserver lists add alice@example.org block spammer@example.com @spam.example
mailserver lists show alice@example.org
mailserver lists show example.org allow
mailserver lists remove alice@example.org block @spam.example
"""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Lists of senders to allow or to block, and others, that filters ask for.

    WHOSE they are is a user's address, a domain, or "server".  A filter asks for all three together with
    :list "tag:mailserver,2026:NAME".
    """


@command.command(
    examples="mailserver lists add alice@example.org block spammer@example.com @spam.example\n"
    "mailserver lists add example.org allow --file partners.txt --note 'partners, 2026'"
)
@click.argument("whose")
@click.argument("name")
@click.argument("entries", nargs=-1)
@click.option("--file", type=_FILE, help="Further entries, one a line; # begins a comment.")
@click.option("--note", default="", metavar="TEXT", help="Why they are there.")
@click.pass_obj
def add(
    caller: Caller, whose: str, name: str, entries: tuple[str, ...], file: Path | None, note: str
) -> None:
    """Put ENTRIES into a list, which is made if it is not there.

    An entry is an address, @example.org for everybody there, or @.example.org for everybody in the domains below it.
    Lists other than allow and block take any text.
    """
    from mailserver.base.errors import Cannot
    from mailserver.directory.lists import entry
    from mailserver.directory.scripts import owner_of

    typed = list(entries)
    if file is not None:
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        typed += [line for raw in lines if (line := raw.partition("#")[0].strip())]
    if not typed:
        raise Cannot("There is no entry to add.")
    texts = [entry(name, one) for one in typed]
    with caller.store() as store:
        new = store.write_now(lambda tx: tx.lists.add(owner_of(tx, whose), name, texts, note))
    caller.answer(
        {"list": name, "added": new, "known": len(texts) - new},
        f"{new} new in {name} of {whose}, {len(texts) - new} were there",
    )


@command.command(
    examples="mailserver lists show alice@example.org\n"
    "mailserver lists show alice@example.org block '*@spam.example' --json"
)
@click.argument("whose")
@click.argument("name", default="")
@click.argument("pattern", default="*")
@limit_option("How many entries at most.", 1_000)
@click.option("--after", default="", metavar="ENTRY", help="The next page: go on behind this one.")
@click.pass_obj
def show(caller: Caller, whose: str, name: str, pattern: str, limit: int, after: str) -> None:
    """Show which lists there are, or the entries of one, all or those that match PATTERN."""
    from mailserver.app.answers import moment, table
    from mailserver.base.errors import NotFound
    from mailserver.directory.scripts import owner_of

    def lists(tx: "Read") -> "list[List]":
        return tx.lists.of(owner_of(tx, whose))

    def entries(tx: "Read") -> "list[Entry]":
        found = tx.lists.find(owner_of(tx, whose), name)
        if found is None:
            raise NotFound(f"{whose} has no list {name}.")
        return list(tx.lists.entries(found, pattern, after, limit + 1))

    with caller.store() as store:
        if not name:
            known = [{"list": one.name, "entries": one.entries} for one in store.read_now(lists)]
            caller.answer(known, table(known, ("list", "entries")))
            return
        found = store.read_now(entries)
    rows = [
        {"entry": one.text, "added_at": moment(one.added_at), "note": one.note}
        for one in found[:limit]
    ]
    if len(found) > limit:
        click.echo(f"there are more; the next page: --after {found[limit - 1].text}", err=True)
    shown = [row | {"note": one_line(str(row["note"]))[:60]} for row in rows]
    caller.answer(rows, table(shown, ("entry", "added_at", "note")))


@command.command(examples="mailserver lists remove alice@example.org block @spam.example")
@click.argument("whose")
@click.argument("name")
@click.argument("entries", nargs=-1, required=True)
@click.pass_obj
def remove(caller: Caller, whose: str, name: str, entries: tuple[str, ...]) -> None:
    """Take ENTRIES out of a list."""
    from mailserver.directory.lists import entry
    from mailserver.directory.scripts import owner_of

    texts = [entry(name, one) for one in entries]

    def job(tx: "Write") -> None:
        owner = owner_of(tx, whose)
        for text in texts:
            tx.lists.take(owner, name, text)

    with caller.store() as store:
        store.write_now(job)
    caller.answer({"list": name, "removed": texts}, f"{', '.join(texts)}: not in {name} any more")


@command.command(examples="mailserver lists drop alice@example.org friends")
@click.argument("whose")
@click.argument("name")
@click.pass_obj
def drop(caller: Caller, whose: str, name: str) -> None:
    """Remove a list with all that is in it.  Filters that ask for it have a mistake then."""
    from mailserver.directory.scripts import owner_of

    with caller.store() as store:
        store.write_now(lambda tx: tx.lists.remove(owner_of(tx, whose), name))
    caller.answer({"dropped": name}, f"list {name} of {whose} is gone")


@command.command(examples="mailserver lists rename alice@example.org friends family")
@click.argument("whose")
@click.argument("name")
@click.argument("to")
@click.pass_obj
def rename(caller: Caller, whose: str, name: str, to: str) -> None:
    """Give a list another name."""
    from mailserver.directory.scripts import owner_of

    with caller.store() as store:
        store.write_now(lambda tx: tx.lists.rename(owner_of(tx, whose), name, to))
    caller.answer({"list": to}, f"list {name} of {whose} is {to} now")
