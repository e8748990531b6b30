"""A day's counts become reports and the letters that carry them, as far as somebody wants them.

Spec: RFC 9990 §3.1.2, §3.5, §4; RFC 8460 §3, §4.1.  Status: complete.
Deviates: RFC 7489 §6.3: intervals shorter than a day (ri=) are not kept; RFC 9989 has none any more.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mailserver import __version__
from mailserver.directory.report_settings import Settings
from mailserver.mailauth.reports import tls_json
from mailserver.mailauth.reports.external import Undecided, permitted
from mailserver.mailauth.reports.organization import organization_of
from mailserver.mailauth.reports.tls_values import TlsReport
from mailserver.mailauth.reports.uris import Destination, destinations, tls_record
from mailserver.mailauth.reports.values import Aggregate
from mailserver.mailauth.resolver import LookupFailed, Resolver, Trouble
from mailserver.mta.report_facts import pack
from mailserver.mta.report_letters import Envelope, Letter, aggregate, report_id, tls
from mailserver.store.report_counts import DAY, DMARC, dmarc_day, tls_day
from mailserver.store.reports import NewReport

GENERATOR = f"mailserver {__version__}"


class Wanted(NamedTuple):
    """Who is to get a report; reason: why nobody is.

    is_asked: the domain asks for reports at all.
    """

    to: tuple[Destination, ...]
    reason: str = ""
    is_asked: bool = True


class Made(NamedTuple):
    """A report with the letter for those whom it is not too large for.

    letter:  None where there is nobody to write to.
    uploads: https URIs that it is handed over to.
    kept:    what is kept of it where we are a recipient ourselves.
    reason:  why somebody gets nothing.
    """

    report: Aggregate | TlsReport | None
    report_id: str
    letter: Letter | None
    to: tuple[str, ...]
    uploads: tuple[str, ...]
    reason: str
    kept: NewReport | None = None


async def wanted_dmarc(resolver: Resolver, domain: str, rua: Sequence[str]) -> Wanted:
    """Who gets the report on *domain*, whose record says *rua*.  Raises Undecided."""
    found = destinations(rua)
    if not found:
        return Wanted((), "no address in rua that can be used")

    allowed = await permitted(resolver, domain, found, organization_of(resolver))
    refused = [one.target for one in found if one not in allowed]
    return Wanted(tuple(allowed), f"not wanted by {', '.join(refused)}" if not allowed else "")


async def wanted_tls(resolver: Resolver, domain: str) -> Wanted:
    """Who gets the report on connections to *domain*'s hosts.  Raises Undecided."""
    try:
        answer = await resolver.txt(f"_smtp._tls.{domain}")
    except Trouble as trouble:
        raise Undecided(str(trouble)) from trouble
    except LookupFailed:
        return Wanted((), "it asks for none", is_asked=False)
    uris = tls_record(answer.values)
    if not uris:
        return Wanted((), "it asks for none", is_asked=False)
    found = destinations(uris, ("mailto", "https"))
    return Wanted(tuple(found), "" if found else "no URI in its record that can be used")


def make(
    data_dir: Path,
    kind: str,
    domain: str,
    day: int,
    wanted: Sequence[Destination],
    settings: Settings,
    *,
    token: str,
    now: int,
) -> Made:
    """The report on *day* with its letter; for a thread.  Raises Corrupt."""
    begin, end = day * DAY, (day + 1) * DAY - 1
    id = report_id(begin, token, settings.domain)
    report: Aggregate | TlsReport | None
    if kind == DMARC:
        report = _aggregate(data_dir, domain, day, settings, id, begin, end)
    else:
        report = _tls(data_dir, domain, day, settings, id, begin, end)
    if report is None:
        return Made(None, "", None, (), (), "nothing was counted")
    mails = [one for one in wanted if one.scheme == "mailto"]
    uploads = tuple(one.target for one in wanted if one.scheme == "https")
    letter, fits = _fitting(report, domain, mails, settings, token, now)
    large = len(mails) - len(fits)
    reason = f"too large for {large} of its recipients" if large else ""
    to = tuple(one.target for one in fits)
    if not to and not uploads:
        return Made(report, id, None, (), (), reason)
    return Made(report, id, letter, to, uploads, reason, pack(report, now))


def _fitting(
    report: Aggregate | TlsReport,
    domain: str,
    mails: Sequence[Destination],
    settings: Settings,
    token: str,
    now: int,
) -> tuple[Letter, list[Destination]]:
    """The letter, and those who take one of its size (RFC 9990 §3.5)."""
    envelope = Envelope(settings.sender, [one.target for one in mails], token, now)
    is_old = settings.is_old_form
    letter = _letter(report, domain, envelope, is_old=is_old)
    fits = [one for one in mails if one.most is None or len(letter.data) <= one.most]
    if len(fits) < len(mails):
        envelope = Envelope(settings.sender, [one.target for one in fits], token, now)
        letter = _letter(report, domain, envelope, is_old=is_old)
    return letter, fits


def _letter(
    report: Aggregate | TlsReport, domain: str, envelope: Envelope, *, is_old: bool
) -> Letter:
    if isinstance(report, Aggregate):
        return aggregate(report, envelope, is_old=is_old)
    return tls(report, domain, envelope)


def _aggregate(
    data_dir: Path, domain: str, day: int, settings: Settings, id: str, begin: int, end: int
) -> Aggregate | None:
    found = dmarc_day(data_dir, domain, day)
    if found is None:
        return None
    errors = (
        (f"{found.omitted} messages of further kinds are not in this report",)
        if found.omitted
        else ()
    )
    return Aggregate(
        org=settings.org,
        email=settings.sender,
        report_id=id,
        begin=begin,
        end=end,
        published=found.published,
        records=found.records,
        contact=settings.contact,
        errors=errors,
        generator=GENERATOR,
    )


def _tls(
    data_dir: Path, domain: str, day: int, settings: Settings, id: str, begin: int, end: int
) -> TlsReport | None:
    found = tls_day(data_dir, domain, day)
    if found is None:
        return None
    policies = tls_json.summed(found.outcomes)
    return TlsReport(settings.org, settings.sender, id, begin, end, policies)
