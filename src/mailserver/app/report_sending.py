"""Reports of ours on demand: what would leave, and what leaves now.

Spec: RFC 9990 §3.5; RFC 8460 §4.1.  Status: complete.
"""

import asyncio
import time
from typing import NamedTuple

from mailserver.app.config import Config, smarthost
from mailserver.app.sending import resolver_of
from mailserver.directory import report_settings
from mailserver.directory.report_settings import Settings
from mailserver.mailauth.reports import aggregate_writing, tls_json
from mailserver.mailauth.reports.external import Undecided
from mailserver.mailauth.reports.values import Aggregate
from mailserver.mta import report_making
from mailserver.mta.notify import Terms
from mailserver.mta.report_making import Made, Wanted
from mailserver.mta.report_posting import leave
from mailserver.servers.names import Names
from mailserver.store import report_counts
from mailserver.store.report_counts import DAY, DMARC, TLS
from mailserver.store.store import Store


class Shown(NamedTuple):
    """One report.

    day:      seconds at its beginning.       to: who gets it, addresses and URIs.
    outcome:  what became of it, or would.    document: XML or JSON.
    """

    kind: str
    domain: str
    begin_at: int
    to: tuple[str, ...]
    outcome: str
    document: str


def send(config: Config, store: Store, domain: str, *, is_dry: bool) -> list[Shown]:
    """The reports on *domain*: of all days that are over; with *is_dry* today's so far, too, and none leaves.

    Raises Corrupt.
    """
    settings = store.read_now(lambda tx: report_settings.read(tx, config.hostname))
    today, names = int(time.time()) // DAY, Names()
    out = []
    for kind in (DMARC, TLS):
        for day in report_counts.days(config.data_dir, kind):
            if day >= today and not is_dry:
                continue
            if domain not in report_counts.domains(config.data_dir, kind, day):
                continue
            wanted = asyncio.run(_wanted(config, kind, domain, day))
            made = _made(config, settings, kind, domain, day, wanted, names())
            outcome = _outcome(made)
            if not is_dry and not isinstance(wanted, Undecided):
                outcome = _leave(config, store, settings, kind, domain, day, made, names())
            to = (*made.to, *made.uploads)
            out.append(Shown(kind, domain, day * DAY, to, outcome, _document(made, settings)))
    return out


async def _wanted(config: Config, kind: str, domain: str, day: int) -> Wanted | Undecided:
    resolver = resolver_of(config)
    try:
        if kind == TLS:
            return await report_making.wanted_tls(resolver, domain)
        found = report_counts.dmarc_day(config.data_dir, domain, day)
        return await report_making.wanted_dmarc(resolver, domain, found.rua if found else ())
    except Undecided as reason:
        return reason


def _made(
    config: Config,
    settings: Settings,
    kind: str,
    domain: str,
    day: int,
    wanted: Wanted | Undecided,
    token: str,
) -> Made:
    to = () if isinstance(wanted, Undecided) else wanted.to
    now = int(time.time())
    made = report_making.make(
        config.data_dir, kind, domain, day, to, settings, token=token, now=now
    )
    reason = f"no answer yet: {wanted}" if isinstance(wanted, Undecided) else wanted.reason
    if not settings.sender:
        reason = "there is no domain to send as"
    return made if made.reason else made._replace(reason=reason)


def _leave(
    config: Config,
    store: Store,
    settings: Settings,
    kind: str,
    domain: str,
    day: int,
    made: Made,
    trace: str,
) -> str:
    terms = Terms(config.hostname, config.limits, smarthost(config))
    outcome = store.write_now(
        lambda tx: leave(made, settings, kind, domain, day, terms, tx, trace=trace)
    )
    report_counts.forget(config.data_dir, kind, day, domain)
    return outcome or "it had left before"


def _outcome(made: Made) -> str:
    to = ", ".join((*made.to, *made.uploads))
    return "; ".join(filter(None, (to or "nobody", made.reason)))


def _document(made: Made, settings: Settings) -> str:
    if made.report is None:
        return ""
    if isinstance(made.report, Aggregate):
        return aggregate_writing.write(made.report, is_old=settings.is_old_form).decode()
    return tls_json.write(made.report).decode()
