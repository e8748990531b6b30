"""`mailserver filter show|block|forward|auto-reply|rule|load|history|restore|reset`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailserver.directory.filter_settings.model import Settings
    from mailserver.store.tx import Read, Write

EXAMPLES = """
mailserver filter rule add alice@example.org lists --list-id acme.lists.example.com --into Lists/acme
mailserver filter auto-reply alice@example.org --text "I am back on Monday." --last 2027-01-06
mailserver filter forward alice@example.org alice@home.example
mailserver filter block alice@example.org
mailserver filter show alice@example.org
"""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Blocked senders, auto-reply, forward and rules of a user, without a script.

    They run before the user's own script, which is not touched by them.
    """


@command.command(
    examples="mailserver filter show alice@example.org\n"
    "mailserver filter show alice@example.org --sieve > settings.sieve"
)
@click.argument("address")
@click.option("--sieve", is_flag=True, help="The script that is made of them.")
@click.pass_obj
def show(caller: Caller, address: str, sieve: bool) -> None:
    """Show what is set, or the script that does it."""
    from mailserver.app.filter_answers import as_object, lines
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.directory.filter_settings import keeping

    def job(tx: "Read") -> "Settings | str":
        account = accounts.at(tx, parse(address))
        if sieve:
            return (keeping.script(tx, account) or b"").decode(errors="replace")
        return keeping.load(tx, account)

    with caller.store() as store:
        found = store.read_now(job)
    if isinstance(found, str):
        caller.answer({"script": found}, found.replace("\r\n", "\n").removesuffix("\n"))
    else:
        caller.answer(as_object(found), map(one_line, lines(found)))


@command.command(
    examples="mailserver lists add alice@example.org block spammer@example.com @spam.example\n"
    "mailserver filter block alice@example.org --to junk\n"
    "mailserver filter block alice@example.org --off"
)
@click.argument("address")
@click.option(
    "--to",
    type=click.Choice(["junk", "trash", "discard", "reject"]),
    default="junk",
    help="What becomes of their mail.",
)
@click.option("--off", is_flag=True, help="Nobody is blocked.")
@click.pass_obj
def block(caller: Caller, address: str, to: str, off: bool) -> None:
    """Block the senders in the lists "block" of user, domain and server, but for those in "allow"."""
    from dataclasses import replace

    from mailserver.directory.filter_settings.model import Block

    new = None if off else Block(to)
    _change(caller, address, lambda found: replace(found, block=new))


@command.command(
    examples="mailserver filter forward alice@example.org alice@home.example\n"
    "mailserver filter forward alice@example.org alice@home.example --no-keep\n"
    "mailserver filter forward alice@example.org --off"
)
@click.argument("address")
@click.argument("to", nargs=-1)
@click.option("--keep/--no-keep", default=True, help="Whether the user gets it, too; default: yes.")
@click.option("--off", is_flag=True, help="Nothing is sent on.")
@click.pass_obj
def forward(caller: Caller, address: str, to: tuple[str, ...], keep: bool, off: bool) -> None:
    """Send mail on to other addresses, once blocked senders are sorted out."""
    from dataclasses import replace

    from mailserver.directory.filter_settings.model import Forward

    if bool(to) is off:
        raise click.UsageError("Say where to, or --off.")
    new = None if off else Forward(to, keep)
    _change(caller, address, lambda found: replace(found, forward=new))


@command.command(
    name="auto-reply",
    examples="mailserver filter auto-reply alice@example.org --text 'I am back on Monday.'\n"
    "mailserver filter auto-reply alice@example.org --file away.txt --first 2026-12-20 --last 2027-01-06\n"
    "mailserver filter auto-reply alice@example.org --only-contacts\n"
    "mailserver filter auto-reply alice@example.org --off",
)
@click.argument("address")
@click.option("--text", default="", help="The answer.")
@click.option("--file", type=_FILE, help="The same, from a file.")
@click.option("--subject", default=None, help="Of the answer; that of the message unless set.")
@click.option("--first", default=None, metavar="DAY", help="First day of the absence: 2026-12-20.")
@click.option("--last", default=None, metavar="DAY", help="Last day of it.")
@click.option("--days", type=int, default=None, help="One sender is told once in so many; 7.")
@click.option(
    "--alias",
    "aliases",
    multiple=True,
    metavar="ADDRESS",
    help="A further address of the user's that To or Cc may name.",
)
@click.option(
    "--only-contacts/--everybody",
    default=None,
    help="Tell those who are in the user's default address book, or whoever writes.",
)
@click.option("--off", is_flag=True, help="Answer nobody; the text is kept for the next time.")
@click.pass_obj
def auto_reply(
    caller: Caller,
    address: str,
    text: str,
    file: Path | None,
    subject: str | None,
    first: str | None,
    last: str | None,
    days: int | None,
    aliases: tuple[str, ...],
    only_contacts: bool | None,
    off: bool,
) -> None:
    """Tell whoever writes that the user is away.  What is not said stays as it was set before."""
    from dataclasses import replace
    from typing import Any

    from mailserver.base.errors import Cannot
    from mailserver.directory.filter_settings.model import AutoReply

    if file is not None:
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    said: dict[str, Any] = {"subject": subject, "first": first, "last": last, "days": days}
    said |= {"text": text or None, "aliases": aliases or None, "only_contacts": only_contacts}
    given = {name: value for name, value in said.items() if value is not None}

    def edit(found: "Settings") -> "Settings":
        before = found.auto_reply
        if before is None and off:
            return found
        if before is None and not text:
            raise Cannot("An auto-reply needs a text.")
        reply = replace(before or AutoReply(text), **given, is_on=not off)
        return replace(found, auto_reply=reply)

    _change(caller, address, edit)


@command.group(
    cls=Group,
    examples="mailserver filter rule add alice@example.org lists --list-id acme.lists.example.com --into Lists/acme\n"
    "mailserver filter rule list alice@example.org",
)
def rule() -> None:
    """Rules that move and mark mail."""


@rule.command(
    examples="mailserver filter rule add alice@example.org lists --list-id acme.lists.example.com --into Lists/acme\n"
    "mailserver filter rule add alice@example.org bills --subject invoice --subject receipt --any --into Money\n"
    "mailserver filter rule add alice@example.org boss --from boss@example.org --is --flag '\\Flagged' --go-on"
)
@click.argument("address")
@click.argument("name")
@click.option("--from", "senders", multiple=True, metavar="TEXT", help="In From.")
@click.option("--to", "recipients", multiple=True, metavar="TEXT", help="In To or Cc.")
@click.option("--subject", "subjects", multiple=True, metavar="TEXT", help="In the subject.")
@click.option("--list-id", "list_ids", multiple=True, metavar="TEXT", help="In List-Id.")
@click.option("--contains/--is", default=True, help="Contains the text, or is it; contains.")
@click.option("--all/--any", "needs_all", default=True, help="All of them, or one; all.")
@click.option("--into", "mailbox", default="", metavar="MAILBOX", help="Where the mail goes.")
@click.option(
    "--flag", "flags", multiple=True, help="What it is marked with: \\Seen, \\Flagged, ..."
)
@click.option("--stop/--go-on", default=True, help="Whether it is the last rule for this mail.")
@click.option("--off", is_flag=True, help="Keep it, but do not use it.")
@click.option("--at", type=click.IntRange(1), help="Its place among the rules; the last.")
@click.pass_obj
def add(
    caller: Caller,
    address: str,
    name: str,
    senders: tuple[str, ...],
    recipients: tuple[str, ...],
    subjects: tuple[str, ...],
    list_ids: tuple[str, ...],
    contains: bool,
    needs_all: bool,
    mailbox: str,
    flags: tuple[str, ...],
    stop: bool,
    off: bool,
    at: int | None,
) -> None:
    """Add a rule, or change the one with this NAME, which keeps its place."""
    from dataclasses import replace

    from mailserver.directory.filter_settings.model import Condition, Rule

    match = "contains" if contains else "is"
    said = (("from", senders), ("to", recipients), ("subject", subjects), ("list-id", list_ids))
    conditions = tuple(Condition(field, match, text) for field, texts in said for text in texts)
    new = Rule(name, conditions, mailbox, flags, not needs_all, stop, not off)

    def edit(found: "Settings") -> "Settings":
        names = [rule.name for rule in found.rules]
        place = names.index(name) if name in names else len(names)
        rules = [rule for rule in found.rules if rule.name != name]
        rules.insert(place if at is None else at - 1, new)
        return replace(found, rules=tuple(rules))

    _change(caller, address, edit)


@rule.command(name="list", examples="mailserver filter rule list alice@example.org --json")
@click.argument("address")
@click.pass_obj
def list_(caller: Caller, address: str) -> None:
    """List the rules in their order."""
    from mailserver.app.filter_answers import as_object, rule_lines
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.directory.filter_settings import keeping

    with caller.store() as store:
        found = store.read_now(lambda tx: keeping.load(tx, accounts.at(tx, parse(address))))
    caller.answer(as_object(found)["rules"], map(one_line, rule_lines(found.rules)))


@rule.command(examples="mailserver filter rule remove alice@example.org lists")
@click.argument("address")
@click.argument("name")
@click.pass_obj
def remove(caller: Caller, address: str, name: str) -> None:
    """Remove a rule."""
    from dataclasses import replace

    from mailserver.base.errors import NotFound

    def edit(found: "Settings") -> "Settings":
        rules = tuple(rule for rule in found.rules if rule.name != name)
        if len(rules) == len(found.rules):
            raise NotFound(f'There is no rule called "{name}".')
        return replace(found, rules=rules)

    _change(caller, address, edit)


@command.command(examples="mailserver filter load alice@example.org settings.sieve")
@click.argument("address")
@click.argument("file", type=_FILE)
@click.pass_obj
def load(caller: Caller, address: str, file: Path) -> None:
    """Set what `show --sieve` printed; a text that was edited runs as it stands, and is not changed any more."""
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.directory.filter_settings import keeping
    from mailserver.directory.filter_settings.model import check
    from mailserver.directory.filter_settings.reading import EditedByHand, read

    limits = caller.load().config.limits.sieve
    text = b"\r\n".join(file.read_bytes().replace(b"\r\n", b"\n").split(b"\n"))

    def job(tx: "Write") -> bool:
        account = accounts.at(tx, parse(address))
        try:
            check(read(text), account.address, limits)
            is_edited = False
        except EditedByHand:
            is_edited = True
        keeping.put(tx, account, text, limits)
        return is_edited

    with caller.store() as store:
        is_edited = store.write_now(job)
    said = "edited by hand: the settings no longer change it" if is_edited else "set"
    caller.answer({"address": address, "edited": is_edited}, f"settings of {address}: {said}")


@command.command(examples="mailserver filter history alice@example.org")
@click.argument("address")
@click.pass_obj
def history(caller: Caller, address: str) -> None:
    """List what was set before, by versions."""
    from mailserver.app.answers import moment, table
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse

    def job(tx: "Read") -> "list[dict[str, object]]":
        found = tx.scripts.settings(accounts.at(tx, parse(address)).id)
        return [
            {"version": version, "size": size, "changed_at": moment(at)}
            for version, size, at in (tx.scripts.versions(found.id) if found else ())
        ]

    with caller.store() as store:
        rows = store.read_now(job)
    caller.answer(rows, table(rows, ("version", "size", "changed_at")))


@command.command(examples="mailserver filter restore alice@example.org 3")
@click.argument("address")
@click.argument("version", type=int)
@click.pass_obj
def restore(caller: Caller, address: str, version: int) -> None:
    """Set again what a former version had set."""
    from mailserver.base.errors import NotFound
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.directory.filter_settings import keeping

    limits = caller.load().config.limits.sieve

    def job(tx: "Write") -> None:
        account = accounts.at(tx, parse(address))
        found = tx.scripts.settings(account.id)
        if found is None:
            raise NotFound("Nothing was ever set.")
        keeping.put(tx, account, tx.scripts.content(found.id, version), limits)

    with caller.store() as store:
        store.write_now(job)
    caller.answer(
        {"address": address, "restored": version}, f"version {version} is set for {address} again"
    )


@command.command(examples="mailserver filter reset alice@example.org")
@click.argument("address")
@click.pass_obj
def reset(caller: Caller, address: str) -> None:
    """Set nothing any more, also where the script was edited by hand; the user's own script stays."""
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.directory.filter_settings import keeping

    limits = caller.load().config.limits.sieve
    with caller.store() as store:
        store.write_now(lambda tx: keeping.reset(tx, accounts.at(tx, parse(address)), limits))
    caller.answer({"address": address, "done": "reset"}, f"nothing is set for {address}")


def _change(caller: Caller, address: str, edit: "Callable[[Settings], Settings]") -> None:
    from mailserver.app.filter_answers import as_object, lines
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.directory.filter_settings import keeping

    limits = caller.load().config.limits.sieve

    def job(tx: "Write") -> "Settings":
        return keeping.change(tx, accounts.at(tx, parse(address)), edit, limits)

    with caller.store() as store:
        made = store.write_now(job)
    caller.answer(as_object(made), map(one_line, lines(made)))
