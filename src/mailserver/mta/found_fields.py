"""What was found of a message, as its readers see it: Authentication-Results and Received-SPF.

Spec: RFC 8601 §2.7, §4.1; RFC 7208 §9.1, §9.2; RFC 6008 §4; RFC 9989 §10.1.  Status: complete.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from mailserver.mailauth import results as written
from mailserver.mailauth.dkim.outcome import DkimResult
from mailserver.mailauth.results import MethodResult, Property
from mailserver.mailauth.spf import received
from mailserver.mailauth.spf.result import SpfResult
from mailserver.mta.findings import REMEMBERED, Findings

TAG_B_SHOWN = 12  #: characters of a signature that tell it from others; RFC 6008 §4 wants eight


def fields(found: Findings, sender: str, marks: Sequence[str], hostname: str) -> bytes:
    """Both fields with their line ends, to stand above our Received.

    sender: of the envelope, "" for the null one.    marks: of the signatures, as `Verification` has them.
    """
    (before, dkim, after), spf = (_known_words if found.is_small else _words)(found, hostname)
    size = _told_apart(marks)
    signed = [
        f"{line}{written.shown('header', 'b', mark[:size])}" if mark else line
        for line, mark in zip(dkim, marks, strict=True)
    ]
    text = written.together(hostname, (*before, *signed, *after))
    return written.field(text) + received.between(spf[0], found.spf, sender, spf[1])


def results(found: Findings, marks: Sequence[str]) -> Iterator[MethodResult]:
    """A verdict for each method that had something to look at."""
    yield from _before(found)
    size = _told_apart(marks)
    for one, mark in zip(found.dkim, marks, strict=True):
        said = _dkim(one)
        yield said._replace(properties=(*said.properties, Property("header", "b", mark[:size])))
    yield from _after(found)


def _words(
    found: Findings, hostname: str
) -> tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], tuple[str, str]]:
    """The lines of Authentication-Results before the signatures, of these without b=, and after them.

    And Received-SPF but for the sender.
    """
    lines = (
        tuple(map(written.line, _before(found))),
        tuple(map(written.line, map(_dkim, found.dkim))),
        tuple(map(written.line, _after(found))),
    )
    return lines, received.around(found.spf, found.ip, found.helo_name, hostname)


_known_words = lru_cache(maxsize=REMEMBERED)(_words)


def _before(found: Findings) -> Iterator[MethodResult]:
    iprev = found.iprev
    by = (Property("policy", "iprev", found.ip),)
    yield MethodResult("iprev", iprev.result, by, comment=iprev.reason)
    if found.domain:  # without the local part, which SPF says nothing about (RFC 8601 §2.7.2)
        yield _spf(found.spf, "mailfrom", found.domain)
        if found.helo.result != "none":
            yield _spf(found.helo, "helo", found.helo_name)
    else:  # a null sender is the name's (RFC 7208 §2.4)
        yield _spf(found.spf, "helo", found.helo_name)


def _after(found: Findings) -> Iterator[MethodResult]:
    if not found.dkim:
        yield MethodResult("dkim", "none", comment="not signed")
    if found.arc.result != "none":
        yield MethodResult("arc", found.arc.result, comment=found.arc.reason)
    dmarc = found.dmarc
    properties = (
        Property("header", "from", found.author.domain),
        Property("polrec", "p", dmarc.published if dmarc.policy_domain else ""),
        Property("polrec", "domain", dmarc.policy_domain),
    )
    yield MethodResult("dmarc", dmarc.result, properties, comment=dmarc.reason)


def _spf(result: SpfResult, name: str, value: str) -> MethodResult:
    by = (Property("smtp", name, value),)
    return MethodResult("spf", result.result, by, comment=result.reason)


def _dkim(one: DkimResult) -> MethodResult:
    properties = (
        Property("header", "d", one.domain),
        Property("header", "s", one.selector),
        Property("header", "a", one.algorithm),
    )
    comment = one.reason + (", only a test" if one.is_testing else "")
    return MethodResult("dkim", one.result, properties, comment=comment)


def _told_apart(marks: Sequence[str]) -> int:
    """How many characters of b= it takes so that no two signatures look the same (RFC 6008 §4)."""
    if len(marks) < 2:
        return TAG_B_SHOWN
    different, size = set(marks), TAG_B_SHOWN
    while len({mark[:size] for mark in different}) < len(different):
        size += 4
    return size
