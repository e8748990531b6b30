"""`mailserver sieve ...`: scripts that filter mail."""

import click

from mailserver.app.cli.sieve import scripts, trying, watching
from mailserver.app.command import Group

EXAMPLES = """
mailserver sieve check filters.sieve
mailserver sieve test filters.sieve letter.eml
mailserver sieve test filters.sieve --user alice@example.org --last 500
mailserver sieve put alice@example.org filters.sieve --activate
mailserver sieve list alice@example.org
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Scripts that filter mail (Sieve)."""


for _one in (
    trying.check,
    trying.test,
    trying.applied,
    trying.undo,
    scripts.put,
    scripts.list_,
    scripts.show,
    scripts.activate,
    scripts.deactivate,
    scripts.rename,
    scripts.restore,
    scripts.remove,
    watching.watch,
    watching.unwatch,
):
    command.add_command(_one)
