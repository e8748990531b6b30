"""`mailserver sieve put|list|show|activate|deactivate|rename|restore|remove`: scripts of users, domains, the server."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Command

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailserver.store.scripts import Owner, Script
    from mailserver.store.tx import Read, Write


@click.command(
    cls=Command,
    examples="mailserver sieve put alice@example.org filters.sieve --activate\n"
    "mailserver sieve put example.org virus.sieve --name virus\n"
    "mailserver sieve put server shared.sieve",
)
@click.argument("whose")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", default="", metavar="NAME", help="Of the script; the file's unless set.")
@click.option("--activate", is_flag=True, help="Mail goes through it from now on.")
@click.pass_obj
def put(caller: Caller, whose: str, file: Path, name: str, activate: bool) -> None:
    """Give WHOSE a script, or a script a new text.  What it had before is kept as a version.

    WHOSE is a user's address, a domain, or "server" for scripts that all users can include (:global).
    """
    from mailserver.directory.scripts import owner_of
    from mailserver.directory.scripts import put as put_script

    name = name or file.stem
    content = file.read_bytes()
    limits = caller.load().config.limits.sieve

    def job(tx: "Write") -> "tuple[Script, tuple[str, ...]]":
        owner = owner_of(tx, whose)
        script, warnings = put_script(tx, owner, name, content, limits)
        if activate:
            tx.scripts.activate(owner, name, "active" if owner.account else "before")
        return tx.scripts.find(owner, script.name), warnings

    with caller.store() as store:
        script, warnings = store.write_now(job)
    caller.answer(
        {**_row(script), "warnings": list(warnings)},
        [*warnings, f"script {name} of {whose}: version {script.version}, {script.size} octets"],
    )


@click.command(
    cls=Command,
    name="list",
    examples="mailserver sieve list alice@example.org\n"
    "mailserver sieve list alice@example.org --versions filters",
)
@click.argument("whose")
@click.option("--versions", default="", metavar="NAME", help="The versions of this script.")
@click.pass_obj
def list_(caller: Caller, whose: str, versions: str) -> None:
    """List the scripts of a user, a domain, or the server; or the versions of one of them."""
    from mailserver.app.answers import moment, table
    from mailserver.directory.scripts import owner_of

    def job(tx: "Read") -> "list[dict[str, object]]":
        owner = owner_of(tx, whose)
        if not versions:
            return [_row(script) for script in tx.scripts.list(owner)]
        script = tx.scripts.find(owner, versions)
        return [
            {"version": version, "size": size, "changed_at": moment(at)}
            for version, size, at in tx.scripts.versions(script.id)
        ]

    with caller.store() as store:
        rows = store.read_now(job)
    columns = ("version", "size", "changed_at")
    caller.answer(rows, table(rows, columns if versions else ("name", "role", *columns)))


@click.command(
    cls=Command,
    examples="mailserver sieve show alice@example.org filters\n"
    "mailserver sieve show alice@example.org filters --version 3 > old.sieve",
)
@click.argument("whose")
@click.argument("name")
@click.option("--version", type=int, metavar="N", help="A former one.")
@click.pass_obj
def show(caller: Caller, whose: str, name: str, version: int | None) -> None:
    """Print a script."""
    from mailserver.directory.scripts import owner_of

    def job(tx: "Read") -> str:
        script = tx.scripts.find(owner_of(tx, whose), name)
        return tx.scripts.content(script.id, version).decode(errors="replace")

    with caller.store() as store:
        text = store.read_now(job)
    caller.answer({"name": name, "content": text}, text.replace("\r\n", "\n").removesuffix("\n"))


@click.command(
    cls=Command,
    examples="mailserver sieve activate alice@example.org filters\n"
    "mailserver sieve activate example.org virus --after",
)
@click.argument("whose")
@click.argument("name")
@click.option(
    "--after", is_flag=True, help="Of a domain or the server: behind the users' own scripts."
)
@click.pass_obj
def activate(caller: Caller, whose: str, name: str, after: bool) -> None:
    """Mail goes through the script from now on.

    A user has one active script.  Those of a domain run for all its users, before their own unless --after is given;
    those of the server run for everybody.
    """

    def act(tx: "Write", owner: "Owner") -> None:
        role = "active" if owner.account and not after else "after" if after else "before"
        tx.scripts.activate(owner, name, role)

    change(caller, whose, name, act, "activated")


@click.command(cls=Command, examples="mailserver sieve deactivate alice@example.org filters")
@click.argument("whose")
@click.argument("name")
@click.pass_obj
def deactivate(caller: Caller, whose: str, name: str) -> None:
    """No mail goes through the script any more; it stays where it is."""
    change(
        caller,
        whose,
        name,
        lambda tx, owner: tx.scripts.activate(owner, name, ""),
        "deactivated",
    )


@click.command(cls=Command, examples="mailserver sieve rename alice@example.org filters former")
@click.argument("whose")
@click.argument("name")
@click.argument("to")
@click.pass_obj
def rename(caller: Caller, whose: str, name: str, to: str) -> None:
    """Give a script another name; an active one stays active."""
    change(
        caller, whose, name, lambda tx, owner: tx.scripts.rename(owner, name, to), f"is {to} now"
    )


@click.command(cls=Command, examples="mailserver sieve restore alice@example.org filters 3")
@click.argument("whose")
@click.argument("name")
@click.argument("version", type=int)
@click.pass_obj
def restore(caller: Caller, whose: str, name: str, version: int) -> None:
    """Give a script the text of a former version again, as a new one."""
    from mailserver.directory.scripts import put as put_script

    limits = caller.load().config.limits.sieve

    def act(tx: "Write", owner: "Owner") -> None:
        content = tx.scripts.content(tx.scripts.find(owner, name).id, version)
        put_script(tx, owner, name, content, limits)

    change(caller, whose, name, act, f"has the text of version {version}")


@click.command(cls=Command, examples="mailserver sieve remove alice@example.org filters")
@click.argument("whose")
@click.argument("name")
@click.pass_obj
def remove(caller: Caller, whose: str, name: str) -> None:
    """Remove a script with all its versions; not one that is active."""
    change(caller, whose, name, lambda tx, owner: tx.scripts.remove(owner, name), "removed")


def change(
    caller: Caller, whose: str, name: str, act: "Callable[[Write, Owner], None]", done: str
) -> None:
    """Does *act* to the script *name* of *whose*, and says that it is *done*."""
    from mailserver.directory.scripts import owner_of

    with caller.store() as store:
        store.write_now(lambda tx: act(tx, owner_of(tx, whose)))
    caller.answer({"name": name, "done": done}, f"script {name} of {whose} {done}")


def _row(script: "Script") -> "dict[str, object]":
    from mailserver.app.answers import moment

    return {
        "name": script.name,
        "role": script.role,
        "version": script.version,
        "size": script.size,
        "changed_at": moment(script.changed_at),
    }
