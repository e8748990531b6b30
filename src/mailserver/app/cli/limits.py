"""`mailserver limits list|show|set|reset`."""

from typing import TYPE_CHECKING

import click

from mailserver.app.command import Caller, Group

if TYPE_CHECKING:
    from mailserver.store.tx import Read, Write

EXAMPLES = """
mailserver limits list
mailserver limits show alice@example.org
mailserver limits show 192.0.2.1
mailserver limits set alice@example.org messages_per_hour=200
mailserver limits reset alice@example.org
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """How much may be sent and by whom, how much was, and what to do about it."""


@command.command(
    name="list", examples="mailserver limits list\nmailserver limits list --busiest 50 --json"
)
@click.option(
    "--busiest",
    type=click.IntRange(0, 10_000),
    default=10,
    show_default=True,
    metavar="N",
    help="So many counters, those that stand highest.",
)
@click.pass_obj
def list_(caller: Caller, busiest: int) -> None:
    """List every limit with its value and where that comes from, those of single accounts and domains, and counters."""
    import time

    from mailserver.app.answers import table
    from mailserver.app.show import as_json
    from mailserver.store import rates

    loaded = caller.load()
    configured = {k: v for k, v in as_json(loaded).items() if k.startswith("limits.")}
    with caller.store() as store:
        own = store.read_now(lambda tx: [o._asdict() for o in tx.rate_overrides.all()])
        names = ("kind", "name", "measure", "period", "count")
        found = rates.busiest(loaded.config.data_dir, int(time.time()), busiest)
    counters = [dict(zip(names, row, strict=True)) for row in found]
    lines = [
        f"{key:48} {value['value']!s:>16}  {value['from']}" for key, value in configured.items()
    ]
    for rows, columns in ((own, ("kind", "name", "measure", "period", "most")), (counters, names)):
        if rows:
            lines += ["", *table(rows, columns)]
    caller.answer({"configuration": configured, "overrides": own, "busiest": counters}, lines)


@command.command(
    examples="mailserver limits show alice@example.org\nmailserver limits show example.org\n"
    "mailserver limits show 192.0.2.1 --json"
)
@click.argument("what")
@click.pass_obj
def show(caller: Caller, what: str) -> None:
    """Show the limits on WHAT, what is counted, and when there is room again.

    WHAT is an address of a user, a domain, or a client's IP address or network.  Counters are about a second old.
    """
    from mailserver.app.answers import table
    from mailserver.app.limits_answers import rows, subjects
    from mailserver.mta.rates import Rates

    config = caller.load().config
    with caller.store() as store:
        rates = Rates(config.limits.rates)
        rates.override(store.read_now(lambda tx: tx.rate_overrides.all()))
        found = rows(config.data_dir, subjects(what, rates), rates)
    columns = ("kind", "name", "measure", "period", "count", "most", "room_again_at")
    caller.answer(
        found, table(found, columns) if found else f"no limit on {what}, nothing is counted"
    )


@command.command(
    name="set",
    examples="mailserver limits set alice@example.org messages_per_hour=200 recipients_per_day=500\n"
    "mailserver limits set example.org messages_per_hour=5000      all its users together\n"
    "mailserver limits set example.org --each messages_per_day=100 each of its users\n"
    "mailserver limits set alice@example.org messages_per_hour=default",
)
@click.argument("who")
@click.argument("settings", nargs=-1, required=True, metavar="LIMIT=N...")
@click.option("--each", is_flag=True, help="For each user of the domain, not for all together.")
@click.pass_obj
def set_(caller: Caller, who: str, settings: tuple[str, ...], each: bool) -> None:
    """Give WHO, a user or a domain, limits in place of those of the configuration.

    LIMIT is messages_per_hour, messages_per_day, and the same for recipients and bytes; N a number, none, or default.
    """
    from mailserver.app.answers import table
    from mailserver.app.limits_answers import setting
    from mailserver.directory import accounts
    from mailserver.directory.addresses import domain_name, parse

    if each and "@" in who:
        raise click.UsageError("--each is for domains")
    wanted = [setting(text) for text in settings]

    def job(tx: "Write") -> str:
        if "@" in who:
            account = accounts.at(tx, parse(who))
            for measure, period, most in wanted:
                tx.rate_overrides.set_account(account.id, measure, period, most)
            return account.address
        domain = tx.domains.by_name(domain_name(who))
        for measure, period, most in wanted:
            tx.rate_overrides.set_domain(domain.id, measure, period, most, each=each)
        return domain.name

    def own(tx: "Read", name: str) -> list[dict[str, object]]:
        return [o._asdict() for o in tx.rate_overrides.all() if o.name == name]

    with caller.store() as store:
        name = store.write_now(job)
        rows = store.read_now(lambda tx: own(tx, name))
    columns = ("kind", "name", "measure", "period", "most")
    caller.answer(rows, table(rows, columns) if rows else f"{name} has no limits of its own")


@command.command(
    examples="mailserver limits reset alice@example.org\nmailserver limits reset 192.0.2.1"
)
@click.argument("what")
@click.pass_obj
def reset(caller: Caller, what: str) -> None:
    """Set the counters of WHAT to 0, failed log-ins included; the server takes notice within two seconds."""
    from mailserver.app.limits_answers import subjects
    from mailserver.mta.rates import Rates
    from mailserver.store.rates import RateFile

    config = caller.load().config
    with caller.store():
        names = dict.fromkeys(name for _, name in subjects(what, Rates(config.limits.rates)))
        file = RateFile(config.data_dir)
        try:
            count = sum(file.reset(name) for name in names)
        finally:
            file.close()
    caller.answer(
        {"what": what, "reset": count}, f"{count} counters of {', '.join(names)} set to 0"
    )
