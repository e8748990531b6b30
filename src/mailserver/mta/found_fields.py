"""What was found of a message, as its readers see it: Authentication-Results and Received-SPF.

Spec: RFC 8601 §2.7, §4.1; RFC 7208 §9.1, §9.2; RFC 6008 §4; RFC 9989 §10.1.  Status: complete.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from mailserver.mailauth.dmarc.judge import DmarcResult
from mailserver.mailauth.iprev import IprevResult
from mailserver.mailauth.results import MethodResult, Property, build
from mailserver.mailauth.spf.received import build as received_spf
from mailserver.mailauth.spf.result import SpfResult
from mailserver.mta.findings import Findings

TAG_B_SHOWN = 12  #: characters of a signature that tell it from others; RFC 6008 §4 wants eight
REMEMBERED = 1_000  #: verdicts on hosts and domains that are not put together again


def fields(found: Findings, hostname: str) -> bytes:
    """Both fields with their line ends, to stand above our Received."""
    spf = received_spf(found.spf, found.ip, found.sender, found.helo_name, hostname)
    return build(hostname, results(found)) + spf


def results(found: Findings) -> Iterator[MethodResult]:
    """A verdict for each method that had something to look at."""
    yield _iprev(found.iprev, found.ip)
    if found.sender:  # without the local part, which SPF says nothing about (RFC 8601 §2.7.2)
        yield _spf(found.spf, "mailfrom", found.sender.rpartition("@")[2])
        if found.helo.result != "none":
            yield _spf(found.helo, "helo", found.helo_name)
    else:  # a null sender is the name's (RFC 7208 §2.4)
        yield _spf(found.spf, "helo", found.helo_name)
    shown = _told_apart([one.tag_b for one in found.dkim])
    for one in found.dkim:
        yield MethodResult(
            "dkim",
            one.result,
            (
                Property("header", "d", one.domain),
                Property("header", "s", one.selector),
                Property("header", "a", one.algorithm),
                Property("header", "b", one.tag_b[:shown]),
            ),
            comment=one.reason + (", only a test" if one.is_testing else ""),
        )
    if not found.dkim:
        yield MethodResult("dkim", "none", comment="not signed")
    if found.arc.result != "none":
        yield MethodResult("arc", found.arc.result, comment=found.arc.reason)
    yield _dmarc(found.dmarc, found.author.domain)


def _told_apart(values: Sequence[str]) -> int:
    """How many characters of b= it takes so that no two signatures look the same (RFC 6008 §4)."""
    if len(values) < 2:
        return TAG_B_SHOWN
    different, size = set(values), TAG_B_SHOWN
    while len({value[:size] for value in different}) < len(different):
        size += 4
    return size


@lru_cache(maxsize=REMEMBERED)
def _iprev(result: IprevResult, ip: str) -> MethodResult:
    by = (Property("policy", "iprev", ip),)
    return MethodResult("iprev", result.result, by, comment=result.reason)


@lru_cache(maxsize=REMEMBERED)
def _spf(result: SpfResult, name: str, value: str) -> MethodResult:
    by = (Property("smtp", name, value),)
    return MethodResult("spf", result.result, by, comment=result.reason)


@lru_cache(maxsize=REMEMBERED)
def _dmarc(result: DmarcResult, domain: str) -> MethodResult:
    properties = (
        Property("header", "from", domain),
        Property("polrec", "p", result.published if result.policy_domain else ""),
        Property("polrec", "domain", result.policy_domain),
    )
    return MethodResult("dmarc", result.result, properties, comment=result.reason)
