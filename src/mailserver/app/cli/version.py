"""`mailserver version`."""

import platform

import click

from mailserver import __version__
from mailserver.app.command import Caller, Command


@click.command(cls=Command, examples="mailserver version --json")
@click.pass_obj
def command(caller: Caller) -> None:
    """Show the version of the program and of Python."""
    caller.answer(
        {"version": __version__, "python": platform.python_version()},
        f"mailserver {__version__} (Python {platform.python_version()})",
    )
