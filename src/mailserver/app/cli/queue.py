"""`mailserver queue list|show|status|retry|hold|release|cancel|pause|resume` and `queue rule add|list|remove`."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group, limit_option, one_line
from mailserver.app.queue_choice import Choice, Choosing, act, found

if TYPE_CHECKING:
    from mailserver.store.queue_filter import QueueFilter
    from mailserver.store.queue_holding import Acted
    from mailserver.store.tx import Read, Write

EXAMPLES = """
mailserver queue status
mailserver queue list --domain example.org
mailserver queue show 4711
mailserver queue retry --destination example.org
mailserver queue hold --sender '*@example.net'
mailserver queue cancel 4711
"""

ALL = "All mail that is not finished."


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Mail that leaves: what waits, why, and what to do about it."""


@command.command(
    name="list",
    cls=Choosing,
    all_means="Finished mail, too, as long as it is remembered.",
    examples="mailserver queue list\n"
    "mailserver queue list --state deferred --older-than 4h\n"
    "mailserver queue list --sender alice@example.org --all --json\n"
    "mailserver queue list --domain '*.example.org' --limit 500",
)
@limit_option("How many recipients at most.", 100, most=10_000)
@click.option(
    "--after",
    type=click.IntRange(0),
    default=0,
    metavar="RECIPIENT-ID",
    help="The next page: go on behind this one.",
)
@click.pass_obj
def list_(caller: Caller, choice: Choice, limit: int, after: int) -> None:
    """List mail in the queue, a line for each recipient; filters leave what meets all of them.

    ID is the number of a message or the id of the transaction that brought it, as in the reply to the client.
    """
    from mailserver.app.queue_answers import entry_row, listed
    from mailserver.store.queue_listing import Entry

    def job(tx: "Read") -> list[Entry]:
        entries: list[Entry] = []
        for which in choice.filters(tx, int(time.time()), () if choice.is_all else None):
            entries += tx.queue.list(which, after, limit + 1 - len(entries))
            if len(entries) > limit:
                break
        return entries

    with caller.store() as store:
        entries = store.read_now(job)
    if len(entries) > limit:
        entries = entries[:limit]
        last = entries[-1].recipient.id
        click.echo(f"there are more; the next page: --after {last}", err=True)
    caller.answer([entry_row(entry) for entry in entries], listed(entries))


@command.command(
    examples="mailserver queue show 4711\n"
    "mailserver queue show 4f0c9e2b7a6d1583          the id in the reply to the client\n"
    "mailserver queue show 4711 --content | less"
)
@click.argument("id")
@click.option("--content", is_flag=True, help="The message itself, as it leaves.")
@click.pass_obj
def show(caller: Caller, id: str, content: bool) -> None:
    """Show a message with its recipients and every attempt to deliver it; all messages of a transaction."""
    from mailserver.app.explaining import address_of
    from mailserver.app.queue_answers import shown_row, told
    from mailserver.store.queue_listing import Shown

    def job(tx: "Read") -> list[tuple[Shown, str | None]]:
        shown = [tx.queue.show(message) for message in found(tx, id)]
        accounts = [one.queued.account for one in shown]
        names = [None if account is None else address_of(tx, account) for account in accounts]
        return list(zip(shown, names, strict=True))

    if content and caller.as_json:
        raise click.UsageError("--content is not told in JSON.")
    with caller.store() as store:
        if content:
            for octets in store.read_now(
                lambda tx: [tx.queue.content(message) for message in found(tx, id)]
            ):
                _print(octets)
            return
        messages = store.read_now(job)
    text: list[str] = []
    for one, account in messages:
        text += [*told(one, account), ""]
    caller.answer([shown_row(one, account) for one, account in messages], text[:-1])


@command.command(examples="mailserver queue status\nmailserver queue status --json")
@click.pass_obj
def status(caller: Caller) -> None:
    """Say how much mail waits, since when, and which destinations have most of it."""
    from mailserver.app.queue_answers import depth_row, destination_row, summary

    now = int(time.time())
    with caller.store() as store:
        depth, fullest = store.read_now(lambda tx: (tx.queue.depth(now), tx.destinations.list(20)))
    row = depth_row(depth, now) | {"fullest": [destination_row(one, now) for one in fullest]}
    caller.answer(row, summary(depth, fullest, now))


@command.command(
    cls=Choosing,
    all_means=ALL,
    examples="mailserver queue retry 4711\n"
    "mailserver queue retry --destination example.org\n"
    "mailserver queue retry --all",
)
@click.pass_obj
def retry(caller: Caller, choice: Choice) -> None:
    """Try mail again now, whatever was planned; a destination that was not reached is tried again, too."""
    _act(caller, choice, "made due", lambda tx, which, after: tx.queue.retry(which, after))


@command.command(
    cls=Choosing,
    all_means=ALL,
    examples="mailserver queue hold 4711\nmailserver queue hold --sender '*@example.net'",
)
@click.pass_obj
def hold(caller: Caller, choice: Choice) -> None:
    """Keep mail in the queue until it is released; it does not expire meanwhile.

    A delivery that is under way is not broken off.
    """
    _act(caller, choice, "held", lambda tx, which, after: tx.queue.hold(which, after=after))


@command.command(
    cls=Choosing,
    all_means="Everything that is held.",
    examples="mailserver queue release 4711\nmailserver queue release --sender '*@example.net'",
)
@click.pass_obj
def release(caller: Caller, choice: Choice) -> None:
    """Let held mail go, once: the rule that held it does not hold it again."""
    _act(caller, choice, "released", lambda tx, which, after: tx.queue.release(which, after))


@command.command(
    cls=Choosing,
    all_means=ALL,
    examples="mailserver queue cancel 4711\n"
    "mailserver queue cancel 4711 --recipient bob@example.org\n"
    "mailserver queue cancel --sender mallory@example.net --yes",
)
@click.option("--yes", is_flag=True, help="Do not ask, even at a terminal.")
@click.pass_obj
def cancel(caller: Caller, choice: Choice, yes: bool) -> None:
    """Give mail up without a notice to anybody; at a terminal it asks first.

    A delivery that is under way may still succeed, and is then shown as delivered.
    """
    if not (yes or choice.is_nothing) and sys.stdin.isatty():
        click.confirm("Give this mail up?  Nobody is told.", abort=True, err=True)
    _act(caller, choice, "cancelled", lambda tx, which, after: tx.queue.cancel(which, after))


@command.command(
    examples="mailserver queue pause example.org\nmailserver queue pause smtp:relay.example.net:25"
)
@click.argument("destinations", nargs=-1, required=True, metavar="DESTINATION...")
@click.pass_obj
def pause(caller: Caller, destinations: tuple[str, ...]) -> None:
    """Send nothing to a next hop until `queue resume`; its mail waits.

    DESTINATION is a domain, or what `queue status` shows: [ADDRESS], smtp:HOST:PORT, lmtp:HOST:PORT or local.  Mail for
    a domain that goes by a smarthost or a route has that as its destination; a hold rule stops one domain of it.
    """
    from mailserver.app.config import smarthost
    from mailserver.mta.nexthop import choose
    from mailserver.mta.route import hops

    names = [_destination(text) for text in destinations]
    hub = smarthost(caller.load().config)
    with caller.store() as store:
        for name in names:
            store.write_now(lambda tx, name=name: tx.destinations.pause(name))  # type: ignore[misc]
        table = store.read_now(lambda tx: hops(tx, hub))
    for name in names:
        is_domain = not name.startswith(("[", "smtp:", "lmtp:")) and name != "local"
        if is_domain and (hop := choose(table, "", name)) != name:
            click.echo(
                f"warning: mail for {name} goes by {hop}; what stops it: mailserver queue rule add domain {name}",
                err=True,
            )
    caller.answer({"paused": names}, f"{', '.join(names)} paused")


@command.command(examples="mailserver queue resume example.org")
@click.argument("destinations", nargs=-1, required=True, metavar="DESTINATION...")
@click.pass_obj
def resume(caller: Caller, destinations: tuple[str, ...]) -> None:
    """Send again to a next hop that was paused."""
    names = [_destination(text) for text in destinations]
    with caller.store() as store:
        for name in names:
            store.write_now(lambda tx, name=name: tx.destinations.resume(name))  # type: ignore[misc]
    caller.answer({"resumed": names}, f"{', '.join(names)} resumed")


@command.group(
    cls=Group,
    examples="mailserver queue rule add sender '*@example.net'\n"
    "mailserver queue rule list\n"
    "mailserver queue rule remove 3",
)
def rule() -> None:
    """What new mail is held until somebody has looked at it."""


@rule.command(
    name="add",
    examples="mailserver queue rule add sender mallory@example.net --note 'stolen password?'\n"
    "mailserver queue rule add domain '*.example.net'\n"
    "mailserver queue rule add account alice@example.org",
)
@click.argument("field", type=click.Choice(["sender", "recipient", "domain", "account"]))
@click.argument("pattern")
@click.option("--note", default="", metavar="TEXT", help="Why; shown in the list.")
@click.pass_obj
def rule_add(caller: Caller, field: str, pattern: str, note: str) -> None:
    """Hold new mail whose FIELD matches PATTERN, in which * stands for anything; <> is the null sender.

    FIELD is the envelope sender, the recipient's address, the recipient's domain, or the account that submitted it.
    Mail that is in the queue already goes on; `queue hold` takes the same filters.
    """
    from mailserver.app.queue_answers import rule_row

    pattern = "" if pattern == "<>" else pattern
    with caller.store() as store:
        added = store.write_now(lambda tx: tx.hold_rules.add(field, pattern, note))
    caller.answer(rule_row(added), f"rule {added.id} added")


@rule.command(name="list", examples="mailserver queue rule list")
@click.pass_obj
def rule_list(caller: Caller) -> None:
    """List the rules."""
    from mailserver.app.answers import table
    from mailserver.app.queue_answers import rule_row

    with caller.store() as store:
        rows = [rule_row(one) for one in store.read_now(lambda tx: tx.hold_rules.list())]
    shown = [row | {"pattern": row["pattern"] or "<>"} for row in rows]
    caller.answer(rows, table(shown, ("id", "field", "pattern", "note", "created_at")))


@rule.command(name="remove", examples="mailserver queue rule remove 3")
@click.argument("id", type=click.IntRange(1))
@click.pass_obj
def rule_remove(caller: Caller, id: int) -> None:
    """Take a rule away; what it held stays held until `queue release`."""
    with caller.store() as store:
        store.write_now(lambda tx: tx.hold_rules.remove(id))
    caller.answer({"removed": id}, f"rule {id} removed")


def _act(
    caller: Caller,
    choice: Choice,
    done: str,
    do: "Callable[[Write, QueueFilter, int], Acted]",
) -> None:
    if choice.is_nothing:
        raise click.UsageError("Name messages, filter them, or say --all.")
    with caller.store() as store:
        number = act(store, choice, int(time.time()), do)
    noun = "recipient" if number == 1 else "recipients"
    caller.answer({"recipients": number}, f"{number} {noun} {done}")


def _print(content: bytes) -> None:
    """As it is; to a terminal without what terminals obey."""
    if sys.stdout.isatty():
        for line in content.decode("utf-8", "replace").splitlines():
            click.echo(one_line(line))
    else:
        click.echo(content, nl=False)


def _destination(text: str) -> str:
    """A destination's name as the queue spells it.  Raises Cannot."""
    from mailserver.base.errors import Cannot, PeerError
    from mailserver.directory.addresses import domain_name
    from mailserver.mta.nexthop import hop
    from mailserver.smtp.address import parse_domain

    if text == "local":
        return text
    if text.startswith(("smtp:", "lmtp:")):
        return hop(text)
    if text.startswith("["):
        try:
            return parse_domain(text)
        except PeerError as error:
            raise Cannot(f"{text} is no address literal, as [192.0.2.1] is") from error
    return domain_name(text)
