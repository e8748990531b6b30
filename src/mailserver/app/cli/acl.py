"""`mailserver acl set|get|list`."""

import click

from mailserver.app.command import Caller, Group

EXAMPLES = """
mailserver acl set alice@example.org/Work bob@example.org lrs
mailserver acl set sales@example.org group:sales@example.org +t
mailserver acl get alice@example.org/Work
mailserver acl list
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Who may do what with which mailbox, besides its owner."""


@command.command(
    name="set",
    examples="mailserver acl set alice@example.org/Work bob@example.org lrswite\n"
    "mailserver acl set alice@example.org/Work group:sales@example.org +a\n"
    "mailserver acl set alice@example.org/Work bob@example.org none",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("mailbox")
@click.argument("identifier")
@click.argument("rights")
@click.pass_obj
def set_(caller: Caller, mailbox: str, identifier: str, rights: str) -> None:
    """Let IDENTIFIER do RIGHTS with MAILBOX.

    MAILBOX is ADDRESS/NAME, or ADDRESS for its INBOX or for the shared mailbox. IDENTIFIER is a user, group:GROUP, or
    anyone: all of the owner's domain; with "-" in front, the rights are taken away. RIGHTS are letters of lrswipkxtea,
    with + or - in front to change what there is, or none.
    """
    from mailserver.app.answers import rights_rows
    from mailserver.base.errors import Cannot, PeerError
    from mailserver.directory import sharing
    from mailserver.store.tx import Write
    from mailserver.store.values import AclEntry

    letters = "" if rights == "none" else rights

    def job(tx: Write) -> tuple[str, list[AclEntry]]:
        found = sharing.mailbox_at(tx, mailbox)
        sharing.change(tx, found, identifier, letters)
        return sharing.name_of(tx, found), tx.acl.entries(found.id)

    try:
        with caller.store() as store:
            name, entries = store.write_now(job)
    except PeerError as error:
        raise Cannot(f"{error}; there are lrswipkxtea, and none") from None
    caller.answer(rights_rows(name, entries), f"rights to {name} changed")


@command.command(examples="mailserver acl get alice@example.org/Work --json")
@click.argument("mailbox")
@click.pass_obj
def get(caller: Caller, mailbox: str) -> None:
    """Show who may do what with MAILBOX, besides its owner."""
    from mailserver.app.answers import rights_rows, table
    from mailserver.directory import sharing
    from mailserver.store.tx import Read
    from mailserver.store.values import AclEntry

    def job(tx: Read) -> tuple[str, list[AclEntry]]:
        found = sharing.mailbox_at(tx, mailbox)
        return sharing.name_of(tx, found), tx.acl.entries(found.id)

    with caller.store() as store:
        rows = rights_rows(*store.read_now(job))
    caller.answer(rows, table(rows, ("identifier", "rights")))


@command.command(name="list", examples="mailserver acl list\nmailserver acl list alice@example.org")
@click.argument("address", required=False)
@click.pass_obj
def list_(caller: Caller, address: str | None) -> None:
    """List what is shared, by everybody or by ADDRESS."""
    from mailserver.app.answers import rights_rows, table
    from mailserver.directory import sharing
    from mailserver.directory.addresses import parse

    at = parse(address) if address is not None else None
    with caller.store() as store:
        found = store.read_now(lambda tx: sharing.listed(tx, at))
    rows = [row for name, entries in found for row in rights_rows(name, entries)]
    caller.answer(rows, table(rows, ("mailbox", "identifier", "rights")))
