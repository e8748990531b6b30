"""`mailserver domain add|list|show|set|remove`."""

from typing import TYPE_CHECKING, Any

import click

from mailserver.app.command import Caller, Group, Size

if TYPE_CHECKING:
    from mailserver.store.domains import DomainFields

EXAMPLES = """
mailserver domain add example.org --quota 5G
mailserver domain list
mailserver domain set example.org --catch-all alice@example.org
mailserver domain add brand.example --alias-of example.org
mailserver domain remove example.org
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Domains this server takes mail for."""


def _settings(function: Any) -> Any:
    """The options that `add` and `set` share."""
    for option in reversed(
        (
            click.option(
                "--catch-all",
                metavar="ADDRESS",
                help="Who gets mail for unknown users; none: nobody.",
            ),
            click.option(
                "--quota",
                type=Size(),
                help="Room for each user without a quota of his own; none: no bound.",
            ),
            click.option(
                "--max-accounts", metavar="N", help="How many users at most; none: no bound."
            ),
            click.option(
                "--max-messages",
                metavar="N",
                help="How many messages each user without a bound of his own may keep; none: no bound.",
            ),
            click.option(
                "--max-mailboxes",
                metavar="N",
                help="How many mailboxes each user without a bound of his own may have; none: the server's bound.",
            ),
            click.option(
                "--blob-threshold",
                type=Size(),
                help="Messages larger than this are files.  Default 128K.",
            ),
            click.option(
                "--separators",
                metavar="CHARACTERS",
                help='Between user and detail, as in alice+news@; "" for no such addresses.  Default "+".',
            ),
            click.option(
                "--alias-of",
                metavar="DOMAIN",
                help="Its addresses are those of DOMAIN; none: it has its own.",
            ),
            click.option(
                "--subdomains",
                type=click.Choice(["inherit", "none"]),
                help="inherit: mail for x@anything.DOMAIN is mail for x@DOMAIN.  Default: none.",
            ),
            click.option(
                "--backup-mx/--no-backup-mx",
                "is_backup",
                default=None,
                help="Take its mail only to pass it on to its primary servers.",
            ),
            click.option(
                "--smarthost",
                metavar="HOST:PORT",
                help="Takes what its users send to others; none: goes its usual way.",
            ),
            click.option(
                "--message-size",
                type=Size(),
                help="Largest message to and from its users; none: what the server takes.",
            ),
            click.option(
                "--cram-md5",
                type=click.Choice(["on", "off"]),
                help="Whether app passwords made from now on work with CRAM-MD5, too.  Default: off.",
            ),
            click.option(
                "--dkim",
                type=click.Choice(["on", "off", "rsa", "ed25519"]),
                help="Which keys sign its mail: all, none, or those of one kind.  Default: on.",
            ),
            click.option(
                "--dkim-oversign",
                metavar="FIELDS",
                help="Header fields nobody can add to its mail unnoticed, as from,to,subject; none: the usual ones.",
            ),
            click.option(
                "--mta-sts",
                type=click.Choice(["none", "testing", "enforce"]),
                help="The mode of its own MTA-STS policy (mailserver mta-sts policy).  Default: none.",
            ),
            click.option(
                "--dmarc",
                type=click.Choice(["none", "tag", "quarantine", "reject"]),
                help="The most that follows for mail that fails DMARC.  Default: reject, if its domain wants that.",
            ),
            click.option(
                "--spf",
                metavar="RESULT=ACTION,...",
                help="What follows from SPF alone, as fail=reject,softfail=quarantine; none: nothing, the default.",
            ),
        )
    ):
        function = option(function)
    return function


def _fields(**given: Any) -> "DomainFields":
    """The options that were given, checked.  Raises Cannot."""
    from mailserver.app.sizes import parse_number
    from mailserver.base.errors import Cannot
    from mailserver.directory import addresses, trust

    fields: DomainFields = {}
    if (catch_all := given["catch_all"]) is not None:
        fields["catch_all"] = None if catch_all == "none" else str(addresses.parse(catch_all))
    if (quota := given["quota"]) is not None:
        fields["quota"] = quota.octets
    if (most := given["max_accounts"]) is not None:
        fields["max_accounts"] = parse_number("--max-accounts", most)
    if (most := given["max_messages"]) is not None:
        fields["max_messages"] = parse_number("--max-messages", most)
    if (most := given["max_mailboxes"]) is not None:
        fields["max_mailboxes"] = parse_number("--max-mailboxes", most)
    if (threshold := given["blob_threshold"]) is not None:
        if threshold.octets is None:
            raise Cannot("--blob-threshold: expected a size")
        fields["blob_threshold"] = threshold.octets
    if (separators := given["separators"]) is not None:
        fields["separators"] = separators
    if (meant := given["alias_of"]) is not None:
        fields["alias_of"] = None if meant == "none" else addresses.domain_name(meant)
    if given["subdomains"] is not None:
        fields["has_subdomains"] = given["subdomains"] == "inherit"
    if given["cram_md5"] is not None:
        fields["cram_md5"] = given["cram_md5"] == "on"
    if given["dkim"] is not None:
        fields["dkim"] = given["dkim"]
    if (listed := given["dkim_oversign"]) is not None:
        fields["dkim_oversign"] = None if listed == "none" else _oversign(listed)
    if given["is_backup"] is not None:
        fields["is_backup"] = given["is_backup"]
    if (smarthost := given["smarthost"]) is not None:
        fields["smarthost"] = None if smarthost == "none" else _smarthost(smarthost)
    if given["mta_sts"] is not None:
        fields["mta_sts"] = given["mta_sts"]
    if given["dmarc"] is not None:
        fields["dmarc"] = given["dmarc"]
    if (spf := given["spf"]) is not None:
        fields["spf"] = "" if spf == "none" else trust.spf_text(trust.spf_wishes(spf))
    if (size := given["message_size"]) is not None:
        fields["message_size"] = size.octets
    return fields


def _smarthost(text: str) -> str:
    """ "smtp:HOST:PORT" for what was written with or without its "smtp:".  Raises Cannot."""
    from mailserver.mta.nexthop import hop

    return hop(f"smtp:{text.removeprefix('smtp:')}")


def _oversign(text: str) -> str:
    """Names of header fields in their one spelling.  Raises Cannot."""
    from mailserver.directory.domains import check_oversign

    return ",".join(check_oversign(text))


@command.command(
    examples="mailserver domain add example.org\n"
    "mailserver domain add example.org --quota 5G --max-accounts 50\n"
    "mailserver domain add brand.example --alias-of example.org\n"
    "mailserver domain add friend.example --backup-mx"
)
@click.argument("domain")
@_settings
@click.pass_obj
def add(caller: Caller, /, domain: str, **given: Any) -> None:
    """Take mail for DOMAIN from now on."""
    from mailserver.app.answers import domain_row
    from mailserver.app.dkim import first_keys
    from mailserver.directory import domains
    from mailserver.directory.addresses import domain_name

    name, fields = domain_name(domain), _fields(**given)
    loaded = caller.load()
    with caller.store(create=True) as store:
        is_unsigned = fields.get("is_backup") or fields.get("dkim") == "off"
        keys = [] if is_unsigned else first_keys(loaded.config, name)
        added = store.write_now(lambda tx: domains.create(tx, name, fields, keys))
    caller.answer(domain_row(added), f"domain {name} added")


@command.command(name="list", examples="mailserver domain list\nmailserver domain list --json")
@click.pass_obj
def list_(caller: Caller) -> None:
    """List the domains."""
    from mailserver.app.answers import domain_row, table

    with caller.store() as store:
        rows = [domain_row(domain) for domain in store.read_now(lambda tx: tx.domains.list())]
    caller.answer(rows, table(rows, ("domain", "is_active", "quota", "max_accounts", "catch_all")))


@command.command(examples="mailserver domain show example.org")
@click.argument("domain")
@click.pass_obj
def show(caller: Caller, domain: str) -> None:
    """Show DOMAIN's settings."""
    from mailserver.app.answers import domain_row, lines
    from mailserver.directory.addresses import domain_name

    name = domain_name(domain)
    with caller.store() as store:
        row = domain_row(store.read_now(lambda tx: tx.domains.by_name(name)))
    caller.answer(row, lines(row))


@command.command(
    name="set",
    examples="mailserver domain set example.org --quota 10G\n"
    "mailserver domain set example.org --catch-all none\n"
    "mailserver domain set example.org --subdomains inherit\n"
    "mailserver domain set example.org --smarthost hub.example.net:587\n"
    "mailserver domain set example.org --dmarc quarantine --spf fail=quarantine\n"
    "mailserver domain set example.org --inactive",
)
@click.argument("domain")
@_settings
@click.option(
    "--active/--inactive", "is_active", default=None, help="Whether mail and log-ins are taken."
)
@click.pass_obj
def set_(caller: Caller, /, domain: str, is_active: bool | None, **given: Any) -> None:
    """Change DOMAIN's settings; those not named stay as they are."""
    from mailserver.app.answers import domain_row
    from mailserver.directory import domains
    from mailserver.directory.addresses import domain_name

    name, fields = domain_name(domain), _fields(**given)
    if is_active is not None:
        fields["is_active"] = is_active
    if not fields:
        raise click.UsageError("nothing to change; see --help")
    with caller.store() as store:
        changed = store.write_now(lambda tx: domains.change(tx, name, fields))
    caller.answer(domain_row(changed), f"domain {name} changed")


@command.command(examples="mailserver domain remove example.org")
@click.argument("domain")
@click.pass_obj
def remove(caller: Caller, domain: str) -> None:
    """Take no more mail for DOMAIN; refused while it has users.  Its aliases go with it."""
    from mailserver.directory.addresses import domain_name

    name = domain_name(domain)
    with caller.store() as store:
        store.write_now(lambda tx: tx.domains.remove(tx.domains.by_name(name).id))
    caller.answer({"removed": name}, f"domain {name} removed")
