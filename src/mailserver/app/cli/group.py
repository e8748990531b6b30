"""`mailserver group add|list|show|remove`."""

import sys

import click

from mailserver.app.command import Caller, Group

EXAMPLES = """
mailserver group add sales@example.org alice@example.org bob@example.org
mailserver group show sales@example.org
mailserver group remove sales@example.org bob@example.org
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Users who are given rights to mailboxes together."""


@command.command(
    examples="mailserver group add sales@example.org alice@example.org bob@example.org"
)
@click.argument("group")
@click.argument("members", nargs=-1, metavar="[USER]...")
@click.pass_obj
def add(caller: Caller, group: str, members: tuple[str, ...]) -> None:
    """Put each USER into GROUP, which is made if it is not there.

    GROUP has the form of an address, but gets no mail: that is what aliases and shared mailboxes are for.
    """
    from mailserver.app.answers import group_row
    from mailserver.directory import identifiers, sharing
    from mailserver.directory.addresses import parse
    from mailserver.store.tx import Write
    from mailserver.store.values import AccountGroup

    at = parse(group)

    def job(tx: Write) -> AccountGroup:
        return sharing.add_group(tx, at, [identifiers.member_at(tx, text) for text in members])

    with caller.store() as store:
        made = store.write_now(job)
    caller.answer(group_row(made), f"group {at} has {len(made.members)} members")


@command.command(name="list", examples="mailserver group list\nmailserver group list example.org")
@click.argument("domain", required=False)
@click.pass_obj
def list_(caller: Caller, domain: str | None) -> None:
    """List the groups, all or those of DOMAIN."""
    from mailserver.app.answers import group_row, table
    from mailserver.directory.addresses import domain_name
    from mailserver.store.tx import Read
    from mailserver.store.values import AccountGroup

    name = domain_name(domain) if domain is not None else None

    def job(tx: Read) -> list[AccountGroup]:
        return tx.groups.list(tx.domains.by_name(name).id if name is not None else None)

    with caller.store() as store:
        rows = [group_row(group) for group in store.read_now(job)]
    caller.answer(rows, table(rows, ("group", "members")))


@command.command(examples="mailserver group show sales@example.org --json")
@click.argument("group")
@click.pass_obj
def show(caller: Caller, group: str) -> None:
    """Show who is in GROUP."""
    from mailserver.app.answers import group_row
    from mailserver.directory.addresses import parse
    from mailserver.directory.identifiers import group_at

    at = parse(group)
    with caller.store() as store:
        found = store.read_now(lambda tx: group_at(tx, at))
    caller.answer(group_row(found), found.members)


@command.command(
    examples="mailserver group remove sales@example.org bob@example.org\n"
    "mailserver group remove sales@example.org --all"
)
@click.argument("group")
@click.argument("members", nargs=-1, metavar="[USER]...")
@click.option("--all", "everything", is_flag=True, help="Remove the group itself.")
@click.option("--yes", is_flag=True, help="Do not ask, even at a terminal.")
@click.pass_obj
def remove(
    caller: Caller, group: str, members: tuple[str, ...], everything: bool, yes: bool
) -> None:
    """Take each USER out of GROUP, or remove it with all rights that it was given."""
    from mailserver.app.answers import group_row
    from mailserver.directory import identifiers, sharing
    from mailserver.directory.addresses import parse
    from mailserver.store.tx import Write
    from mailserver.store.values import AccountGroup

    if bool(members) == everything:
        raise click.UsageError("say who leaves the group, or --all to remove it")
    at = parse(group)

    def leave(tx: Write) -> AccountGroup:
        return sharing.leave_group(tx, at, [identifiers.member_at(tx, text) for text in members])

    with caller.store() as store:
        if members:
            left = store.write_now(leave)
            caller.answer(group_row(left), f"group {at} has {len(left.members)} members")
            return
        found = store.read_now(lambda tx: identifiers.group_at(tx, at))
        if not yes and sys.stdin.isatty():
            question = f"Remove {at} with {len(found.members)} members?"
            click.confirm(question, abort=True, err=True)
        store.write_now(lambda tx: tx.groups.remove(identifiers.group_at(tx, at).id))
    caller.answer({"removed": str(at)}, f"group {at} removed")
