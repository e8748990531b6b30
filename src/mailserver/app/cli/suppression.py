"""`mailserver suppression add|list|show|remove`."""

import time

import click

from mailserver.app.command import Caller, Group, limit_option, one_line
from mailserver.app.queue_choice import Span, SpanType

EXAMPLES = """
mailserver suppression list
mailserver suppression list '*@example.org'
mailserver suppression remove bob@example.org
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Addresses that nothing is sent to, as their server said that they do not exist."""


@command.command(
    examples="mailserver suppression add bob@example.org\n"
    "mailserver suppression add bob@example.org --for 4w --note 'asked us not to write'"
)
@click.argument("address")
@click.option(
    "--for",
    "span",
    type=SpanType(),
    metavar="SPAN",
    help="How long, as 3d or 4w; for good unless set.",
)
@click.option("--note", default="", metavar="TEXT", help="Why; senders are told.")
@click.pass_obj
def add(caller: Caller, address: str, span: Span | None, note: str) -> None:
    """Refuse mail for ADDRESS from now on."""
    from mailserver.app.queue_answers import suppression_row
    from mailserver.directory.addresses import parse

    at = str(parse(address))
    until = None if span is None else int(time.time()) + span.seconds
    with caller.store() as store:
        added = store.write_now(lambda tx: tx.suppressions.add(at, "5.1.1", note, until))
    caller.answer(suppression_row(added), f"{added.address} is suppressed")


@command.command(
    name="list",
    examples="mailserver suppression list\nmailserver suppression list '*@example.org' --json",
)
@click.argument("pattern", default="*")
@limit_option("How many at most.", 1_000)
@click.option(
    "--after", default="", metavar="ADDRESS", help="The next page: go on behind this one."
)
@click.pass_obj
def list_(caller: Caller, pattern: str, limit: int, after: str) -> None:
    """List suppressed addresses, all or those that match PATTERN, in which * stands for anything."""
    from mailserver.app.answers import table
    from mailserver.app.queue_answers import suppression_row

    with caller.store() as store:
        found = store.read_now(lambda tx: tx.suppressions.list(pattern, after.lower(), limit + 1))
    rows = [suppression_row(one) for one in found[:limit]]
    if len(found) > limit:
        click.echo(f"there are more; the next page: --after {found[limit - 1].address}", err=True)
    shown = [row | {"reply": one_line(row["reply"])[:60]} for row in rows]
    caller.answer(rows, table(shown, ("address", "status", "created_at", "expires_at", "reply")))


@command.command(examples="mailserver suppression show bob@example.org")
@click.argument("address")
@click.pass_obj
def show(caller: Caller, address: str) -> None:
    """Show what suppresses ADDRESS now."""
    from mailserver.app.answers import lines
    from mailserver.app.queue_answers import suppression_row
    from mailserver.base.errors import NotFound

    with caller.store() as store:
        found = store.read_now(lambda tx: tx.suppressions.find(address, int(time.time())))
    if found is None:
        raise NotFound(f"{address} is not suppressed.")
    row = suppression_row(found)
    caller.answer(row, map(one_line, lines(row)))


@command.command(examples="mailserver suppression remove bob@example.org")
@click.argument("address")
@click.pass_obj
def remove(caller: Caller, address: str) -> None:
    """Let mail for ADDRESS out again."""
    with caller.store() as store:
        store.write_now(lambda tx: tx.suppressions.remove(address))
    caller.answer({"removed": address.lower()}, f"{address} is suppressed no more")
