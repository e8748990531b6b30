"""`mailserver trust add|list|remove`."""

import click

from mailserver.app.command import Caller, Group

EXAMPLES = """
mailserver trust add network 192.0.2.0/24 --note 'our backup server'
mailserver trust add forwarder lists.example.org
mailserver trust add sealer example.net
mailserver trust list
"""

_KIND = click.Choice(["network", "forwarder", "sealer"])


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Who may pass on other people's mail: servers of our own, forwarders and mailing lists, ARC sealers."""


@command.command(
    examples="mailserver trust add network 192.0.2.0/24\n"
    "mailserver trust add network 2001:db8::25 --note 'our backup server'\n"
    "mailserver trust add forwarder lists.example.org\n"
    "mailserver trust add sealer example.net"
)
@click.argument("kind", type=_KIND)
@click.argument("value")
@click.option("--note", default="", metavar="TEXT", help="Why.")
@click.pass_obj
def add(caller: Caller, kind: str, value: str, note: str) -> None:
    """Trust VALUE from now on.

    A network's mail is not judged at all.  Mail that a forwarder's own SPF or DKIM speaks for is taken whatever the
    author's domain publishes.  What a sealer says it found is believed where its ARC seal is right.
    """
    from mailserver.app.answers import trusted_row
    from mailserver.directory import trust

    with caller.store() as store:
        added = store.write_now(lambda tx: trust.add(tx, kind, value, note))
    caller.answer(trusted_row(added), f"{added.kind} {added.value} is trusted")


@command.command(name="list", examples="mailserver trust list\nmailserver trust list --json")
@click.pass_obj
def list_(caller: Caller) -> None:
    """List whom we trust."""
    from mailserver.app.answers import table, trusted_row

    with caller.store() as store:
        rows = [trusted_row(one) for one in store.read_now(lambda tx: tx.trusted.list())]
    caller.answer(rows, table(rows, ("kind", "value", "note", "created_at")))


@command.command(examples="mailserver trust remove sealer example.net")
@click.argument("kind", type=_KIND)
@click.argument("value")
@click.pass_obj
def remove(caller: Caller, kind: str, value: str) -> None:
    """Trust VALUE no more."""
    from mailserver.directory import trust

    with caller.store() as store:
        gone = store.write_now(lambda tx: trust.remove(tx, kind, value))
    caller.answer({"removed": gone}, f"{kind} {gone} is trusted no more")
