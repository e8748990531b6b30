"""`mailserver sieve check|test|applied|undo`: what a script would do, done to mail that is there, and taken back."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Command, one_line

if TYPE_CHECKING:
    from mailserver.app.trying_mailbox import Sum
    from mailserver.store.tx import Read

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    cls=Command,
    examples="mailserver sieve check filters.sieve\nmailserver sieve check *.sieve --json",
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


@click.command(
    cls=Command,
    examples="mailserver sieve test filters.sieve letter.eml\n"
    "mailserver sieve test filters.sieve Maildir/cur/* --sender bob@example.org --json\n"
    "mailserver sieve test filters.sieve --user alice@example.org --mailbox INBOX --last 500\n"
    "mailserver sieve test filters.sieve --user alice@example.org --mailbox INBOX --last 500 --apply",
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


@click.command(cls=Command, examples="mailserver sieve applied alice@example.org")
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


@click.command(
    cls=Command,
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
