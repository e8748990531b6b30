"""Whether those who are to get reports on somebody else's domain want them.

Spec: RFC 9990 §4; RFC 9991.  Status: complete.

Without this, a record could point floods of reports at anybody.
"""

import re
from collections.abc import Awaitable, Callable, Sequence

from mailserver.mailauth.reports.uris import Destination, destinations, split
from mailserver.mailauth.resolver import LookupFailed, Resolver, Trouble

_VERSION = re.compile(rb"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_TAG = re.compile(r"[ \t]*([A-Za-z0-9_]+)[ \t]*=[ \t]*(.*?)[ \t]*")
LONGEST = 253  #: characters of a name in the DNS
RECORDS = 20  #: of one answer that are looked at

#: gives the organizational domain of a domain
Organization = Callable[[str], Awaitable[str]]


class Undecided(Exception):
    """The DNS could not say; it may be asked again later."""


async def permitted(
    resolver: Resolver,
    policy_domain: str,
    wanted: Sequence[Destination],
    organization: Organization,
    *,
    tag: str = "rua",
) -> list[Destination]:
    """Those of *wanted* that may get reports on *policy_domain*, as they want them.

    Another organization's host must say so, and may name other addresses of its own (RFC 9990 §4 steps 1 to 9).
    Raises Undecided.
    """
    ours = await _own(organization, policy_domain)
    allowed: list[Destination] = []
    for one in wanted:
        if one.host == policy_domain or await _own(organization, one.host) == ours:
            allowed.append(one)
        else:
            allowed += await _asked(resolver, policy_domain, one, tag)
    first: dict[tuple[str, str], Destination] = {}
    for one in allowed:
        first.setdefault((one.scheme, one.target.lower()), one)
    return list(first.values())


async def _own(organization: Organization, domain: str) -> str:
    try:
        return await organization(domain)
    except Trouble as trouble:
        raise Undecided(str(trouble)) from trouble


async def _asked(
    resolver: Resolver, policy_domain: str, one: Destination, tag: str
) -> list[Destination]:
    name = f"{policy_domain}._report._dmarc.{one.host}"
    if len(name) > LONGEST:
        return []
    try:
        answer = await resolver.txt(name)
    except Trouble as trouble:
        raise Undecided(f"{name}: {trouble}") from trouble
    except LookupFailed:
        return []
    records = [value for value in answer.values[:RECORDS] if _VERSION.match(value)]
    if not records:
        return []
    for record in records:
        instead = _tag(record, tag)
        if instead is None:
            continue
        others = destinations(split(instead))
        if any(other.host != one.host for other in others):
            return []  # neither here nor there (RFC 9990 §4)
        return others
    return [one]


def _tag(record: bytes, name: str) -> str | None:
    for piece in record.decode("ascii", "replace").split(";")[1:]:
        found = _TAG.fullmatch(piece)
        if found is not None and found[1].lower() == name:
            return found[2]
    return None
