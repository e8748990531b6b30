"""`mailserver dns records|check`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailserver.app.command import Caller, Group

if TYPE_CHECKING:
    from mailserver.app.config import Config
    from mailserver.net.published.records import Facts

EXAMPLES = """
mailserver dns records example.org
mailserver dns records example.org --format zone > example.org.mail
mailserver dns check example.org
"""


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """The DNS records that a domain needs: print them, and see whether the world has them."""


def _about(function: Any) -> Any:
    """The options that `records` and `check` share."""
    for option in reversed(
        (
            click.option(
                "--address",
                "addresses",
                multiple=True,
                metavar="IP",
                help="A public address of this host; may be given several times.",
            ),
            click.option(
                "--next-certificate",
                type=click.Path(exists=True, dir_okay=False, path_type=Path),
                metavar="FILE",
                help="The certificate that comes after the present one, for TLSA.",
            ),
            click.option(
                "--ca",
                default="",
                metavar="NAME",
                help="Who issues certificates, as letsencrypt.org.",
            ),
            click.option(
                "--account-uri", default="", metavar="URI", help="The account there (RFC 8657)."
            ),
            click.option(
                "--reports",
                default="",
                metavar="ADDRESS",
                help="Who gets reports on DMARC and TLS.  Default: postmaster of the domain.",
            ),
        )
    ):
        function = option(function)
    return function


@command.command(
    examples="mailserver dns records example.org\n"
    "mailserver dns records example.org --format zone > example.org.mail\n"
    "mailserver dns records example.org --format cloudflare > batch.json\n"
    "mailserver dns records example.org --address 192.0.2.1 --address 2001:db8::1 --ca letsencrypt.org"
)
@click.argument("domain")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "zone", "cloudflare", "json"]),
    default="text",
    show_default=True,
    help="For people, for a zone file, for Cloudflare's interface, or JSON.",
)
@click.option(
    "--dmarc",
    type=click.Choice(["none", "quarantine", "reject"]),
    default="quarantine",
    show_default=True,
    help="What others are to do with mail that is neither signed nor sent by the domain.",
)
@_about
@click.pass_obj
def records(caller: Caller, /, domain: str, form: str, dmarc: str, **given: Any) -> None:
    """Print every record that DOMAIN needs."""
    from mailserver.net.published import forms
    from mailserver.net.published.records import records as all_of

    _, facts = _facts(caller, domain, dmarc=dmarc, **given)
    found = all_of(facts)
    if caller.as_json or form == "json":
        click.echo(json.dumps(forms.rows(found), ensure_ascii=False, indent=2))
    elif form == "cloudflare":
        click.echo(json.dumps(forms.cloudflare(found, facts.domain), indent=2))
    elif form == "zone":
        click.echo("\n".join(forms.zone(found, facts.domain)))
    else:
        click.echo("\n".join(forms.text(found, facts.domain)))
        if not facts.addresses:
            click.echo(
                f"{facts.hostname} needs its addresses as A and AAAA records, and they its name."
            )


@command.command(
    examples="mailserver dns check example.org\n"
    "mailserver dns check example.org --resolver 9.9.9.9 --resolver 1.1.1.1\n"
    "mailserver dns check example.org --json || echo 'something is wrong'"
)
@click.argument("domain")
@click.option(
    "--resolver",
    "resolvers",
    multiple=True,
    metavar="IP[:PORT]",
    help="Ask this one, too; may be given several times.",
)
@click.option(
    "--authorities/--no-authorities",
    default=True,
    show_default=True,
    help="Whether the domain's own name servers are asked.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1, 300),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="For each record.",
)
@_about
@click.pass_obj
def check(
    caller: Caller,
    /,
    domain: str,
    resolvers: tuple[str, ...],
    authorities: bool,
    timeout: float,
    **given: Any,
) -> None:
    """Look at DOMAIN's records from several resolvers: right, wrong or missing.  Exit status 1: not all is well."""
    import asyncio

    from mailserver.app import published

    others = [_endpoint(text) for text in resolvers]
    config, facts = _facts(caller, domain, **given)
    seen = asyncio.run(
        published.check(config, facts, others, timeout, with_authorities=authorities)
    )
    is_good = published.is_good(seen)
    rows = [
        {"view": one.view, "findings": [published.finding_row(f) for f in one.findings]}
        for one in seen
    ]
    caller.answer({"ok": is_good, "views": rows}, published.shown(seen))
    if not is_good:
        raise click.exceptions.Exit(1)


def _facts(
    caller: Caller,
    domain: str,
    *,
    addresses: tuple[str, ...],
    next_certificate: Path | None,
    ca: str,
    account_uri: str,
    reports: str,
    dmarc: str = "quarantine",
) -> "tuple[Config, Facts]":
    from mailserver.app.published import certificate_file, facts_of
    from mailserver.directory.addresses import domain_name, parse

    name, config = domain_name(domain), caller.load().config
    public = [_address(text) for text in addresses]
    to = str(parse(reports)) if reports else ""
    with caller.store() as store:
        files = [file for file in (certificate_file(config), next_certificate) if file is not None]
        facts = store.read_now(
            lambda tx: facts_of(
                tx,
                config,
                name,
                certificates=files,
                addresses=public,
                reports=to,
                dmarc=dmarc,
                ca=domain_name(ca) if ca else "",
                account=account_uri,
            )
        )
    return config, facts


def _address(text: str) -> str:
    """Raises Cannot."""
    from ipaddress import ip_address

    from mailserver.base.errors import Cannot

    try:
        return str(ip_address(text))
    except ValueError:
        raise Cannot(f"{text!r} is no IP address") from None


def _endpoint(text: str) -> tuple[str, int]:
    """Raises Cannot."""
    from mailserver.base.errors import Cannot
    from mailserver.net.endpoint import parse_endpoint

    try:
        return _address(text), 53
    except Cannot:
        pass
    try:
        endpoint = parse_endpoint(text)
    except ValueError as error:
        raise Cannot(f"--resolver: {error}") from None
    return _address(endpoint.host), endpoint.port
