"""The `mailserver` command: finds the files in `cli/`, imports the one that is asked for."""

import importlib
import pkgutil

import click

from mailserver.app import cli
from mailserver.app.command import Group

EXAMPLES = """
mailserver config check                         is the configuration good?
mailserver domain add example.org
mailserver user add alice@example.org --password-stdin < password
mailserver serve                                run the server
"""


class Commands(Group):
    """All commands, one module each; a module is imported when its command is used or help lists it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Module names: cli/user.py is `mailserver user`, cli/app_password.py `mailserver app-password`."""
        return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(cli.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The module's `command`, None when there is no such module."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"mailserver.app.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.group(
    cls=Commands,
    examples=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
def main() -> None:
    """A whole mail system in one program."""
