"""`mailserver sieve watch|unwatch`: scripts that run for what users do in their mailboxes."""

from typing import TYPE_CHECKING

import click

from mailserver.app.cli.sieve.scripts import change
from mailserver.app.command import Caller, Command

if TYPE_CHECKING:
    from mailserver.store.tx import Write


@click.command(
    cls=Command,
    examples="mailserver sieve watch server learn-spam --cause COPY --mailbox '\\Junk'\n"
    "mailserver sieve watch server learn-ham --cause COPY --from '\\Junk'\n"
    "mailserver sieve watch example.org",
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


@click.command(cls=Command, examples="mailserver sieve unwatch server learn-spam")
@click.argument("whose")
@click.argument("name")
@click.pass_obj
def unwatch(caller: Caller, whose: str, name: str) -> None:
    """Run a script no more for what users do in their mailboxes; it stays where it is."""
    change(
        caller,
        whose,
        name,
        lambda tx, owner: tx.events.unwatch(tx.scripts.find(owner, name).id),
        "runs for no events any more",
    )
