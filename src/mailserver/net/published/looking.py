"""Asking several corners of the DNS for everything that a domain should publish, all at once.

Spec: RFC 1034 §4.2.1 (servers of a zone), §3.6.2 (aliases).  Status: complete.

A view is a resolver with a name: the configured one, the zone's own servers, others that somebody named.  The zone's
own servers are asked for what is theirs; the rest, such as what SPF includes, comes from the configured resolver.
"""

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from mailserver.mailauth.resolver import (
    Answer,
    Caa,
    LookupFailed,
    Mx,
    NoData,
    NoSuchDomain,
    Resolver,
    Srv,
    Tlsa,
)
from mailserver.net.published import believed, compare
from mailserver.net.published.compare import Finding, Look, Web, World, addresses_of, patient
from mailserver.net.published.records import Facts, Kind, Need, Record, is_within, records

MOST_SERVERS = 6  #: of a zone that are asked

LOOKS: dict[tuple[Kind, str], Look] = {
    (Kind.MX, "MX"): compare.mail_hosts,
    (Kind.ADDRESS, "A"): compare.host_addresses,
    (Kind.SPF, "TXT"): believed.senders,
    (Kind.HELO, "TXT"): believed.senders,
    (Kind.DKIM, "TXT"): believed.keys,
    (Kind.DMARC, "TXT"): believed.policy,
    (Kind.REPORTS, "TXT"): believed.permission,
    (Kind.TLS_RPT, "TXT"): believed.tls_reports,
    (Kind.MTA_STS, "TXT"): believed.transport_policy,
    (Kind.MTA_STS, "CNAME"): believed.policy_host,
    (Kind.TLSA, "TLSA"): compare.certificates,
    (Kind.SERVICE, "SRV"): compare.services,
    (Kind.AUTOCONFIG, "CNAME"): compare.aliases,
    (Kind.CAA, "CAA"): compare.issuers,
}


class View(NamedTuple):
    """A corner of the DNS.

    zone: it is a server of this zone, and knows nothing else; "": it resolves everything.
    web:  fetches policies by it; None: they are not looked at.
    """

    name: str
    resolver: Resolver
    zone: str = ""
    web: Web | None = None


class Seen(NamedTuple):
    """What a view shows."""

    view: str
    findings: list[Finding]


async def look(facts: Facts, views: Sequence[View], *, now: float, patience_s: float) -> list[Seen]:
    """What each of *views* shows of what *facts* ask for, in their order; it takes about *patience_s* at most."""
    return list(await asyncio.gather(*(_one_view(facts, view, now, patience_s) for view in views)))


async def _one_view(facts: Facts, view: View, now: float, patience_s: float) -> Seen:
    world = World(view.resolver, facts, now, patience_s, is_authority=bool(view.zone), web=view.web)
    groups = [
        group for group in _groups(facts) if not view.zone or is_within(group[0].name, view.zone)
    ]
    found = await asyncio.gather(
        *(patient(world, group, LOOKS[group[0].kind, group[0].type]) for group in groups),
        believed.former_keys(world),
    )
    return Seen(view.name, [one for part in found for one in part])


def _groups(facts: Facts) -> list[list[Record]]:
    """What is looked at together: records of one kind and name.  The host's addresses are always among them."""
    wanted = records(facts)
    if not facts.addresses:
        why = "where the mail host is"
        wanted.append(Record(Kind.ADDRESS, facts.hostname, "A", "", Need.REQUIRED, why))
    groups: dict[tuple[Kind, str, str], list[Record]] = {}
    for one in wanted:
        kind = "A" if one.kind is Kind.ADDRESS else one.type
        groups.setdefault((one.kind, one.name, kind), []).append(one)
    for group in groups.values():
        if group[0].kind is Kind.ADDRESS:
            group[:] = [group[0]._replace(type="A"), *group[1:]]
    return list(groups.values())


async def authorities(
    resolver: Resolver, domain: str, ask: Callable[[str], Resolver]
) -> list[View]:
    """The servers of the zone that *domain* is in, each a view; *ask* makes a resolver of an address.

    None if nobody can say which they are.
    """
    zone, names = await _zone(resolver, domain)
    found: dict[str, View] = {}
    for name in names[:MOST_SERVERS]:
        try:
            there, _ = await addresses_of(resolver, name)
        except LookupFailed:
            continue
        address = str(there[0])
        server = ServerOfZone(zone, ask(address), resolver)
        found.setdefault(address, View(f"{name} ({address})", server, zone))
    return list(found.values())


async def _zone(resolver: Resolver, domain: str) -> tuple[str, list[str]]:
    """The zone, and the names of its servers."""
    name = domain
    while name:
        try:
            answer = await resolver.ns(name)
        except (NoData, NoSuchDomain):
            name = name.partition(".")[2]
        except LookupFailed:
            break
        else:
            return name, sorted(host.rstrip(".").lower() for host in answer.values)
    return "", []


class ServerOfZone:
    """A `mailauth.resolver.Resolver`: one server of *zone* for what is in it, another resolver for the rest."""

    def __init__(self, zone: str, server: Resolver, others: Resolver) -> None:
        self._zone = zone
        self._server = server
        self._others = others

    async def _who(self, name: str) -> Resolver:
        """Who is asked about *name*: others also for what the zone has only an alias of."""
        if not is_within(name.lower(), self._zone):
            return self._others
        try:
            alias = await self._server.cname(name)
        except LookupFailed:
            return self._server
        ends_here = is_within(alias.values[0].rstrip(".").lower(), self._zone)
        return self._server if ends_here else self._others

    async def txt(self, name: str) -> Answer[bytes]:
        """TXT."""
        return await (await self._who(name)).txt(name)

    async def a(self, name: str) -> Answer[IPv4Address]:
        """A."""
        return await (await self._who(name)).a(name)

    async def aaaa(self, name: str) -> Answer[IPv6Address]:
        """AAAA."""
        return await (await self._who(name)).aaaa(name)

    async def mx(self, name: str) -> Answer[Mx]:
        """MX."""
        return await (await self._who(name)).mx(name)

    async def ptr(self, address: IPv4Address | IPv6Address) -> Answer[str]:
        """PTR: never in the zone of a domain."""
        return await self._others.ptr(address)

    async def tlsa(self, name: str) -> Answer[Tlsa]:
        """TLSA."""
        return await (await self._who(name)).tlsa(name)

    async def cname(self, name: str) -> Answer[str]:
        """CNAME."""
        within = is_within(name.lower(), self._zone)
        return await (self._server if within else self._others).cname(name)

    async def srv(self, name: str) -> Answer[Srv]:
        """SRV."""
        return await (await self._who(name)).srv(name)

    async def caa(self, name: str) -> Answer[Caa]:
        """CAA."""
        return await (await self._who(name)).caa(name)

    async def ns(self, name: str) -> Answer[str]:
        """NS."""
        return await (await self._who(name)).ns(name)
