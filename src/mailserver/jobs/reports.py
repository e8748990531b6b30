"""Every day, what was counted the day before leaves as reports, spread over some hours, each exactly once.

Spec: RFC 9990 §3.5; RFC 8460 §4.1, §5.5.  Status: complete.

A report is noted as sent in the transaction that puts it into the queue; whoever comes second, after a crash or as
another leader, finds the note and only clears the counts away.
"""

import asyncio
import hashlib
from collections.abc import Iterator
from functools import partial

from mailserver.base.errors import MailError
from mailserver.base.log import Log
from mailserver.directory import report_settings
from mailserver.directory.report_settings import Settings
from mailserver.jobs.registry import Site, job
from mailserver.mailauth.reports.external import Undecided
from mailserver.mta import report_making
from mailserver.mta.notify import Terms
from mailserver.mta.report_making import Made, Wanted
from mailserver.mta.report_posting import leave
from mailserver.store import report_counts
from mailserver.store.report_counts import DAY, DMARC, TLS

AT_ONCE = 8  #: domains whose destinations are asked about at the same time
RUN = 2_000  #: domains of one run; the others come with the next
UNDECIDED_DAYS = 2  #: the DNS had no answer for so long: the report is given up
SETTLED_S = 60  #: after midnight, all workers have written what they counted before it
GIVEN_UP_DAYS = (
    14  #: what is older was put off too often, or this server was off: nobody waits for it
)
FORGET = 1_000  #: reports forgotten in one transaction

log = Log("reports")


@job("reports", every_s=300, first_s=60)
async def send_reports(site: Site) -> None:
    """Daily reports on DMARC and TLS to domains that ask for them."""
    settings = await site.work.read(lambda tx: report_settings.read(tx, site.hostname))
    for kind, is_on in ((DMARC, settings.sends_dmarc), (TLS, settings.sends_tls)):
        await _send(site, settings, kind, is_on=is_on and bool(settings.sender))


@job("reports-kept", every_s=3_600, first_s=600)
async def forget_reports(site: Site) -> None:
    """Reports, sent and received, are forgotten after limits.reports.age_days."""
    before = int(site.now()) - round(site.limits.reports.age_days * DAY)
    while await site.work.write(lambda tx: tx.reports.forget(before, FORGET)) >= FORGET:
        await asyncio.sleep(0)


async def _send(site: Site, settings: Settings, kind: str, *, is_on: bool) -> None:
    """All of one kind that is due; where none are wanted, what was counted is cleared away."""
    data_dir, now = site.store.path.parent, site.now()
    today = int(now) // DAY
    for day in await site.work.thread(partial(report_counts.days, data_dir, kind)):
        if day >= today:
            continue
        if not is_on or day < today - GIVEN_UP_DAYS:
            await site.work.thread(partial(report_counts.forget, data_dir, kind, day))
            continue
        found = await site.work.thread(partial(report_counts.domains, data_dir, kind, day))
        due = [d for d in found if now >= (day + 1) * DAY + _offset(d, kind, settings.spread_s)]
        for group in _groups(due[:RUN]):
            await asyncio.gather(*(_one(site, settings, kind, domain, day) for domain in group))


def _offset(domain: str, kind: str, spread_s: int) -> int:
    """Seconds after midnight at which a domain's report leaves, always the same for it."""
    number = int.from_bytes(hashlib.sha256(f"{kind} {domain}".encode()).digest()[:4])
    return SETTLED_S + (number % spread_s if spread_s else 0)


def _groups(domains: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(domains), AT_ONCE):
        yield domains[at : at + AT_ONCE]


async def _one(site: Site, settings: Settings, kind: str, domain: str, day: int) -> None:
    """One report, from the counts to the queue; trouble of one is no trouble of others."""
    data_dir = site.store.path.parent
    try:
        if not await site.work.read(lambda tx: tx.reports.was_sent(kind, domain, day * DAY)):
            wanted = await _wanted(site, kind, domain, day)
            if wanted is None:
                return  # asked again later
            if wanted.is_asked:
                await _make(site, settings, kind, domain, day, wanted)
        await site.work.thread(partial(report_counts.forget, data_dir, kind, day, domain))
    except MailError as reason:
        log.warning("report put off", kind=kind, domain=domain, reason=str(reason))
    except Exception as error:
        log.error("report failed", kind=kind, domain=domain, error=error)


async def _wanted(site: Site, kind: str, domain: str, day: int) -> Wanted | None:
    """Who gets it; None: nobody knows yet."""
    data_dir, resolver = site.store.path.parent, site.ways.resolver
    try:
        if kind == TLS:
            return await report_making.wanted_tls(resolver, domain)
        found = await site.work.thread(partial(report_counts.dmarc_day, data_dir, domain, day))
        if found is None:
            return Wanted((), "nothing was counted")
        return await report_making.wanted_dmarc(resolver, domain, found.rua)
    except Undecided as reason:
        if site.now() < (day + 1 + UNDECIDED_DAYS) * DAY:
            log.info("report put off", kind=kind, domain=domain, reason=str(reason))
            return None
        return Wanted((), f"no answer from the DNS: {reason}")


async def _make(
    site: Site, settings: Settings, kind: str, domain: str, day: int, wanted: Wanted
) -> None:
    made = Made(None, "", None, (), (), wanted.reason)
    if wanted.to:
        made = await site.work.thread(
            partial(
                report_making.make,
                site.store.path.parent,
                kind,
                domain,
                day,
                wanted.to,
                settings,
                token=site.token(),
                now=int(site.now()),
            )
        )
    terms = Terms(site.hostname, site.limits, site.smarthost)
    outcome = await site.work.write(
        partial(leave, made, settings, kind, domain, day, terms, trace=site.token())
    )
    if outcome:
        log.info("report", kind=kind, domain=domain, id=made.report_id, outcome=outcome)
