"""What the DNS shows of a domain's records: each right, wrong or missing, and what to do.

Spec: RFC 5321 §5.1; RFC 2181 §10.3; RFC 1912 §2.1; RFC 7505 §3; RFC 7672 §2.2; RFC 8657 §3.  Status: complete.

A look never raises for what the DNS says, and each question has its time.  What others have put there beside ours is
right as long as ours still holds: further mail hosts, other senders in SPF, a stricter DMARC.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple, Protocol

from mailserver.mailauth.iprev import iprev
from mailserver.mailauth.resolver import Bogus, LookupFailed, NoData, NoSuchDomain, Resolver
from mailserver.net.https import Response
from mailserver.net.public import is_public
from mailserver.net.published.records import Facts, Kind, Need, Record


class Status(StrEnum):
    """What is to be said of a record."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "missing"
    UNKNOWN = "unknown"  #: nobody answered
    NOTE = "note"  #: worth knowing, and nothing to be done at once


class Finding(NamedTuple):
    """One thing that was found.

    expected: as a zone has it; "": nothing particular.      found: what is there, as text.
    text:     what is wrong and what to do; "" where all is right.
    """

    kind: Kind
    name: str
    type: str
    status: Status
    need: Need
    expected: str = ""
    found: tuple[str, ...] = ()
    text: str = ""
    is_authentic: bool = False

    @property
    def is_bad(self) -> bool:
        """Somebody has to do something."""
        if self.status is Status.WRONG:
            return True
        return self.status is Status.MISSING and self.need is not Need.OPTIONAL


class Web(Protocol):
    """What is asked of web servers (`net/https.py`)."""

    async def get(self, host: str, path: str, *, most: int, timeout_s: float) -> Response:
        """What is there; raises HttpsError."""


@dataclass(frozen=True, slots=True)
class World:
    """One view of the DNS.

    resolver: answers for it.      patience_s: for each record with all questions that belong to it.
    now:      UTC epoch seconds, for SPF.
    is_authority: it is a server of the zone, whose word on DNSSEC nobody asks for.
    web:      fetches our MTA-STS policy as others do; None: nobody looks at it.
    """

    resolver: Resolver
    facts: Facts
    now: float
    patience_s: float = 10.0
    is_authority: bool = False
    web: Web | None = None


Look = Callable[[World, Sequence[Record]], Awaitable[list[Finding]]]


async def patient(world: World, group: Sequence[Record], look: Look) -> list[Finding]:
    """What *look* says of *group*, records of one kind, name and type; for trouble with the DNS a finding as well."""
    first = group[0]
    try:
        async with asyncio.timeout(world.patience_s):
            return await look(world, group)
    except TimeoutError:
        return [of(first, Status.UNKNOWN, text=f"no answer within {world.patience_s:g} s")]
    except Bogus as error:
        text = f"its DNSSEC signatures are wrong, so that careful servers see nothing: {error}"
        return [of(one, Status.WRONG, text=text) for one in group]
    except (NoSuchDomain, NoData) as error:
        return [
            of(one, Status.MISSING, text="to be added", is_authentic=error.is_authentic)
            for one in group
        ]
    except LookupFailed as error:
        return [of(first, Status.UNKNOWN, text=str(error))]


def of(
    record: Record,
    status: Status,
    *,
    found: Sequence[str] = (),
    text: str = "",
    is_authentic: bool = False,
    kind: Kind | None = None,
) -> Finding:
    """A finding about *record*."""
    return Finding(
        kind or record.kind,
        record.name,
        record.type,
        status,
        record.need,
        record.value,
        tuple(found),
        text,
        is_authentic,
    )


async def mail_hosts(world: World, group: Sequence[Record]) -> list[Finding]:
    """MX: our host is among them, and is no alias."""
    (record,) = group
    answer = await world.resolver.mx(record.name)
    shown = [f"{one.preference} {one.host}." for one in answer.values]
    hosts = [one.host.lower() for one in answer.values]
    ours = world.facts.hostname
    if hosts == [""]:
        text = "it says that the domain takes no mail (null MX): replace it"
        return [of(record, Status.WRONG, found=shown, text=text)]
    if any(map(_is_address, hosts)):
        text = (
            f"an MX record names a host, never an address: mail for it goes to {ours}, or nowhere"
        )
        return [of(record, Status.WRONG, found=shown, text=text)]
    if ours not in hosts:
        text = f"mail goes elsewhere: {ours} is not among them"
        return [of(record, Status.WRONG, found=shown, text=text)]
    found = [of(record, Status.RIGHT, found=shown, is_authentic=answer.is_authentic)]
    others = [host for host in hosts if host != ours]
    if others:
        text = f"mail goes to {', '.join(others)}, too: these must pass it on to this host"
        found.append(of(record, Status.NOTE, found=shown, text=text))
    try:
        alias = await world.resolver.cname(ours)
    except LookupFailed:
        return found
    text = f"{ours} is an alias of {alias.values[0]}: a mail host must have addresses of its own"
    return [of(record, Status.WRONG, found=shown, text=text), *found[1:]]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def addresses_of(
    resolver: Resolver, host: str
) -> tuple[list[IPv4Address | IPv6Address], bool]:
    """All addresses of *host*, and whether DNSSEC vouches for them.  Raises LookupFailed if there are none."""
    found: list[IPv4Address | IPv6Address] = []
    trouble: LookupFailed | None = None
    is_authentic = True
    for ask in (resolver.a, resolver.aaaa):
        try:
            answer = await ask(host)
        except (NoData, NoSuchDomain) as error:
            trouble = trouble or error
        except LookupFailed as error:
            trouble = error
        else:
            found += answer.values
            is_authentic &= answer.is_authentic
    if not found:
        raise trouble or NoData(f"{host} has no address")
    return found, is_authentic


async def leaving_from(world: World) -> list[IPv4Address | IPv6Address]:
    """The addresses that the host's mail comes from: those the operator has chosen; of another kind, all it has.

    Raises LookupFailed if none is known.
    """
    sources = [ip_address(one) for one in world.facts.sources]
    known = [ip_address(one) for one in world.facts.addresses]
    if not known:
        try:
            known, _ = await addresses_of(world.resolver, world.facts.hostname)
        except LookupFailed:
            if not sources:
                raise
    kinds = {one.version for one in sources}
    return [*sources, *(one for one in known if one.version not in kinds)]


async def host_addresses(world: World, group: Sequence[Record]) -> list[Finding]:
    """A and AAAA of the mail host: there are some, ours are among them, and their names lead back here."""
    there, is_authentic = await addresses_of(world.resolver, world.facts.hostname)
    shown = [str(one) for one in there]
    found = []
    for record in group:
        if not record.value or ip_address(record.value) in there:
            found.append(of(record, Status.RIGHT, found=shown, is_authentic=is_authentic))
        else:
            text = "this address of the host is not among them"
            found.append(of(record, Status.WRONG, found=shown, text=text))
    sources = [one for one in map(ip_address, world.facts.sources) if one not in there]
    found += [await _reverse(world, group[0], address) for address in there]
    return [*found, *[await _reverse_of_source(world, group[0], one) for one in sources]]


async def _reverse(world: World, record: Record, address: IPv4Address | IPv6Address) -> Finding:
    """PTR: without a name that leads back, many servers take no mail from an address (RFC 1912 §2.1)."""
    host = world.facts.hostname
    wanted = _pointer(record, address, host)
    if not is_public(str(address)):
        text = f"{address} is no address of the internet: nobody looks for its name"
        return of(wanted, Status.NOTE, text=text)
    try:
        answer = await world.resolver.ptr(address)
    except (NoSuchDomain, NoData):
        text = f"{address} has no name: ask whoever gave you the address to set it to {host}"
        return of(wanted, Status.MISSING, text=text)
    except LookupFailed as error:
        return of(wanted, Status.UNKNOWN, text=str(error))
    names = [name.rstrip(".").lower() for name in answer.values]
    if host in names:
        return of(wanted, Status.RIGHT, found=names, is_authentic=answer.is_authentic)
    text = f"{address} has another name: ask whoever gave you the address to set it to {host}"
    return of(wanted, Status.WRONG, found=names, text=text)


async def _reverse_of_source(
    world: World, record: Record, address: IPv4Address | IPv6Address
) -> Finding:
    """PTR of an address that only sends: any name will do that leads back to it (RFC 8601 §2.7.3)."""
    host = world.facts.hostname
    wanted = _pointer(record, address, "")
    if not is_public(str(address)):
        text = f"mail leaves from {address}, which is no address of the internet: others see another one"
        return of(wanted, Status.NOTE, text=text)
    verdict = await iprev(world.resolver, address)
    if verdict.result == "pass":
        return of(wanted, Status.RIGHT, found=[verdict.name])
    if verdict.result == "temperror":
        return of(wanted, Status.UNKNOWN, text=verdict.reason)
    text = (
        f"mail leaves from {address}, which no name leads back to ({verdict.reason}): "
        f"give it a name that does, or add it to the addresses of {host}"
    )
    return of(wanted, Status.WRONG, text=text)


def _pointer(record: Record, address: IPv4Address | IPv6Address, host: str) -> Record:
    return record._replace(
        name=address.reverse_pointer,
        type="PTR",
        value=f"{host}." if host else "",
        need=Need.REQUIRED,
    )


async def certificates(world: World, group: Sequence[Record]) -> list[Finding]:
    """TLSA: records that match our certificate are there, if there are any; they count with DNSSEC only."""
    first = group[0]
    try:
        answer = await world.resolver.tlsa(first.name)
    except (NoSuchDomain, NoData):
        _, is_signed = await addresses_of(world.resolver, world.facts.hostname)
        if is_signed or world.is_authority:
            return [
                of(one, Status.MISSING, text="to be added: its zone is signed") for one in group
            ]
        text = "DANE needs a zone with DNSSEC, and a resolver here that is trusted to check it"
        return [of(first, Status.NOTE, text=text)]
    there = [f"{one.usage} {one.selector} {one.matching} {one.data.hex()}" for one in answer.values]
    found = []
    for record in group:
        if record.value in there:
            found.append(of(record, Status.RIGHT, found=there, is_authentic=answer.is_authentic))
        else:
            text = "no record matches this certificate: servers that check DANE send nothing"
            found.append(of(record, Status.WRONG, found=there, text=text))
    extra = set(there) - {record.value for record in group}
    if extra and not any(one.is_bad for one in found):
        text = f"{len(extra)} more that match no certificate here: of a former one, or of the next"
        found.append(of(first, Status.NOTE, found=sorted(extra), text=text))
    if not (answer.is_authentic or world.is_authority):
        text = "not proved by DNSSEC, as far as this resolver says: nobody looks at it"
        found.append(of(first, Status.NOTE, found=there, text=text))
    return found


async def services(world: World, group: Sequence[Record]) -> list[Finding]:
    """SRV: mail programs are sent here, or told that there is nothing."""
    (record,) = group
    wanted = record.value.split()
    port, target = int(wanted[2]), wanted[3].rstrip(".").lower()
    try:
        answer = await world.resolver.srv(record.name)
    except (NoSuchDomain, NoData):
        if target:
            raise
        return []  # nothing is said of what there is not: nearly as good
    shown = [f"{one.priority} {one.weight} {one.port} {one.target}." for one in answer.values]
    if any(one.target.rstrip(".").lower() == target and one.port == port for one in answer.values):
        return [of(record, Status.RIGHT, found=shown, is_authentic=answer.is_authentic)]
    text = "mail programs are sent elsewhere" if target else "programs are sent to what is not here"
    return [of(record, Status.WRONG, found=shown, text=text)]


async def aliases(world: World, group: Sequence[Record]) -> list[Finding]:
    """Hosts that are to lead here: by CNAME, or with addresses of their own."""
    (record,) = group
    try:
        alias = await world.resolver.cname(record.name)
    except (NoSuchDomain, NoData):
        there, is_authentic = await addresses_of(world.resolver, record.name)
        shown = [str(one) for one in there]
        return [of(record, Status.RIGHT, found=shown, is_authentic=is_authentic)]
    shown = [f"{name}." for name in alias.values]
    return [of(record, Status.RIGHT, found=shown, is_authentic=alias.is_authentic)]


async def issuers(world: World, group: Sequence[Record]) -> list[Finding]:
    """CAA: whoever issues our certificates may."""
    (record,) = group
    answer = await world.resolver.caa(record.name)
    shown = [f'{one.flags} {one.tag} "{one.value}"' for one in answer.values]
    issue = [one.value for one in answer.values if one.tag.lower() == "issue"]
    ours = [value for value in issue if value.partition(";")[0].strip().lower() == world.facts.ca]
    if not issue or any(_lets(value, world.facts.account) for value in ours):
        return [of(record, Status.RIGHT, found=shown, is_authentic=answer.is_authentic)]
    if ours:
        text = (
            f"{world.facts.ca} may issue certificates for another account only: none for this one"
        )
        return [of(record, Status.WRONG, found=shown, text=text)]
    text = f"{world.facts.ca} may not issue certificates: the next one will be refused"
    return [of(record, Status.WRONG, found=shown, text=text)]


def _lets(value: str, account: str) -> bool:
    """Whether a CAA property lets *account* have certificates, as far as it says so (RFC 8657 §3)."""
    for part in value.split(";")[1:]:
        name, _, uri = part.strip().partition("=")
        if name.strip().lower() == "accounturi" and account:
            return uri.strip() == account
    return True
