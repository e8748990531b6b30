"""`mailserver mta-sts policy|kept`."""

import click

from mailserver.app.command import Caller, Group

EXAMPLES = """
mailserver mta-sts policy example.org > /var/www/mta-sts/.well-known/mta-sts.txt
mailserver mta-sts kept
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Our own MTA-STS policies, and those of others that are kept."""


@command.command(
    examples="mailserver mta-sts policy example.org            the file to be served\n"
    "mailserver mta-sts policy example.org --json     with its address and its TXT record"
)
@click.argument("domain")
@click.pass_obj
def policy(caller: Caller, domain: str) -> None:
    """Print the policy of DOMAIN, which is ours, as it is to be served over HTTPS."""
    from mailserver.directory.addresses import domain_name
    from mailserver.mailauth import mta_sts

    name = domain_name(domain)
    hostname = caller.load().config.hostname
    with caller.store() as store:
        ours = store.read_now(lambda tx: tx.domains.by_name(name))
    own = mta_sts.own(mta_sts.Mode(ours.mta_sts), [hostname])
    facts = {
        "address": mta_sts.address(name),
        "policy": str(own),
        "record_name": mta_sts.record_name(name),
        "record": mta_sts.record(mta_sts.id_of(own)),
    }
    caller.answer(facts, str(own).splitlines())


@command.command(examples="mailserver mta-sts kept\nmailserver mta-sts kept --json")
@click.pass_obj
def kept(caller: Caller) -> None:
    """List the policies of other domains that are kept and obeyed."""
    from mailserver.app.answers import table
    from mailserver.app.transport import kept_rows

    rows = kept_rows(caller.load().config)
    caller.answer(rows, table(rows, ("domain", "mode", "id", "fetched_at", "expires_at")))
