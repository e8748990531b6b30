"""`mailserver tls-policy`."""

import click

from mailserver.app.command import Caller, Command


@click.command(
    cls=Command,
    examples="mailserver tls-policy example.net             what mail for example.net must have on its way\n"
    "mailserver tls-policy example.net --connect   and whether its hosts have it now",
)
@click.argument("domain")
@click.option("--connect", is_flag=True, help="Talk to each host as mail would; nothing is sent.")
@click.pass_obj
def command(caller: Caller, domain: str, connect: bool) -> None:
    """Say how safe the way of mail to DOMAIN must be, host by host, and why."""
    from mailserver.app.transport import lines, look
    from mailserver.directory.addresses import domain_name

    name = domain_name(domain)
    config = caller.load().config
    with caller.store() as store:
        facts = look(config, store, name, connects=connect)
    caller.answer(facts, lines(facts))
