"""`mailserver config check|show`."""

from typing import Any

import click

from mailserver.app.command import Caller, Group

EXAMPLES = """
mailserver config check --config /etc/mailserver/mailserver.yaml
mailserver config show
mailserver config show --json
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Check the configuration, or show what is in effect."""


@command.command(
    examples="mailserver config check && systemctl restart mailserver\nmailserver config check --dns"
)
@click.option(
    "--dns", is_flag=True, help="Ask the resolvers, too: do they answer, can DANE be used?"
)
@click.pass_obj
def check(caller: Caller, dns: bool) -> None:
    """Say whether the configuration is good: exit status 0, or 1 and each mistake with file, line and key."""
    from mailserver.app.advice import advice, obstacles
    from mailserver.app.load import ConfigError

    try:
        loaded = caller.load()
        if found := list(obstacles(loaded)):
            raise ConfigError(found)
    except ConfigError as error:
        if not caller.as_json:
            raise
        rows = [{"where": p.where, "key": p.key, "text": p.text} for p in error.problems]
        caller.answer({"ok": False, "problems": rows, "warnings": []}, "")
        raise click.exceptions.Exit(1) from None
    warnings = list(advice(loaded))
    for warning in () if caller.as_json else warnings:
        click.echo(f"warning: {warning}", err=True)
    facts: dict[str, Any] = {
        "ok": True,
        "problems": [],
        "warnings": [{"where": w.where, "key": w.key, "text": w.text} for w in warnings],
    }
    text = f"ok: {loaded.path or 'no configuration file; defaults and environment'}"
    if dns:
        from mailserver.app.sending import dns_health

        health = dns_health(loaded.config)
        facts["dns"] = {
            "servers": health.servers,
            "answering": health.is_answering,
            "dane": health.is_authentic,
            "text": health.text,
        }
        text += f"\ndns: {health.text}"
    caller.answer(facts, text)


@command.command(examples="mailserver config show\nmailserver config show --json | jq '.hostname'")
@click.pass_obj
def show(caller: Caller) -> None:
    """Show every key with its value and where that comes from: default, file and line, or variable."""
    from mailserver.app.show import as_json, as_yaml

    loaded = caller.load()
    caller.answer(as_json(loaded), as_yaml(loaded))
