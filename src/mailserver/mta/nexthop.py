"""Which next hop takes a message: a static route, a smarthost, or the hosts that the recipient's domain names.

Spec: RFC 5321 §5.1.  Status: complete.

One pure function decides, when a message is accepted and again when routes change while it waits.  The first of these
that is there wins:

1. the route of exactly the recipient's domain;
2. the route of the nearest domain above it, written ".example.com";
3. the smarthost of the sender's domain;
4. the route "*";
5. the smarthost of the configuration;
6. the recipient's domain itself, by its MX.

A route to "mx" ends the search: mail for that domain goes by its MX whatever smarthosts there are.  So does, past all
smarthosts and the route "*", mail to a domain that we are the backup of: it belongs to the domain's primary servers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailserver.base.errors import Cannot
from mailserver.directory.addresses import domain_name, parse

MX = "mx"  #: as a route: by the MX of the domain
REJECT = "reject"  #: as a route: no mail goes there
EVERYTHING = "*"  #: the route of all domains that have no better one

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")
_HOP = re.compile(rf"(smtp|lmtp):({_HOST.pattern}):([0-9]{{1,5}})")


@dataclass(frozen=True, slots=True)
class Hops:
    """Everything the choice rests on, as of one look at the directory and the configuration.

    routes:     "example.net", ".example.net" (what is below it) or "*" -> "smtp:HOST:PORT", "lmtp:...", MX or REJECT.
    smarthosts: the sender's domain, or ".name" for what is below it -> "smtp:HOST:PORT".
    smarthost:  takes all mail that no other hop does; "": there is none.
    backups:    domains that we are the backup of.
    """

    routes: Mapping[str, str] = field(default_factory=dict)
    smarthosts: Mapping[str, str] = field(default_factory=dict)
    smarthost: str = ""
    backups: frozenset[str] = frozenset()


def choose(hops: Hops, sender: str, domain: str) -> str:
    """The name of the destination for mail to *domain* (or an address literal) from *sender*'s address; or REJECT."""
    found = _route(hops.routes, domain)
    if not found and domain in hops.backups:
        return domain
    if not found and hops.smarthosts:
        found = _route(hops.smarthosts, sender.rpartition("@")[2])
    found = found or hops.routes.get(EVERYTHING, "") or hops.smarthost or MX
    return domain if found == MX else found


def hop(text: str) -> str:
    """What an operator wrote as "smtp:HOST:PORT" or "lmtp:HOST:PORT", in its one spelling.  Raises Cannot."""
    found = _HOP.fullmatch(text.strip())
    if found is None or not 0 < int(found[3]) < 65_536:
        raise Cannot(f"{text[:100]!r}: expected smtp:HOST:PORT or lmtp:HOST:PORT")
    return f"{found[1]}:{found[2].lower()}:{int(found[3])}"


def route_domain(text: str) -> str:
    """What an operator wrote as the domain of a route, in its one spelling: a name, ".name" or "*".  Raises Cannot."""
    text = text.strip()
    if text == EVERYTHING:
        return text
    if text.startswith("["):
        return parse(f"x@{text}").domain
    return f".{domain_name(text[1:])}" if text.startswith(".") else domain_name(text)


def _route(routes: Mapping[str, str], domain: str) -> str:
    if not routes:
        return ""
    if exact := routes.get(domain):
        return exact
    above = domain
    while not domain.startswith("[") and "." in above:
        above = above.partition(".")[2]
        if found := routes.get(f".{above}"):
            return found
    return ""
