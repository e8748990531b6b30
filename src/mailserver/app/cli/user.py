"""`mailserver user add|list|show|set|passwd|disable|enable|remove|import`."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group, Octets, Size

if TYPE_CHECKING:
    from mailserver.base.ids import AccountId
    from mailserver.smtp.address import Address
    from mailserver.store.store import Store
    from mailserver.store.tx import Write
    from mailserver.store.values import Account, ScramRow

EXAMPLES = """
mailserver user add alice@example.org --password-stdin < password
mailserver user list example.org
mailserver user set alice@example.org --quota 20G
mailserver user import users.csv
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """People who have mailboxes here and log in with their address."""


def _password(from_stdin: bool) -> str:
    """The new password.  Raises Cannot for one that nobody should have."""
    from mailserver.app.secrets import read_secret
    from mailserver.directory.passwords import check_policy

    password = read_secret(from_stdin)
    check_policy(password)
    return password


_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line."
)
_name_option = click.option("--name", metavar="TEXT", help="The person's name.")
_quota_option = click.option(
    "--quota", type=Size(), help="Room for all messages, as 5G; none: what the domain gives."
)


@command.command(
    examples="mailserver user add alice@example.org                   asks for the password\n"
    'mailserver user add bob@example.org --password-stdin --name "Bob" --quota 5G < password'
)
@click.argument("address")
@_password_option
@_name_option
@_quota_option
@click.pass_obj
def add(
    caller: Caller, address: str, password_stdin: bool, name: str | None, quota: Octets | None
) -> None:
    """Give ADDRESS mailboxes: INBOX, Drafts, Sent, Trash, Junk, Archive."""
    from mailserver.app.answers import account_row
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.directory.passwords import hash_password

    at = parse(address)
    octets = quota.octets if quota is not None else None
    with caller.store() as store:
        store.read_now(lambda tx: accounts.domain_of(tx, at))
        password = _password(password_stdin)
        password_hash, keys = hash_password(password), _keys(caller, store, at, password)

        def job(tx: "Write") -> "Account":
            made = accounts.create(tx, at, password_hash, name=name or "", quota=octets)
            if keys is not None:
                tx.scram.put(made.id, keys)
            return made

        added = store.write_now(job)
    caller.answer(account_row(added), f"user {at} added")


@command.command(
    name="list",
    examples="mailserver user list\nmailserver user list example.org --json",
)
@click.argument("domain", required=False)
@click.pass_obj
def list_(caller: Caller, domain: str | None) -> None:
    """List the users, all or those of DOMAIN."""
    from mailserver.app.answers import account_row, table
    from mailserver.directory.addresses import domain_name
    from mailserver.store.tx import Read

    name = domain_name(domain) if domain is not None else None

    def job(tx: Read, after: "AccountId | None") -> "list[Account]":
        within = tx.domains.by_name(name).id if name is not None else None
        return tx.accounts.list(within, after=after)

    found: list[Account] = []
    with caller.store() as store:
        while page := store.read_now(partial(job, after=found[-1].id if found else None)):
            found += page
    users = [account for account in found if not account.is_shared]
    rows = [account_row(a) for a in sorted(users, key=lambda a: (a.domain, a.localpart))]
    caller.answer(
        rows, table(rows, ("address", "name", "is_active", "used", "quota", "last_login_at"))
    )


@command.command(examples="mailserver user show alice@example.org")
@click.argument("address")
@click.pass_obj
def show(caller: Caller, address: str) -> None:
    """Show one user: settings, room used, aliases, forward, addresses he may write as."""
    from mailserver.app.answers import account_row, lines
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.store.tx import Read

    at = parse(address)

    def job(tx: Read) -> dict[str, object]:
        account = accounts.at(tx, at)
        forward = tx.forwards.of(account.id)
        return account_row(account) | {
            "aliases": tx.aliases.owned_by(account.id),
            "forward": list(forward.to),
            "keeps_copy": forward.keeps_copy,
            "send_as": tx.grants.of(account.id),
        }

    with caller.store() as store:
        row = store.read_now(job)
    caller.answer(row, lines(row))


@command.command(
    name="set",
    examples="mailserver user set alice@example.org --quota 20G\n"
    'mailserver user set alice@example.org --name "Alice A."\n'
    "mailserver user set alice@example.org --forward alice@home.example --no-keep\n"
    "mailserver user set alice@example.org --forward none\n"
    "mailserver user set alice@example.org --send-as boss@example.org --send-as @brand.example",
)
@click.argument("address")
@_name_option
@_quota_option
@click.option(
    "--message-size",
    type=Size(),
    help="Largest message to and from this user; none: what the domain gives.",
)
@click.option(
    "--max-messages",
    metavar="N",
    help="How many messages he may keep; none: what the domain gives.",
)
@click.option(
    "--max-mailboxes",
    metavar="N",
    help="How many mailboxes he may have; none: what the domain gives.",
)
@click.option(
    "--admin/--no-admin",
    "is_admin",
    default=None,
    help="Whether he may change the quotas of all users over IMAP.",
)
@click.option(
    "--time-zone",
    metavar="ZONE",
    help="In which his days begin, for the dates in his filters: Europe/Berlin; none: the server's.",
)
@click.option(
    "--forward",
    multiple=True,
    metavar="ADDRESS",
    help="Pass his mail on; several times for several addresses; none: no more.",
)
@click.option(
    "--keep/--no-keep",
    default=None,
    help="Whether what is passed on stays here as well.  It does unless told otherwise.",
)
@click.option(
    "--send-as",
    multiple=True,
    metavar="ADDRESS",
    help="Let him write as ADDRESS, too; @domain: as everybody there.",
)
@click.option("--no-send-as", multiple=True, metavar="ADDRESS", help="Take such a permission back.")
@click.pass_obj
def set_(
    caller: Caller,
    address: str,
    name: str | None,
    quota: Octets | None,
    message_size: Octets | None,
    max_messages: str | None,
    max_mailboxes: str | None,
    is_admin: bool | None,
    time_zone: str | None,
    forward: tuple[str, ...],
    keep: bool | None,
    send_as: tuple[str, ...],
    no_send_as: tuple[str, ...],
) -> None:
    """Change a user's name, limits, forward, or the addresses he may write as."""
    from mailserver.app.answers import account_row
    from mailserver.app.sizes import parse_number
    from mailserver.directory import accounts, aliases, senders
    from mailserver.directory.addresses import parse
    from mailserver.store.accounts import AccountFields
    from mailserver.store.tx import Write

    fields: AccountFields = {}
    if name is not None:
        accounts.check_name(name)
        fields["name"] = name
    if quota is not None:
        fields["quota"] = quota.octets
    if message_size is not None:
        fields["message_size"] = message_size.octets
    if max_messages is not None:
        fields["max_messages"] = parse_number("--max-messages", max_messages)
    if max_mailboxes is not None:
        fields["max_mailboxes"] = parse_number("--max-mailboxes", max_mailboxes)
    if is_admin is not None:
        fields["is_admin"] = is_admin
    if time_zone is not None:
        fields["time_zone"] = None if time_zone == "none" else time_zone
    accounts.check(fields)
    if not (fields or forward or keep is not None or send_as or no_send_as):
        raise click.UsageError("nothing to change; see --help")
    at = parse(address)
    to = [] if forward == ("none",) else [parse(text) for text in forward]
    granted, revoked = senders.grants(send_as), senders.grants(no_send_as)

    def job(tx: Write) -> "Account":
        account = accounts.at(tx, at)
        if forward or keep is not None:
            was = tx.forwards.of(account.id)
            keeps = keep if keep is not None else was.keeps_copy
            there = to if forward else [parse(text) for text in was.to]
            aliases.forward(tx, account, there, keeps_copy=keeps)
        for one in granted:
            tx.grants.add(account.id, one)
        for one in revoked:
            tx.grants.remove(account.id, one)
        return tx.accounts.set(account.id, **fields)

    with caller.store() as store:
        changed = store.write_now(job)
        for target in store.read_now(lambda tx: aliases.missing(tx, to)):
            click.echo(f"warning: there is no user or alias {target} yet", err=True)
    caller.answer(account_row(changed), f"user {at} changed")


@command.command(
    examples="mailserver user passwd alice@example.org\n"
    "mailserver user passwd alice@example.org --password-stdin < password"
)
@click.argument("address")
@_password_option
@click.pass_obj
def passwd(caller: Caller, address: str, password_stdin: bool) -> None:
    """Set a new password; it counts at once."""
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse
    from mailserver.directory.passwords import hash_password

    at = parse(address)
    with caller.store() as store:
        store.read_now(lambda tx: accounts.at(tx, at))
        password = _password(password_stdin)
        password_hash, keys = hash_password(password), _keys(caller, store, at, password)

        def job(tx: "Write") -> None:
            account = accounts.at(tx, at).id
            tx.accounts.set(account, password_hash=password_hash)
            if keys is not None:
                tx.scram.put(account, keys)

        store.write_now(job)
    caller.answer({"changed": str(at)}, f"password of {at} changed")


def _keys(caller: Caller, store: "Store", at: "Address", password: str) -> "ScramRow | None":
    """What SCRAM needs of a new password, unless the configuration turns that off."""
    from mailserver.directory import proofs
    from mailserver.store.tx import Read
    from mailserver.store.values import ScramRow

    if caller.load().config.auth.scram == "off":
        return None

    def look(tx: Read) -> ScramRow:
        account = tx.accounts.by_address(*at)
        return proofs.fresh_row(tx, str(at)) if account is None else proofs.row_of(tx, account)

    return proofs.with_keys(store.read_now(look), password)


def _activate(caller: Caller, address: str, is_active: bool) -> None:
    from mailserver.app.answers import account_row
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse

    at = parse(address)
    with caller.store() as store:
        account = store.write_now(
            lambda tx: tx.accounts.set(accounts.at(tx, at).id, is_active=is_active)
        )
    done = "enabled" if is_active else "disabled"
    caller.answer(account_row(account), f"user {at} {done}")


@command.command(examples="mailserver user disable alice@example.org")
@click.argument("address")
@click.pass_obj
def disable(caller: Caller, address: str) -> None:
    """Let a user neither log in nor get mail; nothing is removed."""
    _activate(caller, address, False)


@command.command(examples="mailserver user enable alice@example.org")
@click.argument("address")
@click.pass_obj
def enable(caller: Caller, address: str) -> None:
    """Undo `user disable`."""
    _activate(caller, address, True)


@command.command(
    examples="mailserver user remove alice@example.org\nmailserver user remove alice@example.org --yes"
)
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask, even at a terminal.")
@click.pass_obj
def remove(caller: Caller, address: str, yes: bool) -> None:
    """Remove a user with all mailboxes and messages; at a terminal it asks first."""
    from mailserver.directory import accounts
    from mailserver.directory.addresses import parse

    at = parse(address)
    with caller.store() as store:
        account = store.read_now(lambda tx: accounts.at(tx, at))
        if not yes and sys.stdin.isatty():
            question = f"Remove {at} with {account.messages} messages?"
            click.confirm(question, abort=True, err=True)
        store.write_now(lambda tx: tx.accounts.remove(accounts.at(tx, at).id))
        for reference in store.read_now(lambda tx: accounts.references(tx, at)):
            click.echo(f"warning: {reference} still leads to {at}", err=True)
    caller.answer({"removed": str(at)}, f"user {at} removed")


@command.command(
    name="import",
    examples="mailserver user import users.csv\n\n"
    "users.csv, a line a user (name and quota may be empty, the heading may be missing):\n"
    "  address,password,name,quota\n"
    "  alice@example.org,correct horse battery,Alice,5G\n"
    "  bob@example.org,$argon2id$v=19$m=19456...,Bob,",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip-existing", is_flag=True, help="Leave out users that exist already.")
@click.pass_obj
def import_(caller: Caller, file: Path, skip_existing: bool) -> None:
    """Add all users in FILE, or none: every line is checked before the first is added.

    Passwords are plain, or hashed already with argon2 or bcrypt.  If it is interrupted in the middle, --skip-existing
    adds the rest.
    """
    from mailserver.app.importing import import_users

    with caller.store() as store:
        added = import_users(
            store,
            file,
            lambda text: click.echo(text, err=True),
            skip_existing=skip_existing,
            makes_keys=caller.load().config.auth.scram != "off",
        )
    caller.answer({"added": added}, f"{added} users added")
