"""`mailserver shared add|list|show|set|remove`."""

import sys
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group, Octets, Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailserver.store.accounts import AccountFields
    from mailserver.store.values import Account

EXAMPLES = """
mailserver shared add sales@example.org --for group:sales@example.org
mailserver shared list
mailserver shared set sales@example.org --quota 20G
mailserver acl set sales@example.org alice@example.org +kxa
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Mailboxes that belong to nobody: several users read them, mail to their address goes into them."""


_name_option = click.option("--name", metavar="TEXT", help="What it is for.")
_quota_option = click.option(
    "--quota", type=Size(), help="Room for all its messages, as 5G; none: what the domain gives."
)


@command.command(
    examples="mailserver shared add sales@example.org --for group:sales@example.org\n"
    "mailserver shared add info@example.org --for alice@example.org --for bob@example.org --quota 5G"
)
@click.argument("address")
@click.option(
    "--for",
    "to",
    multiple=True,
    metavar="IDENTIFIER",
    help="Who may use it: USER, group:GROUP, anyone.",
)
@click.option("--closed", is_flag=True, help="Only those who may use it may send mail to it.")
@_name_option
@_quota_option
@click.pass_obj
def add(
    caller: Caller,
    address: str,
    to: tuple[str, ...],
    closed: bool,
    name: str | None,
    quota: Octets | None,
) -> None:
    """Make a shared mailbox: mail to ADDRESS goes into it, whoever may use it sees it as Shared/NAME."""
    from mailserver.app.answers import shared_row
    from mailserver.directory import sharing
    from mailserver.directory.addresses import parse
    from mailserver.store.tx import Write

    at = parse(address)
    octets = quota.octets if quota is not None else None

    def job(tx: Write) -> "Account":
        return sharing.create(tx, at, name=name or "", quota=octets, to=to, is_open=not closed)

    with caller.store() as store:
        made = store.write_now(job)
    caller.answer(shared_row(made), f"shared mailbox {at} added")


@command.command(name="list", examples="mailserver shared list\nmailserver shared list example.org")
@click.argument("domain", required=False)
@click.pass_obj
def list_(caller: Caller, domain: str | None) -> None:
    """List the shared mailboxes, all or those of DOMAIN."""
    from mailserver.app.answers import shared_row, table
    from mailserver.directory.addresses import domain_name
    from mailserver.store.tx import Read

    name = domain_name(domain) if domain is not None else None

    def job(tx: Read) -> "Sequence[Account]":
        return tx.accounts.shared(tx.domains.by_name(name).id if name is not None else None)

    with caller.store() as store:
        rows = [shared_row(owner) for owner in store.read_now(job)]
    caller.answer(rows, table(rows, ("address", "name", "messages", "used", "quota")))


@command.command(examples="mailserver shared show sales@example.org --json")
@click.argument("address")
@click.pass_obj
def show(caller: Caller, address: str) -> None:
    """Show a shared mailbox and who may use it."""
    from mailserver.app.answers import lines, rights_rows, shared_row
    from mailserver.directory import sharing
    from mailserver.directory.addresses import parse
    from mailserver.store.tx import Read

    at = parse(address)

    def job(tx: Read) -> dict[str, object]:
        owner = sharing.at(tx, at)
        entries = tx.acl.entries(tx.mailboxes.get(owner.id, "INBOX").id)
        rows = rights_rows(str(at), entries)
        return shared_row(owner) | {"rights": {row["identifier"]: row["rights"] for row in rows}}

    with caller.store() as store:
        row = store.read_now(job)
    rights = row["rights"]
    people = dict(row)
    if isinstance(rights, dict):
        people["rights"] = [f"{who} {letters}" for who, letters in rights.items()]
    caller.answer(row, lines(people))


@command.command(name="set", examples="mailserver shared set sales@example.org --quota 20G")
@click.argument("address")
@_name_option
@_quota_option
@click.pass_obj
def set_(caller: Caller, address: str, name: str | None, quota: Octets | None) -> None:
    """Change a shared mailbox."""
    from mailserver.app.answers import shared_row
    from mailserver.directory import accounts, sharing
    from mailserver.directory.addresses import parse

    fields: AccountFields = {}
    if name is not None:
        accounts.check_name(name)
        fields["name"] = name
    if quota is not None:
        fields["quota"] = quota.octets
    if not fields:
        raise click.UsageError("nothing to change; see --help")
    at = parse(address)
    with caller.store() as store:
        changed = store.write_now(lambda tx: tx.accounts.set(sharing.at(tx, at).id, **fields))
    caller.answer(shared_row(changed), f"shared mailbox {at} changed")


@command.command(examples="mailserver shared remove sales@example.org --yes")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask, even at a terminal.")
@click.pass_obj
def remove(caller: Caller, address: str, yes: bool) -> None:
    """Remove a shared mailbox with all its messages; at a terminal it asks first."""
    from mailserver.directory import accounts, sharing
    from mailserver.directory.addresses import parse

    at = parse(address)
    with caller.store() as store:
        owner = store.read_now(lambda tx: sharing.at(tx, at))
        if not yes and sys.stdin.isatty():
            question = f"Remove {at} with {owner.messages} messages?"
            click.confirm(question, abort=True, err=True)
        store.write_now(lambda tx: tx.accounts.remove(sharing.at(tx, at).id))
        for reference in store.read_now(lambda tx: accounts.references(tx, at)):
            click.echo(f"warning: {reference} still leads to {at}", err=True)
    caller.answer({"removed": str(at)}, f"shared mailbox {at} removed")
