"""What was found of a message, as its readers see it: Authentication-Results and Received-SPF.

Spec: RFC 8601 §2.7, §4.1; RFC 7208 §9.1, §9.2; RFC 6008 §4; RFC 9989 §10.1.  Status: complete.
"""

from collections.abc import Iterator, Sequence

from mailserver.mailauth.results import MethodResult, Property, build
from mailserver.mailauth.spf.received import build as received_spf
from mailserver.mailauth.spf.result import SpfResult
from mailserver.mta.findings import Findings

TAG_B_SHOWN = 12  #: characters of a signature that tell it from others; RFC 6008 §4 wants eight


def fields(found: Findings, hostname: str) -> bytes:
    """Both fields with their line ends, to stand above our Received."""
    spf = received_spf(found.spf, found.ip, found.sender, found.helo_name, hostname)
    return build(hostname, results(found)) + spf


def results(found: Findings) -> Iterator[MethodResult]:
    """A verdict for each method that had something to look at."""
    iprev = (Property("policy", "iprev", found.ip),)
    yield MethodResult("iprev", found.iprev.result, iprev, comment=found.iprev.reason)
    by_name = Property("smtp", "helo", found.helo_name)
    if found.sender:  # without the local part, which SPF says nothing about (RFC 8601 §2.7.2)
        yield _spf(found.spf, Property("smtp", "mailfrom", found.sender.rpartition("@")[2]))
    if (
        found.helo.result != "none" or not found.sender
    ):  # a null sender is the name's (RFC 7208 §2.4)
        yield _spf(found.helo if found.sender else found.spf, by_name)
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
    yield _dmarc(found)


def _told_apart(values: Sequence[str]) -> int:
    """How many characters of b= it takes so that no two signatures look the same (RFC 6008 §4)."""
    different, size = set(values), TAG_B_SHOWN
    while len({value[:size] for value in different}) < len(different):
        size += 4
    return size


def _spf(result: SpfResult, by: Property) -> MethodResult:
    return MethodResult("spf", result.result, (by,), comment=result.reason)


def _dmarc(found: Findings) -> MethodResult:
    dmarc = found.dmarc
    properties = (
        Property("header", "from", found.author.domain),
        Property("polrec", "p", dmarc.published if dmarc.policy_domain else ""),
        Property("polrec", "domain", dmarc.policy_domain),
    )
    return MethodResult("dmarc", dmarc.result, properties, comment=dmarc.reason)
