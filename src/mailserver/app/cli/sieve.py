"""`mailserver sieve check|test|put|list|show|activate|deactivate|rename|restore|remove`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailserver.store.scripts import Owner, Script
    from mailserver.store.tx import Read, Write

EXAMPLES = """
mailserver sieve check filters.sieve
mailserver sieve test filters.sieve letter.eml
mailserver sieve put alice@example.org filters.sieve --activate
mailserver sieve list alice@example.org
"""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Scripts that filter mail (Sieve)."""


@command.command(
    examples="mailserver sieve check filters.sieve\nmailserver sieve check *.sieve --json"
)
@click.argument("scripts", type=_FILE, nargs=-1, required=True)
@click.pass_obj
def check(caller: Caller, scripts: tuple[Path, ...]) -> None:
    """Say whether scripts compile, and where not, what is wrong.

    Included scripts are looked for beside the one that includes them, as NAME.sieve.
    """
    from mailserver.app.trying import Wrong, compiled
    from mailserver.sieve.errors import ScriptError

    limits = caller.load().config.limits
    objects, lines, wrong = [], [], []
    for script in scripts:
        try:
            program = compiled(script.read_bytes(), limits, script.parent)
        except ScriptError as error:
            wrong.append(f"{script}: {error}")
            continue
        warnings = list(program.warnings)
        objects.append({"script": str(script), "warnings": warnings})
        lines += [f"{script}: {one_line(warning)}" for warning in warnings] or [f"{script}: fine"]
    if wrong:
        raise Wrong(wrong)
    caller.answer(objects, lines)


@command.command(
    examples="mailserver sieve test filters.sieve letter.eml\n"
    "mailserver sieve test filters.sieve Maildir/cur/* --sender bob@example.org --json"
)
@click.argument("script", type=_FILE)
@click.argument("messages", type=_FILE, nargs=-1, required=True)
@click.option(
    "--sender", default="", metavar="ADDRESS", help="The envelope's; from the header unless set."
)
@click.option("--recipient", default="", metavar="ADDRESS", help="The same.")
@click.pass_obj
def test(
    caller: Caller, script: Path, messages: tuple[Path, ...], sender: str, recipient: str
) -> None:
    """Say what a script would do with messages, and which of its lines matched what.  Nothing is changed."""
    import time
    from datetime import datetime

    from mailserver.app.trying import as_object, compiled, lines, tried

    limits = caller.load().config.limits
    program = compiled(script.read_bytes(), limits, script.parent)
    now = datetime.fromtimestamp(time.time()).astimezone()
    objects, out = [], []
    for file in messages:
        done = tried(
            program, file.read_bytes(), limits, sender=sender, recipient=recipient, now=now
        )
        objects.append(as_object(str(file), done))
        out += [one_line(str(file)), *map(one_line, lines(done))]
    caller.answer(objects, out)


@command.command(
    examples="mailserver sieve put alice@example.org filters.sieve --activate\n"
    "mailserver sieve put example.org virus.sieve --name virus\n"
    "mailserver sieve put server shared.sieve"
)
@click.argument("whose")
@click.argument("file", type=_FILE)
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


@command.command(
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


@command.command(
    examples="mailserver sieve show alice@example.org filters\n"
    "mailserver sieve show alice@example.org filters --version 3 > old.sieve"
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


@command.command(
    examples="mailserver sieve activate alice@example.org filters\n"
    "mailserver sieve activate example.org virus --after"
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

    _change(caller, whose, name, act, "activated")


@command.command(examples="mailserver sieve deactivate alice@example.org filters")
@click.argument("whose")
@click.argument("name")
@click.pass_obj
def deactivate(caller: Caller, whose: str, name: str) -> None:
    """No mail goes through the script any more; it stays where it is."""
    _change(
        caller,
        whose,
        name,
        lambda tx, owner: tx.scripts.activate(owner, name, ""),
        "deactivated",
    )


@command.command(examples="mailserver sieve rename alice@example.org filters former")
@click.argument("whose")
@click.argument("name")
@click.argument("to")
@click.pass_obj
def rename(caller: Caller, whose: str, name: str, to: str) -> None:
    """Give a script another name; an active one stays active."""
    _change(
        caller, whose, name, lambda tx, owner: tx.scripts.rename(owner, name, to), f"is {to} now"
    )


@command.command(examples="mailserver sieve restore alice@example.org filters 3")
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

    _change(caller, whose, name, act, f"has the text of version {version}")


@command.command(examples="mailserver sieve remove alice@example.org filters")
@click.argument("whose")
@click.argument("name")
@click.pass_obj
def remove(caller: Caller, whose: str, name: str) -> None:
    """Remove a script with all its versions; not one that is active."""
    _change(caller, whose, name, lambda tx, owner: tx.scripts.remove(owner, name), "removed")


def _change(
    caller: Caller, whose: str, name: str, act: "Callable[[Write, Owner], None]", done: str
) -> None:
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
