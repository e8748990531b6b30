"""Everything that mail authentication found out about one message of another server.

Spec: RFC 8601 §2.7; RFC 8617 §8.1.  Status: complete.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from mailserver.base.errors import PeerError
from mailserver.mailauth.arc.verify import ArcResult
from mailserver.mailauth.dkim.outcome import DkimResult
from mailserver.mailauth.dmarc.author import Author
from mailserver.mailauth.dmarc.discover import Discovery
from mailserver.mailauth.dmarc.judge import DmarcResult
from mailserver.mailauth.iprev import IprevResult
from mailserver.mailauth.results import parse
from mailserver.mailauth.spf.result import SpfResult
from mailserver.store.trusted import Trusted

Network = IPv4Network | IPv6Network


class Findings(NamedTuple):
    """What each method says.

    ip, helo_name, sender: of the client, as it told them; sender "" is the null one.
    helo:      SPF of the name in EHLO.            spf: of the envelope sender, or of the name where that is null.
    author:    the domain in From.                 discovery: what is published for it; None where there is none.
    """

    ip: str
    helo_name: str
    sender: str
    iprev: IprevResult
    helo: SpfResult
    spf: SpfResult
    dkim: tuple[DkimResult, ...]
    arc: ArcResult
    author: Author
    discovery: Discovery | None
    dmarc: DmarcResult


class Trust(NamedTuple):
    """Whom we trust to pass on other people's mail: networks that are not asked, domains."""

    networks: tuple[Network, ...] = ()
    forwarders: frozenset[str] = frozenset()
    sealers: frozenset[str] = frozenset()


def trust(rows: Iterable[Trusted]) -> Trust:
    """All that an administrator has said."""
    networks, domains = [], {"forwarder": set[str](), "sealer": set[str]()}
    for row in rows:
        if row.kind == "network":
            networks.append(ip_network(row.value))
        else:
            domains[row.kind].add(row.value)
    return Trust(tuple(networks), frozenset(domains["forwarder"]), frozenset(domains["sealer"]))


def vouched(found: Findings, trust: Trust) -> tuple[str, str]:
    """Who of *trust* stands for the message, and why: ("forwarder" or "sealer", reason); ("", "") if nobody does."""
    if trust.forwarders and (domain := _forwarder(found, trust.forwarders)):
        return "forwarder", f"passed on by {domain}"
    if trust.sealers and (domain := _sealer(found, trust.sealers)):
        return "sealer", f"{domain} has sealed that DMARC passed there"
    return "", ""


def _forwarder(found: Findings, forwarders: frozenset[str]) -> str:
    if found.spf.result == "pass" and (domain := _within(found.spf.domain, forwarders)):
        return domain
    for one in found.dkim:
        if one.result == "pass" and not one.is_testing and one.domain in forwarders:
            return one.domain
    return ""


def _within(domain: str, domains: frozenset[str]) -> str:
    """The one of *domains* that *domain* is, or is below of."""
    while domain:
        if domain in domains:
            return domain
        domain = domain.partition(".")[2]
    return ""


def _sealer(found: Findings, sealers: frozenset[str]) -> str:
    """The first of the trusted sealers that end the chain, if it found that DMARC passed for this author."""
    if found.arc.result != "pass":
        return ""
    first = len(found.arc.sealers)
    while first and found.arc.sealers[first - 1] in sealers:
        first -= 1
    for n in range(first, len(found.arc.sealers)):
        if _said_pass(found.arc.results[n], found.author.domain):
            return found.arc.sealers[n]
    return ""


def _said_pass(results: bytes, domain: str) -> bool:
    try:
        said = parse(results).results
    except PeerError:
        return False
    for one in said:
        if one.method == "dmarc" and one.result == "pass":
            names: Mapping[str, str] = {p.name: p.value for p in one.properties}
            return names.get("from", "").rpartition("@")[2].lower() == domain
    return False
