"""What our resolvers are worth: whether they answer, and whether DNSSEC can be relied on.

Spec: RFC 4035 §4.9.3; RFC 7672 §2.1.1 (DANE needs answers that are known to be signed).  Status: complete.

The root zone is signed, so whoever validates has its name servers with AD.
"""

import asyncio
from typing import NamedTuple

from mailserver.mailauth.resolver import LookupFailed, NoSuchDomain
from mailserver.net.dns import Resolver
from mailserver.net.dns_exchange import Server

SIGNED = ""  #: the root
TIMEOUT_S = 5.0


class Health(NamedTuple):
    """How the resolvers are.

    servers:      who is asked.
    is_answering: None: not tried, as nobody's word on DNSSEC counts.
    is_authentic: answers of signed zones are known to be; without that there is no DANE.
    text:         for people.
    """

    servers: tuple[str, ...]
    is_answering: bool | None
    is_authentic: bool
    text: str


async def look(resolver: Resolver, name: str = SIGNED) -> Health:
    """How things stand: one question for the name servers of *name*, if anybody's word on DNSSEC counts."""
    servers = resolver.servers()
    names = tuple(map(_shown, servers))
    trusted = [_shown(server) for server in servers if server.is_trusted]
    if not trusted:
        text = f"DANE is off: {_several(names)} may be asked, but not believed on DNSSEC (dns.trust_ad)"
        return Health(names, None, False, text)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            is_authentic = (await resolver.ns(name)).is_authentic
    except (LookupFailed, TimeoutError) as error:
        said = str(error).strip() or f"no answer within {TIMEOUT_S:g} s"
        if isinstance(error, NoSuchDomain):
            said = "it knows no root zone, so that nothing of the world is found"
        return Health(names, False, False, f"the DNS cannot be asked: {said}")
    if not is_authentic:
        text = f"DANE is off: {_several(trusted)} answers, and does not validate DNSSEC"
        return Health(names, True, False, text)
    text = f"{_several(trusted)} validates DNSSEC"
    if others := [_shown(server) for server in servers if not server.is_trusted]:
        text += f"; when it fails, {_several(others)} is asked, and then there is no DANE"
    return Health(names, True, True, text)


def _shown(server: Server) -> str:
    return server.host if server.port == 53 else f"{server.host} port {server.port}"


def _several(names: tuple[str, ...] | list[str]) -> str:
    return " or ".join(names)
