"""`mailserver alias add|list|remove`."""

import click

from mailserver.app.command import Caller, Group

EXAMPLES = """
mailserver alias add info@example.org alice@example.org bob@example.org
mailserver alias list
mailserver alias remove info@example.org
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Addresses that stand for other addresses."""


@command.command(
    examples="mailserver alias add postmaster@example.org alice@example.org\n"
    "mailserver alias add team@example.org alice@example.org bob@example.org"
)
@click.argument("address")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.pass_obj
def add(caller: Caller, address: str, targets: tuple[str, ...]) -> None:
    """Mail to ADDRESS goes to each TARGET."""
    from mailserver.app.answers import alias_row
    from mailserver.directory import aliases
    from mailserver.directory.addresses import parse

    at = parse(address)
    to = [parse(target) for target in targets]
    with caller.store() as store:
        added = store.write_now(lambda tx: aliases.create(tx, at, to))
        for target in store.read_now(lambda tx: aliases.missing(tx, to)):
            click.echo(f"warning: there is no user or alias {target} yet", err=True)
    caller.answer(alias_row(added), f"alias {at} added")


@command.command(
    name="list", examples="mailserver alias list\nmailserver alias list example.org --json"
)
@click.argument("domain", required=False)
@click.pass_obj
def list_(caller: Caller, domain: str | None) -> None:
    """List the aliases, all or those of DOMAIN."""
    from mailserver.app.answers import alias_row, table
    from mailserver.directory.addresses import domain_name
    from mailserver.store.tx import Read
    from mailserver.store.values import Alias

    name = domain_name(domain) if domain is not None else None

    def job(tx: Read) -> list[Alias]:
        return tx.aliases.list(tx.domains.by_name(name).id if name is not None else None)

    with caller.store() as store:
        rows = [alias_row(alias) for alias in store.read_now(job)]
    caller.answer(rows, table(rows, ("address", "targets")))


@command.command(examples="mailserver alias remove info@example.org")
@click.argument("address")
@click.pass_obj
def remove(caller: Caller, address: str) -> None:
    """ADDRESS stands for nobody any more."""
    from mailserver.directory.addresses import parse

    at = parse(address)
    with caller.store() as store:
        store.write_now(lambda tx: tx.aliases.remove(tx.aliases.get(at.localpart, at.domain).id))
    caller.answer({"removed": str(at)}, f"alias {at} removed")
