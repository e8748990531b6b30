"""`mailserver app-password add|list|revoke`."""

import click

from mailserver.app.command import Caller, Group

EXAMPLES = """
mailserver app-password add alice@example.org telephone
mailserver app-password list alice@example.org
mailserver app-password revoke alice@example.org telephone
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Passwords for single programs and devices, made by the server."""


@command.command(examples="mailserver app-password add alice@example.org telephone")
@click.argument("address")
@click.argument("name")
@click.pass_obj
def add(caller: Caller, address: str, name: str) -> None:
    """Make a password for ADDRESS and show it, once.  NAME says which program has it."""
    from mailserver.app.answers import app_password_row
    from mailserver.directory import accounts, app_passwords, proofs
    from mailserver.directory.addresses import parse
    from mailserver.directory.seal import load_or_make
    from mailserver.store.tx import Read
    from mailserver.store.values import Account, ScramRow

    at = parse(address)
    app_passwords.check_name(name)

    def look(tx: Read) -> tuple[Account, ScramRow, bool]:
        account = accounts.at(tx, at)
        is_sealed = tx.domains.get(account.domain_id).cram_md5
        return account, proofs.row_of(tx, account), is_sealed

    with caller.store() as store:
        account, row, is_sealed = store.read_now(look)
        seal = load_or_make(caller.load().config.data_dir) if is_sealed else None
        made = app_passwords.make(account, row, seal)
        added = store.write_now(lambda tx: app_passwords.create(tx, account, name, row, made))
    caller.answer(
        {**app_password_row(added), "password": made.password},
        [made.password, "It is shown this once.  Log in with it in the place of the password."],
    )


@command.command(
    name="list",
    examples="mailserver app-password list alice@example.org\n"
    "mailserver app-password list alice@example.org --json",
)
@click.argument("address")
@click.pass_obj
def list_(caller: Caller, address: str) -> None:
    """List the app passwords of ADDRESS, without themselves."""
    from mailserver.app.answers import app_password_row, table
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse

    at = parse(address)
    with caller.store() as store:
        found = store.read_now(lambda tx: tx.app_passwords.list(accounts.at(tx, at).id))
    rows = [app_password_row(password) for password in found]
    caller.answer(rows, table(rows, ("name", "cram_md5", "created_at", "last_used_at")))


@command.command(examples="mailserver app-password revoke alice@example.org telephone")
@click.argument("address")
@click.argument("name")
@click.pass_obj
def revoke(caller: Caller, address: str, name: str) -> None:
    """Nobody logs in with it any more; connections that are open stay open."""
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse

    at = parse(address)
    with caller.store() as store:
        store.write_now(lambda tx: tx.app_passwords.remove(accounts.at(tx, at).id, name))
    caller.answer({"revoked": name}, f"app password {name} of {at} revoked")
