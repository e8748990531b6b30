"""Which record speaks for a domain, and which organization it belongs to: the DNS tree walk.

Spec: RFC 9989 §4.10, §4.10.1, §4.10.2; RFC 8020 §2.  Status: complete.
"""

from collections.abc import Iterable
from typing import NamedTuple

from mailserver.mailauth.dmarc.record import Record, Wish, is_record, parse
from mailserver.mailauth.resolver import LookupFailed, NoSuchDomain, Resolver, Trouble

MOST = 8  #: questions of one walk: longer names are cut (RFC 9989 §4.10)


class Discovery(NamedTuple):
    """What the DNS says of a domain in From.

    record:       None: DMARC has nothing to say of its mail.     policy_domain: where it stands; "" without one.
    organization: the Organizational Domain.                      wish: what the owner wants done with mail that fails.
    reason:       for people.
    is_temporary: some question had no answer, so that the rest may be incomplete.
    """

    domain: str
    record: Record | None
    policy_domain: str
    organization: str
    wish: Wish
    reason: str
    is_temporary: bool = False


class _Walk(NamedTuple):
    """Records on the way up, longest name first; why it stopped early, if it did."""

    records: tuple[tuple[str, Record], ...]
    trouble: str


def targets(domain: str) -> list[str]:
    """The names that are asked for their record, in order: *domain*, then upwards (RFC 9989 §4.10)."""
    labels = domain.split(".")
    above = labels[-(MOST - 1) :] if len(labels) >= MOST else labels[1:]
    return [domain, *(".".join(above[n:]) for n in range(len(above)))]


async def discover(resolver: Resolver, domain: str) -> Discovery:
    """The record for mail from *domain* (A-labels, lower case); raises nothing."""
    walk = await _walk(resolver, domain)
    organization = _organization(domain, walk)
    records = dict(walk.records)
    upper = next((name for name, r in walk.records if r.psd == "y" and name != domain), "")
    at = next((name for name in (domain, organization, upper) if name in records), "")
    if not at:
        reason = walk.trouble or f"no record for {domain}"
        return Discovery(domain, None, "", organization, "none", reason, bool(walk.trouble))
    record = records[at]
    reason = f"record of {at}" + (f" ({'; '.join(record.faults)})" if record.faults else "")
    if walk.trouble:
        reason = f"{reason}; {walk.trouble}"
    if not record.is_usable:
        return Discovery(domain, None, "", organization, "none", f"{reason}: not usable")
    exists = True
    if at != domain and record.np is not None and record.np != (record.sp or record.p or "none"):
        exists = await _exists(resolver, domain)
    wish = record.wish(is_below=at != domain, exists=exists)
    return Discovery(domain, record, at, organization, wish, reason, bool(walk.trouble))


async def organizations(
    resolver: Resolver, found: Discovery, domains: Iterable[str]
) -> dict[str, str | None]:
    """The Organizational Domains of those *domains* that may belong to the same one as *found*; None: nobody knows.

    Others are left out without a question: an Organizational Domain is the end of its domain's name.
    """
    out: dict[str, str | None] = {}
    for domain in dict.fromkeys(domains):
        if domain == found.domain:
            out[domain] = found.organization
        elif domain == found.organization or domain.endswith(f".{found.organization}"):
            walk = await _walk(resolver, domain)
            out[domain] = None if walk.trouble else _organization(domain, walk)
    return out


async def _walk(resolver: Resolver, domain: str) -> _Walk:
    records: list[tuple[str, Record]] = []
    for name in targets(domain):
        try:
            answer = await resolver.txt(f"_dmarc.{name}")
        except Trouble as error:
            return _Walk(tuple(records), f"no answer for _dmarc.{name}: {error}")
        except LookupFailed:
            continue
        found = [value for value in answer.values if is_record(value)]
        if len(found) != 1:  # several are as good as none (RFC 9989 §4.10)
            continue
        record = parse(found[0])
        records.append((name, record))
        if record.psd != "u":
            break
    return _Walk(tuple(records), "")


def _organization(domain: str, walk: _Walk) -> str:
    """RFC 9989 §4.10.2."""
    for name, record in walk.records:
        if record.psd == "n":
            return name
        if record.psd == "y" and name != domain:
            below = domain.removesuffix(f".{name}").rpartition(".")[2]
            return f"{below}.{name}"
    return walk.records[-1][0] if walk.records else domain


async def _exists(resolver: Resolver, domain: str) -> bool:
    """False only where the DNS says that nothing is there (RFC 8020 §2)."""
    try:
        await resolver.a(domain)
    except NoSuchDomain:
        return False
    except LookupFailed:
        pass
    return True
