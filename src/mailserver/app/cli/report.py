"""`mailserver report list|show|summary|sent|send|settings`."""

from typing import TYPE_CHECKING

import click

from mailserver.app.cli.explain import Since
from mailserver.app.command import Caller, Group, limit_option, one_line

if TYPE_CHECKING:
    from mailserver.store.tx import Write

EXAMPLES = """
mailserver report summary
mailserver report summary --domain example.org --since 7d
mailserver report list --domain example.org
mailserver report show 17
mailserver report send example.net --dry-run
mailserver report settings org='Example Company' mail=discard
"""

_KIND = click.Choice(["dmarc", "tls", "failure"])


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """What others report of our mail and our servers, and what we report to them (DMARC, TLS)."""


@command.command(
    name="list",
    examples="mailserver report list\nmailserver report list --domain example.org --kind tls --json",
)
@click.option("--domain", metavar="DOMAIN", help="On this domain only.")
@click.option("--kind", type=_KIND, help="Of this kind only.")
@click.option("--since", type=Since(), help="Not on what is older: 7d, 4w, or a date in UTC.")
@limit_option("How many at most, the newest.", 50)
@click.option("--before", type=int, metavar="ID", help="The next page: those older than this one.")
@click.pass_obj
def list_(
    caller: Caller,
    domain: str | None,
    kind: str | None,
    since: int | None,
    limit: int,
    before: int | None,
) -> None:
    """List reports that came."""
    from mailserver.app.answers import table
    from mailserver.app.reporting import received_row
    from mailserver.directory.addresses import domain_name

    name = domain_name(domain) if domain else None
    with caller.store() as store:
        found = store.read_now(
            lambda tx: tx.reports.list(name, kind, since=since or 0, limit=limit, before=before)
        )
    rows = [received_row(one) for one in found]
    shown = [row | {"org": one_line(row["org"])[:40]} for row in rows]
    caller.answer(
        rows, table(shown, ("id", "kind", "domain", "org", "begin", "end", "good", "bad"))
    )


@command.command(examples="mailserver report show 17\nmailserver report show 17 --json")
@click.argument("report", type=int, metavar="ID")
@click.pass_obj
def show(caller: Caller, report: int) -> None:
    """Show the report with this ID: failures first, then what was most frequent."""
    from mailserver.app.reporting import as_object, in_full, received_row
    from mailserver.mta.report_facts import unpack

    with caller.store() as store:
        one, facts = store.read_now(lambda tx: tx.reports.get(report))
    content, row = unpack(one.kind, facts), received_row(one)
    lines = [f"{name:11} {one_line(str(value))}" for name, value in row.items()]
    lines += ["", *(one_line(line) for line in in_full(content))]
    caller.answer(row | {"content": as_object(content)}, lines)


@command.command(
    examples="mailserver report summary\nmailserver report summary --domain example.org --since 30d"
)
@click.option("--domain", metavar="DOMAIN", help="On this domain only.")
@click.option(
    "--since", type=Since(), help="Not on what is older; 30d unless set: 7d, 4w, or a date in UTC."
)
@click.option(
    "--sources",
    type=click.IntRange(1, 10_000),
    default=15,
    show_default=True,
    metavar="N",
    help="Sources of each domain at most.",
)
@click.pass_obj
def summary(caller: Caller, domain: str | None, since: int | None, sources: int) -> None:
    """Sum up what all reports say: who sends as our domains, what passed and what failed and why."""
    import time

    from mailserver.app import reporting
    from mailserver.directory.addresses import domain_name

    name = domain_name(domain) if domain else None
    start = since if since is not None else int(time.time()) - 30 * 86_400
    with caller.store() as store:
        found = reporting.summary(reporting.found(store, name, start))
    lines = [one_line(line) for one in found for line in reporting.summary_lines(one, sources)]
    rows = [
        one._asdict()
        | {
            "sources": [source._asdict() for source in one.sources],
            "results": [source._asdict() for source in one.results],
        }
        for one in found
    ]
    caller.answer(rows, lines or "no reports")


@command.command(examples="mailserver report sent\nmailserver report sent --limit 500 --json")
@limit_option("How many at most, the newest.", 50)
@click.pass_obj
def sent(caller: Caller, limit: int) -> None:
    """List reports that left this server, or that nobody wanted."""
    from mailserver.app.answers import table
    from mailserver.app.reporting import sent_row

    with caller.store() as store:
        rows = [sent_row(one) for one in store.read_now(lambda tx: tx.reports.sent(limit))]
    shown = [row | {"outcome": one_line(row["outcome"])[:100]} for row in rows]
    caller.answer(rows, table(shown, ("kind", "domain", "begin", "sent_at", "outcome")))


@command.command(
    examples="mailserver report send example.net --dry-run\nmailserver report send example.net --now"
)
@click.argument("domain")
@click.option("--dry-run", "is_dry", is_flag=True, help="Show what would leave; today so far, too.")
@click.option("--now", "is_now", is_flag=True, help="Send what is due later today at once.")
@click.pass_obj
def send(caller: Caller, domain: str, is_dry: bool, is_now: bool) -> None:
    """Reports on DOMAIN, which is somebody else's: show them, or do not wait for their time."""
    from mailserver.app.answers import moment
    from mailserver.app.report_sending import send as leave
    from mailserver.directory.addresses import domain_name

    if is_dry == is_now:
        raise click.UsageError("either --dry-run or --now")
    name, loaded = domain_name(domain), caller.load()
    with caller.store() as store:
        found = leave(loaded.config, store, name, is_dry=is_dry)
    lines = []
    for one in found:
        lines.append(f"{one.kind} report on {one.domain}, {moment(one.begin_at)}: {one.outcome}")
        if is_dry:
            lines += ["", *(one_line(line) for line in one.document.splitlines()), ""]
    rows = [one._asdict() | {"begin_at": moment(one.begin_at)} for one in found]
    caller.answer(rows, lines or f"nothing was counted for {name}")


@command.command(
    examples="mailserver report settings\nmailserver report settings dmarc=off\n"
    "mailserver report settings sender=dmarc@example.org org='Example Company'\n"
    "mailserver report settings sender=default"
)
@click.argument("changes", nargs=-1, metavar="[NAME=VALUE]...")
@click.pass_obj
def settings(caller: Caller, changes: tuple[str, ...]) -> None:
    """Show or change what is sent and what is kept; the value "default" forgets a setting."""
    from mailserver.directory import report_settings

    pairs = [change.partition("=") for change in changes]
    if any(not equals for _, equals, _ in pairs):
        raise click.UsageError("NAME=VALUE is expected")

    def job(tx: "Write") -> None:
        for name, _, value in pairs:
            report_settings.change(tx, name, value)

    with caller.store() as store:
        if pairs:
            store.write_now(job)
        values = store.read_now(report_settings.shown)
    lines = [
        f"{name:9} {values[name] or '-':20} {text}"
        for name, (_, text) in report_settings.NAMES.items()
    ]
    caller.answer(values, lines)
