"""Everything that mail authentication found out about one message of another server.

Spec: RFC 8601 §2.7; RFC 8617 §8.1.  Status: complete.

Most mail is like other mail to all methods: from the same host, for the same domain, signed by the same key.  What they
say is then one object, and whatever follows from it is made once, too.  It says nothing of the one message: of its
sender only the domain, and not which signatures it had.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from mailserver.base.errors import PeerError
from mailserver.mailauth.arc.verify import ArcResult
from mailserver.mailauth.dkim.outcome import DkimResult
from mailserver.mailauth.dmarc.author import Author
from mailserver.mailauth.dmarc.discover import Discovery
from mailserver.mailauth.dmarc.judge import DmarcResult, Proof, judge, unnamed
from mailserver.mailauth.iprev import IprevResult
from mailserver.mailauth.results import parse
from mailserver.mailauth.spf.result import SpfResult
from mailserver.store.trusted import Trusted

Network = IPv4Network | IPv6Network
REMEMBERED = 1_000  #: findings that are kept, and what is made of them
REMEMBERED_SIZE = 1_000  #: characters of them that strangers choose freely

NOT_ASKED = DmarcResult("none", "none", (), "not asked: no recipient's domain wants it")


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What each method says; one object for all messages of which they say the same.

    ip, helo_name: of the client, as it told them.
    domain:    of the envelope sender; "" of the null one.
    helo:      SPF of the name in EHLO.            spf: of the envelope sender, or of the name where that is null.
    author:    the domain in From.                 discovery: what is published for it; None where there is none.
    is_small:  what follows from them may be remembered as well.
    """

    ip: str
    helo_name: str
    domain: str
    iprev: IprevResult
    helo: SpfResult
    spf: SpfResult
    dkim: tuple[DkimResult, ...]
    arc: ArcResult
    author: Author
    discovery: Discovery | None
    dmarc: DmarcResult
    is_small: bool


class Said(NamedTuple):
    """What the methods say that ask nobody else; fields as in `Findings`."""

    ip: str
    helo_name: str
    domain: str
    iprev: IprevResult
    helo: SpfResult
    spf: SpfResult
    dkim: tuple[DkimResult, ...]
    arc: ArcResult
    author: Author
    discovery: Discovery | None


def findings(
    said: Said, organizations: tuple[tuple[str, str | None], ...], asks_dmarc: bool
) -> Findings:
    """All of it, with the verdict of DMARC.

    organizations: of the domains that may speak for the author's, as `discover.organizations` gives them.
    asks_dmarc:    some recipient's domain wants to know what the author's publishes.
    """
    is_small = not said.arc.results and sum([len(one.identity) for one in said.dkim]) <= (
        REMEMBERED_SIZE
    )
    find = _known if is_small else _found
    return find(said, organizations, asks_dmarc, is_small)


def _found(
    said: Said, organizations: tuple[tuple[str, str | None], ...], asks_dmarc: bool, is_small: bool
) -> Findings:
    if not asks_dmarc:
        dmarc = NOT_ASKED
    elif said.discovery is None:
        dmarc = unnamed(said.author)
    else:
        proofs = [Proof("spf", said.spf.result, said.spf.domain)]
        proofs += [Proof("dkim", one.result, one.domain) for one in said.dkim]
        dmarc = judge(said.discovery, proofs, dict(organizations))
    return Findings(*said, dmarc, is_small)


_known = lru_cache(maxsize=REMEMBERED)(_found)


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


def vouched(
    found: Findings, forwarders: frozenset[str], sealers: frozenset[str]
) -> tuple[str, str]:
    """Who of those stands for the message, and why: ("forwarder" or "sealer", reason); ("", "") if nobody does."""
    if forwarders and (domain := _forwarder(found, forwarders)):
        return "forwarder", f"passed on by {domain}"
    if sealers and (domain := _sealer(found, sealers)):
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
