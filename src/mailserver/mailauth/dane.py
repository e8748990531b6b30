"""DANE: what a mail host's owner publishes about its certificate, found under the name that counts.

Spec: RFC 7672 §2.1, §2.2, §3.2.2; RFC 7671 §7; RFC 6698 §3.  Status: complete for SMTP clients.

Only what DNSSEC vouches for counts, at every step.  A look-up that fails is no answer: the host is left alone until it
can be asked again, for whoever makes look-ups fail could take the protection away otherwise (RFC 7672 §2.1.2).
"""

from dataclasses import dataclass, replace

from mailserver.mailauth.resolver import NoData, NoSuchDomain, Resolver, Tlsa
from mailserver.mailauth.tlsa import usable

ALIASES = 8  #: followed from a host's name to where its addresses are


@dataclass(frozen=True, slots=True)
class Dane:
    """What is published for one port of a host.

    base:     the name it was found under: for SNI, and the first that a certificate may have (RFC 7672 §8.1, §3.2.2).
    records:  those that can be used; none: TLS is a must, whoever is at the other end (RFC 7672 §2.2).
    names:    which a certificate may have where an authority vouches for it (RFC 7672 §3.2.2).
    all:      everything that is published, for reports and people.
    """

    base: str
    records: tuple[Tlsa, ...]
    names: tuple[str, ...]
    all: tuple[Tlsa, ...] = ()

    def also_for(self, *names: str) -> "Dane":
        """The same with further *names*, which are as well vouched for (RFC 7672 §3.2.2)."""
        return replace(self, names=tuple(dict.fromkeys((*self.names, *names))))


async def discover(
    resolver: Resolver, host: str, port: int, *, is_address_authentic: bool, alias_of: str = ""
) -> Dane | None:
    """What *host*, which DNSSEC or the configuration has named, publishes; None: nothing that counts.

    is_address_authentic: DNSSEC vouches for the addresses of *host*, aliases on the way included.
    alias_of: the name at the end of all aliases, under which those addresses stand; "": *host* is none.

    Raises Trouble: nothing may be sent to this host now.
    """
    if is_address_authentic:
        bases = [alias_of, host] if alias_of else [host]  # RFC 7672 §2.2.2: the far end first
    elif alias_of and await aliases(resolver, host):
        bases = [host]  # the alias is vouched for, what it leads to is not
    else:
        return None
    for base in bases:
        found = await _records(resolver, f"_{port}._tcp.{base}")
        if found:
            return Dane(base, usable(found), tuple(dict.fromkeys((base, host))), found)
    return None


async def aliases(resolver: Resolver, host: str) -> list[str]:
    """What *host* is an alias of, one after the other, as far as DNSSEC vouches for it.  Raises Trouble."""
    found: list[str] = []
    at = host
    for _ in range(ALIASES):
        try:
            answer = await resolver.cname(at)
        except (NoData, NoSuchDomain):
            break
        if not answer.is_authentic:
            break
        at = answer.values[0]
        found.append(at)
    return found


async def _records(resolver: Resolver, name: str) -> tuple[Tlsa, ...]:
    """What DNSSEC vouches for at *name*.  Raises Trouble."""
    try:
        answer = await resolver.tlsa(name)
    except (NoData, NoSuchDomain):
        return ()
    return answer.values if answer.is_authentic else ()
