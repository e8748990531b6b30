"""`mailserver config check|show`."""

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


@command.command(examples="mailserver config check && systemctl restart mailserver")
@click.pass_obj
def check(caller: Caller) -> None:
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
    caller.answer(
        {
            "ok": True,
            "problems": [],
            "warnings": [{"where": w.where, "key": w.key, "text": w.text} for w in warnings],
        },
        f"ok: {loaded.path or 'no configuration file; defaults and environment'}",
    )


@command.command(examples="mailserver config show\nmailserver config show --json | jq '.hostname'")
@click.pass_obj
def show(caller: Caller) -> None:
    """Show every key with its value and where that comes from: default, file and line, or variable."""
    from mailserver.app.show import as_json, as_yaml

    loaded = caller.load()
    caller.answer(as_json(loaded), as_yaml(loaded))
