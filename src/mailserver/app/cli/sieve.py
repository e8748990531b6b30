"""`mailserver sieve check|test|applied|undo|put|list|show|activate|watch|unwatch|rename|restore|remove|...`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailserver.app.trying_mailbox import Sum
    from mailserver.store.scripts import Owner, Script
    from mailserver.store.tx import Read, Write

EXAMPLES = """
mailserver sieve check filters.sieve
mailserver sieve test filters.sieve letter.eml
mailserver sieve test filters.sieve --user alice@example.org --last 500
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
    "mailserver sieve test filters.sieve Maildir/cur/* --sender bob@example.org --json\n"
    "mailserver sieve test filters.sieve --user alice@example.org --mailbox INBOX --last 500\n"
    "mailserver sieve test filters.sieve --user alice@example.org --mailbox INBOX --last 500 --apply"
)
@click.argument("script", type=_FILE)
@click.argument("messages", type=_FILE, nargs=-1)
@click.option(
    "--sender", default="", metavar="ADDRESS", help="The envelope's; from the header unless set."
)
@click.option("--recipient", default="", metavar="ADDRESS", help="The same.")
@click.option("--user", default="", metavar="ADDRESS", help="Try it on this user's mail instead.")
@click.option("--mailbox", default="INBOX", help="Of the user; INBOX.")
@click.option(
    "--last",
    type=click.IntRange(1, 1_000_000),
    default=500,
    help="On so many messages, the newest; 500.",
)
@click.option("--apply", is_flag=True, help="Do it; 'sieve undo' takes it back.")
@click.pass_obj
def test(
    caller: Caller,
    script: Path,
    messages: tuple[Path, ...],
    sender: str,
    recipient: str,
    user: str,
    mailbox: str,
    last: int,
    apply: bool,
) -> None:
    """Say what a script would do with messages, and which of its lines matched what.

    With --user it is tried on mail that is there already.  With --apply mail is moved, copied and marked as the script
    wants; what it throws away goes into Trash.  Nothing is ever sent, refused or edited: mail that is only sent on
    stays.
    """
    if user:
        if messages or sender or recipient:
            raise click.UsageError("Either messages, or --user.")
        _on_mailbox(caller, script, user, mailbox, last, apply=apply)
        return
    if not messages or apply:
        raise click.UsageError("Name messages, or a user with --user.")
    import time
    from datetime import datetime

    from mailserver.app.config import upstream
    from mailserver.app.trying import as_object, compiled, lines, tried

    config = caller.load().config
    limits, scores = config.limits, upstream(config).scores
    program = compiled(script.read_bytes(), limits, script.parent)
    now = datetime.fromtimestamp(time.time()).astimezone()
    objects, out = [], []
    for file in messages:
        done = tried(
            program,
            file.read_bytes(),
            limits,
            sender=sender,
            recipient=recipient,
            now=now,
            scores=scores,
        )
        objects.append(as_object(str(file), done))
        out += [one_line(str(file)), *map(one_line, lines(done))]
    caller.answer(objects, out)


def _on_mailbox(
    caller: Caller, script: Path, user: str, mailbox: str, last: int, *, apply: bool
) -> None:
    from mailserver.app import trying_mailbox
    from mailserver.app.config import upstream
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse

    config = caller.load().config
    limits, scores = config.limits, upstream(config).scores
    text = script.read_bytes()

    def job(tx: "Read") -> trying_mailbox.Trial:
        account = accounts.at(tx, parse(user))
        return trying_mailbox.begin(tx, account, mailbox, text, last, limits, scores)

    with caller.store() as store:
        trial = store.read_now(job)
        if apply:
            number, total, changed = trying_mailbox.apply(store, trial, limits, script.name)
            done = (
                f"number {number}: {changed} messages changed" if number else "nothing is changed"
            )
            undo = f"; 'mailserver sieve undo {number}' takes it back" if number else ""
            caller.answer(
                {"number": number or None, "changed": changed, **_counts(total)},
                [one_line(total.line()), f"{done}{undo}"],
            )
            return
        total, objects = trying_mailbox.Sum(), []
        for one in trying_mailbox.tried(store, trial, limits):
            total.add(one)
            if caller.as_json:
                objects.append(trying_mailbox.as_object(one))
            else:
                for line in trying_mailbox.lines(one):
                    click.echo(one_line(line))
    caller.answer(
        {"messages": objects, **_counts(total)},
        [one_line(total.line()), "nothing is changed; --apply does it, and sends nothing"],
    )


def _counts(total: "Sum") -> "dict[str, object]":
    return {"tried": total.messages, "counts": dict(total.counts)}


@command.command(examples="mailserver sieve applied alice@example.org")
@click.argument("user")
@click.pass_obj
def applied(caller: Caller, user: str) -> None:
    """List what was applied to a user's mail, and can be undone."""
    from mailserver.app.answers import moment, table
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse

    def job(tx: "Read") -> "list[dict[str, object]]":
        rows: list[dict[str, object]] = []
        for one in tx.applied.of(accounts.at(tx, parse(user)).id):
            box = tx.mailboxes.by_id(one.mailbox)
            rows.append(
                {
                    "number": one.id,
                    "script": one.script,
                    "mailbox": None if box is None else box.name,
                    "applied_at": moment(one.applied_at),
                    "messages": one.messages,
                    "undone_at": None if one.undone_at is None else moment(one.undone_at),
                }
            )
        return rows

    with caller.store() as store:
        rows = store.read_now(job)
    columns = ("number", "script", "mailbox", "applied_at", "messages", "undone_at")
    caller.answer(rows, table(rows, columns))


@command.command(
    examples="mailserver sieve undo 17\nmailserver sieve undo 17 --rest",
)
@click.argument("number", type=int)
@click.option("--rest", is_flag=True, help="Leave out messages that were moved or deleted since.")
@click.pass_obj
def undo(caller: Caller, number: int, rest: bool) -> None:
    """Take back what 'sieve test --apply' did.

    Messages come back to where they were, with new UIDs if they had left; flags that they were given are taken away.
    If some were moved or deleted since, nothing is done, unless --rest is given.
    """
    from mailserver.app import trying_mailbox

    with caller.store() as store:
        done = trying_mailbox.undo(store, number, skips=rest)
    text = f"{done.back} messages are as they were"
    left = f", {len(done.changed)} were changed since and stay as they are" if done.changed else ""
    caller.answer(
        {"number": number, "back": done.back, "changed_since": list(done.changed)}, text + left
    )


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


@command.command(
    examples="mailserver sieve watch server learn-spam --cause COPY --mailbox '\\Junk'\n"
    "mailserver sieve watch server learn-ham --cause COPY --from '\\Junk'\n"
    "mailserver sieve watch example.org"
)
@click.argument("whose")
@click.argument("name", default="")
@click.option(
    "--cause",
    "causes",
    type=click.Choice(["APPEND", "COPY", "FLAG"], case_sensitive=False),
    multiple=True,
    help="What happened; COPY is MOVE as well.  Several times for several.",
)
@click.option(
    "--mailbox",
    default="*",
    show_default=True,
    metavar="PATTERN",
    help="In which mailboxes: a name, with * for anything, or a special use as \\Junk.",
)
@click.option(
    "--from",
    "source",
    default="*",
    show_default=True,
    metavar="PATTERN",
    help="From which mailbox messages are copied.",
)
@click.option("--after", is_flag=True, help="Behind the script that the mailbox has, not before.")
@click.pass_obj
def watch(
    caller: Caller,
    whose: str,
    name: str,
    causes: tuple[str, ...],
    mailbox: str,
    source: str,
    after: bool,
) -> None:
    """Run a script of a domain or the server for what users do in their mailboxes; without NAME show which run.

    It may use all of Sieve but what only a delivery can do; `environment` tells it what happened.
    """
    from mailserver.app.answers import table
    from mailserver.base.errors import Cannot
    from mailserver.directory.scripts import owner_of

    place = "after" if after else "before"

    def job(tx: "Write") -> "list[dict[str, object]]":
        owner = owner_of(tx, whose)
        if owner.account is not None:
            raise Cannot(
                "A user's mailbox has its script by the annotation /shared/imapsieve/script."
            )
        if name:
            if not causes:
                raise Cannot("--cause says for what it runs.")
            tx.events.watch(tx.scripts.find(owner, name).id, place, causes, mailbox, source)
        return [
            {
                "script": script,
                "place": one.place,
                "causes": one.causes,
                "mailbox": one.mailbox,
                "from": one.source,
            }
            for script, one in tx.events.watching(owner)
        ]

    with caller.store() as store:
        rows = store.write_now(job)
    caller.answer(rows, table(rows, ("script", "place", "causes", "mailbox", "from")))


@command.command(examples="mailserver sieve unwatch server learn-spam")
@click.argument("whose")
@click.argument("name")
@click.pass_obj
def unwatch(caller: Caller, whose: str, name: str) -> None:
    """Run a script no more for what users do in their mailboxes; it stays where it is."""
    _change(
        caller,
        whose,
        name,
        lambda tx, owner: tx.events.unwatch(tx.scripts.find(owner, name).id),
        "runs for no events any more",
    )


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
