"""What the commands on transport security find out: the ways out as the server has them, looked at from outside.

Status: complete.
"""

import asyncio
import secrets
import time
from collections.abc import Iterable, Iterator
from typing import Any

from mailserver.app.answers import moment
from mailserver.app.config import Config, smarthost
from mailserver.app.sending import dialer_of, may_mail, resolver_of, terms_of, web_of
from mailserver.base.errors import Cannot
from mailserver.jobs.surveying import Prospect, Survey, survey
from mailserver.jobs.ways import NoPolicies, Terms, Ways
from mailserver.mailauth.mta_sts import Found
from mailserver.mta.nexthop import REJECT, choose
from mailserver.mta.relay import NextHop, next_hop
from mailserver.mta.route import hops
from mailserver.net.ourselves import Ourselves
from mailserver.net.sts import Policies
from mailserver.smtp.outgoing import Tls
from mailserver.store.policies import Kept, kept_policies
from mailserver.store.store import Store


class _ReadOnly:
    """The server's policies; what is found out here is not written: the file is the server's."""

    def __init__(self, config: Config) -> None:
        self._folder = config.data_dir

    def all(self, most: int) -> list[Kept]:
        return kept_policies(self._folder, most)

    def put(self, kept: Kept) -> None:
        return None

    def forget(self, some: Iterable[Kept]) -> None:
        return None

    def close(self) -> None:
        return None


def look(config: Config, store: Store, domain: str, *, connects: bool) -> dict[str, Any]:
    """What --json says of mail for *domain*.  Raises Cannot."""
    destination = store.read_now(lambda tx: choose(hops(tx, smarthost(config)), "", domain))
    if destination == REJECT:
        raise Cannot(f"no mail is sent to {domain} from here: a route says so")
    hop = next_hop(destination, config.outbound.port)

    async def terms(name: str) -> Terms:
        return store.read_now(lambda tx: terms_of(tx, config, name))

    async def ask() -> tuple[Survey, bool]:
        resolver = resolver_of(config)
        web = web_of(config, resolver)
        sts = Policies(resolver, web, _ReadOnly(config), config.limits.mta_sts, time.time)
        ways = Ways(
            resolver,
            dialer_of(config),
            config.outbound.port,
            frozenset({config.hostname}),
            Ourselves(config.listeners.smtp),
            terms=terms,
            policies=sts if config.outbound.mta_sts else NoPolicies(),
            uses_dane=config.outbound.dane,
            may_mail=may_mail(config),
        )
        chance = secrets.SystemRandom().random
        found = await survey(ways, destination, hop, chance, connects=connects)
        return found, any(server.is_trusted for server in resolver.servers())

    found, is_trusted = asyncio.run(ask())
    return _facts(destination, hop, found, is_trusted=is_trusted and config.outbound.dane)


def _facts(destination: str, hop: NextHop, found: Survey, *, is_trusted: bool) -> dict[str, Any]:
    return {
        "destination": destination,
        "by_mx": hop.is_by_mx,
        "signed": found.is_authentic,
        "dane": "on" if is_trusted else "off",
        "mta_sts": _sts(found.sts),
        "refusal": found.refusal,
        "hosts": [_host(one) for one in found.prospects],
    }


def _sts(found: Found) -> dict[str, Any] | None:
    policy = found.policy
    if policy is None and not found.failure:
        return None
    return {
        "mode": policy.mode if policy is not None else None,
        "mx": policy.mx if policy is not None else (),
        "max_age": policy.max_age if policy is not None else None,
        "failure": found.failure,
        "text": found.text,
    }


def _host(one: Prospect) -> dict[str, Any]:
    safety = one.safety
    dane = safety.dane if safety is not None else None
    return {
        "host": one.host,
        "addresses": one.addresses,
        "tls": safety.tls if safety is not None else None,
        "because": safety.reason if safety is not None else "",
        "must_be_for": safety.names if safety is not None else (),
        "tlsa": [
            f"{record.usage} {record.selector} {record.matching} {record.data.hex()}"
            for record in (dane.all if dane is not None else ())
        ],
        "tlsa_base": dane.base if dane is not None else "",
        "refusal": one.refusal,
        "connected": one.tls,
        "failure": one.failure,
    }


_MEANING = {
    Tls.MAY: "TLS if it is offered, with any certificate; else in clear",
    Tls.ENCRYPT: "TLS, with any certificate",
    Tls.VERIFY: "TLS, and a certificate of a public authority for {names}",
    Tls.DANE: "TLS, and a certificate that a TLSA record vouches for",
    Tls.NEVER: "in clear",
}


def lines(facts: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    how = "by MX" if facts["by_mx"] else "named by a route"
    signed = ", signed" if facts["signed"] else ", not signed" if facts["by_mx"] else ""
    if facts["refusal"]:
        signed = ""  # there was no answer that could be
    yield f"{facts['destination']}: {how}{signed}"
    if facts["dane"] == "off":
        yield "DANE is off: it is not wanted, or no resolver is trusted to validate"
    sts = facts["mta_sts"]
    if sts is not None and sts["mode"] is not None:
        yield f"MTA-STS: {sts['mode']}, hosts {', '.join(sts['mx'])}, for {sts['max_age']} s"
    if sts is not None and sts["failure"]:
        yield f"MTA-STS: {sts['failure']}: {sts['text']}"
    if facts["refusal"]:
        yield f"no mail can leave: {facts['refusal']}"
    for host in facts["hosts"]:
        yield f"{host['host']}  {', '.join(host['addresses'])}".rstrip()
        if host["refusal"]:
            yield f"  gets no mail: {host['refusal']}"
            continue
        meaning = _MEANING[host["tls"]].format(names=", ".join(host["must_be_for"]))
        yield f"  {meaning} ({host['because']})"
        for record in host["tlsa"]:
            yield f"  TLSA {record} of {host['tlsa_base']}"
        if host["connected"] is not None:
            yield f"  connected: {host['connected'] or 'in clear'}"
        elif host["failure"]:
            yield f"  failed: {host['failure']}"


def kept_rows(config: Config) -> list[dict[str, Any]]:
    """What --json says of the policies that are kept."""
    return [
        {
            "domain": kept.domain,
            "id": kept.id,
            "mode": kept.text.partition("mode: ")[2].partition("\r\n")[0],
            "fetched_at": moment(kept.fetched_at),
            "expires_at": moment(kept.expires_at),
            "policy": kept.text.splitlines(),
        }
        for kept in kept_policies(config.data_dir, config.limits.mta_sts.policies)
    ]
