"""`mailserver route add|list|remove|find|login|logout|logins`."""

import click

from mailserver.app.command import Caller, Group

EXAMPLES = """
mailserver route add partner.example smtp:mx.partner.example:25
mailserver route add '*' smtp:hub.example.org:587
mailserver route login smtp:hub.example.org:587 --user us --password-stdin < password
mailserver route find bob@partner.example --from alice@example.org
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Where mail for other servers is handed over."""


@command.command(
    examples="mailserver route add partner.example smtp:mx.partner.example:25\n"
    "mailserver route add .partner.example lmtp:10.0.0.7:24     domains below it\n"
    "mailserver route add '*' smtp:hub.example.org:587          all that has no better route\n"
    "mailserver route add direct.example mx                     by its MX, past any smarthost\n"
    "mailserver route add typo.example reject                   no mail goes there"
)
@click.argument("domain")
@click.argument("destination")
@click.pass_obj
def add(caller: Caller, domain: str, destination: str) -> None:
    """Mail for DOMAIN goes to DESTINATION: smtp:HOST:PORT, lmtp:HOST:PORT, mx or reject."""
    from mailserver.app.answers import route_row
    from mailserver.directory.resolve import domain_for
    from mailserver.mta.nexthop import MX, REJECT, hop, route_domain

    at = route_domain(domain)
    to = destination if destination in (MX, REJECT) else hop(destination)
    with caller.store() as store:
        added = store.write_now(lambda tx: tx.routes.add(at, to))
        ours = store.read_now(lambda tx: domain_for(tx, at))
        if ours is not None and not ours.is_backup:
            click.echo(f"warning: {at} is a domain of ours, its mail stays here", err=True)
    caller.answer(route_row(added), f"route for {at} added")


@command.command(name="list", examples="mailserver route list\nmailserver route list --json")
@click.pass_obj
def list_(caller: Caller) -> None:
    """List the routes."""
    from mailserver.app.answers import route_row, table

    with caller.store() as store:
        rows = [route_row(route) for route in store.read_now(lambda tx: tx.routes.list())]
    caller.answer(rows, table(rows, ("domain", "destination")))


@command.command(examples="mailserver route remove partner.example")
@click.argument("domain")
@click.pass_obj
def remove(caller: Caller, domain: str) -> None:
    """Mail for DOMAIN goes its usual way again."""
    from mailserver.mta.nexthop import route_domain

    at = route_domain(domain)
    with caller.store() as store:
        store.write_now(lambda tx: tx.routes.remove(at))
    caller.answer({"removed": at}, f"route for {at} removed")


@command.command(
    examples="mailserver route find team@example.org\n"
    "mailserver route find bob@partner.example --from alice@example.org --json"
)
@click.argument("address")
@click.option("--from", "sender", metavar="ADDRESS", help="Who sends it; smarthosts depend on it.")
@click.pass_obj
def find(caller: Caller, address: str, sender: str | None) -> None:
    """Say where a user's mail to ADDRESS would go now: mailboxes here, other servers, or why nowhere."""
    import time

    from mailserver.app.answers import table
    from mailserver.app.config import smarthost
    from mailserver.directory.addresses import parse
    from mailserver.mta.ways import ways

    to, by = parse(address), parse(sender) if sender is not None else None
    config = caller.load().config
    hub, now = smarthost(config), int(time.time())
    with caller.store() as store:
        found = store.read_now(lambda tx: ways(tx, to, by, config.hostname, hub, now))
    rows = [{"address": way.address, "how": way.how, "destination": way.to} for way in found]
    caller.answer(rows, table(rows, ("address", "how", "destination")))


@command.command(
    examples="mailserver route login smtp:hub.example.org:587 --user us           asks for the password\n"
    "mailserver route login smtp:hub.example.org:587 --user us --password-stdin < password\n"
    "mailserver route login smtp:10.0.0.7:25 --tls verify        no log-in, but a certificate"
)
@click.argument("hop")
@click.option("--user", "login", default="", metavar="NAME", help="Log in under this name.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line."
)
@click.option(
    "--tls",
    type=click.Choice(["may", "encrypt", "verify"]),
    help="TLS if offered; always; always and for the host's name.  Default: verify with a log-in, else may.",
)
@click.pass_obj
def login(caller: Caller, hop: str, login: str, password_stdin: bool, tls: str | None) -> None:
    """How to talk to HOP, which routes and smarthosts name as smtp:HOST:PORT or lmtp:HOST:PORT."""
    from mailserver.app.answers import hop_row
    from mailserver.app.secrets import read_secret
    from mailserver.directory import hops, seal
    from mailserver.mta.nexthop import hop as spelled

    name = spelled(hop)
    password = read_secret(password_stdin) if login else ""
    folder = caller.load().config.data_dir
    with caller.store() as store:
        made = hops.next_hop(
            name,
            tls or ("verify" if login else "may"),
            login,
            password,
            seal.load_or_make(folder),
        )
        store.write_now(lambda tx: tx.routes.set_hop(made))
    caller.answer(hop_row(made), f"log-in at {name} set")


@command.command(examples="mailserver route logout smtp:hub.example.org:587")
@click.argument("hop")
@click.pass_obj
def logout(caller: Caller, hop: str) -> None:
    """Forget log-in and TLS settings of HOP."""
    from mailserver.mta.nexthop import hop as spelled

    name = spelled(hop)
    with caller.store() as store:
        store.write_now(lambda tx: tx.routes.forget_hop(name))
    caller.answer({"removed": name}, f"log-in at {name} forgotten")


@command.command(examples="mailserver route logins\nmailserver route logins --json")
@click.pass_obj
def logins(caller: Caller) -> None:
    """List the next hops that log-in or TLS is set for; passwords are never shown."""
    from mailserver.app.answers import hop_row, table

    with caller.store() as store:
        rows = [hop_row(hop) for hop in store.read_now(lambda tx: tx.routes.hops())]
    caller.answer(rows, table(rows, ("hop", "tls", "user")))
