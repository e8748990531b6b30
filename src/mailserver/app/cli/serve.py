"""`mailserver serve`."""

import click

from mailserver.app.command import Caller, Command


@click.command(
    cls=Command,
    examples="mailserver serve\nmailserver serve --config /etc/mailserver/mailserver.yaml",
)
@click.pass_obj
def command(caller: Caller) -> None:
    """Run the server until SIGTERM or Ctrl-C; SIGHUP reopens the log and reloads the certificate."""
    from mailserver.app.run import serve

    serve(caller.load())
