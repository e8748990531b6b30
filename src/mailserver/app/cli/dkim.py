"""`mailserver dkim list|show|rotate|activate|import|export|remove`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group

if TYPE_CHECKING:
    from mailserver.store.dkim_keys import DkimKey
    from mailserver.store.store import Store

EXAMPLES = """
mailserver dkim list example.org
mailserver dkim show example.org 20261122r
mailserver dkim rotate example.org
mailserver dkim import example.org mail2024 /etc/opendkim/keys/mail2024.private
mailserver dkim remove example.org 20250101r
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Keys that mail of a domain is signed with."""


@command.command(
    name="list", examples="mailserver dkim list\nmailserver dkim list example.org --json"
)
@click.argument("domain", required=False)
@click.pass_obj
def list_(caller: Caller, domain: str | None) -> None:
    """List the keys of DOMAIN, or all."""
    from mailserver.app.answers import table
    from mailserver.app.dkim import key_row
    from mailserver.directory.addresses import domain_name

    name = domain_name(domain) if domain is not None else None
    with caller.store() as store:
        found = store.read_now(
            lambda tx: (
                tx.dkim_keys.all() if name is None else tx.dkim_keys.of(tx.domains.by_name(name).id)
            )
        )
    rows = [key_row(key) for key in found]
    shown = ("domain", "selector", "algorithm", "bits", "state", "created_at", "seen_at")
    caller.answer(rows, table(rows, shown))


@command.command(
    examples="mailserver dkim show example.org 20261122r\n"
    "mailserver dkim show example.org 20261122r --json"
)
@click.argument("domain")
@click.argument("selector")
@click.pass_obj
def show(caller: Caller, domain: str, selector: str) -> None:
    """Show a key of DOMAIN and the record that it needs; its private part is not shown."""
    from mailserver.app.answers import lines
    from mailserver.app.dkim import key_row

    with caller.store() as store:
        key = _find(store, domain, selector)
    row = key_row(key)
    caller.answer(row, lines(row))


@command.command(
    examples="mailserver dkim rotate example.org\n"
    "mailserver dkim rotate example.org --algorithm rsa\n"
    "mailserver dkim rotate example.org --now          a key has fallen into wrong hands"
)
@click.argument("domain")
@click.option(
    "--algorithm", type=click.Choice(["rsa", "ed25519"]), help="Only of this kind.  Default: both."
)
@click.option(
    "--now", "is_now", is_flag=True, help="Sign with the new keys at once, published or not."
)
@click.pass_obj
def rotate(caller: Caller, domain: str, algorithm: str | None, is_now: bool) -> None:
    """Make new keys for DOMAIN.  They sign as soon as the DNS has shown their records for a while."""
    import time

    from mailserver.app.dkim import instructions, key_row, life
    from mailserver.base.errors import Cannot
    from mailserver.directory import dkim_life
    from mailserver.directory.addresses import domain_name
    from mailserver.directory.dkim_keys import ALGORITHMS
    from mailserver.directory.seal import load_or_make
    from mailserver.store.dkim_keys import PENDING
    from mailserver.store.tx import Write

    name, config = domain_name(domain), caller.load().config
    kinds = [algorithm] if algorithm is not None else list(ALGORITHMS)
    with caller.store() as store:
        meant, keys = store.read_now(
            lambda tx: (
                (found := tx.domains.by_name(name)),
                tx.dkim_keys.of(found.id),
            )
        )
        if meant.is_backup:
            raise Cannot(f"{name} is a backup domain: nobody writes as it from here")
        waiting = {key.algorithm: key for key in keys if key.state == PENDING}
        missing = [kind for kind in kinds if kind not in waiting]
        seal = load_or_make(config.data_dir)
        new = dkim_life.make(name, keys, missing, seal, time.time(), life(config))

        def write(tx: Write) -> "list[DkimKey]":
            dkim_life.put(tx, meant, new)
            of_it = tx.dkim_keys.of(meant.id)
            made = {key.selector for key in new} | {
                waiting[k].selector for k in kinds if k in waiting
            }
            mine = [key for key in of_it if key.selector in made]
            if is_now:
                for key in mine:
                    if key.state == PENDING:
                        dkim_life.apply(tx, dkim_life.switch(tx.dkim_keys.of(meant.id), key))
                mine = [tx.dkim_keys.get(key.id) for key in mine]
            return mine

        made = store.write_now(write)
    caller.answer([key_row(key) for key in made], instructions(made, life(config)))


@command.command(examples="mailserver dkim activate example.org 20261122r")
@click.argument("domain")
@click.argument("selector")
@click.pass_obj
def activate(caller: Caller, domain: str, selector: str) -> None:
    """Sign with this key of DOMAIN at once, and no more with others of its kind."""
    from mailserver.app.dkim import key_row
    from mailserver.base.errors import Cannot
    from mailserver.directory import dkim_life
    from mailserver.store.dkim_keys import RETIRED
    from mailserver.store.tx import Write

    with caller.store() as store:
        key = _find(store, domain, selector)
        if key.state == RETIRED:
            raise Cannot(f"{key.name} is retired: it has no private part any more")

        def write(tx: Write) -> "DkimKey":
            dkim_life.apply(tx, dkim_life.switch(tx.dkim_keys.of(key.domain_id), key))
            return tx.dkim_keys.get(key.id)

        now = store.write_now(write)
    caller.answer(key_row(now), f"{now.name} signs from now on")


@command.command(
    name="import",
    examples="mailserver dkim import example.org mail2024 /etc/opendkim/keys/example.org/mail2024.private\n"
    "mailserver dkim import example.org mail2024 key.pem --active",
)
@click.argument("domain")
@click.argument("selector")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--active",
    "is_active",
    is_flag=True,
    help="Sign with it at once.  Default: when the DNS shows it.",
)
@click.pass_obj
def import_(caller: Caller, domain: str, selector: str, file: Path, is_active: bool) -> None:
    """Bring the key in FILE, PEM, from another server, with its SELECTOR."""
    from mailserver.app.dkim import instructions, key_row, life, read_key
    from mailserver.base.errors import Cannot
    from mailserver.directory import dkim_keys, dkim_life
    from mailserver.directory.addresses import domain_name
    from mailserver.directory.seal import load_or_make
    from mailserver.store.dkim_keys import PENDING
    from mailserver.store.tx import Write

    name, config = domain_name(domain), caller.load().config
    by = dkim_keys.check_selector(selector)
    pair = read_key(file)
    with caller.store() as store:
        meant = store.read_now(lambda tx: tx.domains.by_name(name))
        if meant.is_backup:
            raise Cannot(f"{name} is a backup domain: nobody writes as it from here")
        new = dkim_keys.sealed(pair, name, by, load_or_make(config.data_dir))

        def write(tx: Write) -> "DkimKey":
            key = tx.dkim_keys.add(meant.id, new, PENDING)
            if is_active:
                dkim_life.apply(tx, dkim_life.switch(tx.dkim_keys.of(meant.id), key))
            return tx.dkim_keys.get(key.id)

        key = store.write_now(write)
    if key.algorithm == "rsa" and key.bits < dkim_keys.RSA_BITS[0]:
        click.echo(f"{key.bits} bits are few today: rotate to a longer key soon", err=True)
    caller.answer(key_row(key), instructions([key], life(config)))


@command.command(examples="mailserver dkim export example.org 20261122r > key.pem")
@click.argument("domain")
@click.argument("selector")
@click.pass_obj
def export(caller: Caller, domain: str, selector: str) -> None:
    """Print the private key in PEM form, to be taken to another server.  Whoever has it can sign as DOMAIN."""
    from mailserver.app.dkim import key_row
    from mailserver.directory import dkim_keys
    from mailserver.directory.seal import load

    with caller.store() as store:
        key = _find(store, domain, selector)
        text = dkim_keys.pem(key, load(caller.load().config.data_dir))
    caller.answer({**key_row(key), "private": text}, text.rstrip("\n"))


@command.command(
    examples="mailserver dkim remove example.org 20250101r\n"
    "mailserver dkim remove example.org 20261122r --force"
)
@click.argument("domain")
@click.argument("selector")
@click.option("--force", is_flag=True, help="Also one that signs now.")
@click.pass_obj
def remove(caller: Caller, domain: str, selector: str, force: bool) -> None:
    """Erase the private part of a key of DOMAIN; of a key that never signed, or is retired, everything."""
    from mailserver.base.errors import Cannot
    from mailserver.store.dkim_keys import ACTIVE, PENDING, RETIRED
    from mailserver.store.tx import Write

    with caller.store() as store:
        key = _find(store, domain, selector)
        if key.state == ACTIVE and not force:
            raise Cannot(f"{key.name} signs mail now: rotate first, or say --force")

        def write(tx: Write) -> None:
            if key.state in (PENDING, RETIRED):
                tx.dkim_keys.remove(key.id)
            else:
                tx.dkim_keys.move(key.id, RETIRED)

        store.write_now(write)
    caller.answer(
        {"removed": key.name}, f"{key.name} is erased; its record may be taken out of the DNS"
    )


def _find(store: "Store", domain: str, selector: str) -> "DkimKey":
    from mailserver.directory.addresses import domain_name

    name, by = domain_name(domain), selector.lower()
    return store.read_now(lambda tx: tx.dkim_keys.by_selector(tx.domains.by_name(name).id, by))
