"""Reports that came, for people: lists, sums over many, one in full; and those of ours, before they leave.

Spec: RFC 9990 §3.1; RFC 8460 §4; RFC 5965 §3.  Status: complete.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from mailserver.app.answers import moment, table
from mailserver.mailauth.reports.feedback import Feedback
from mailserver.mailauth.reports.recognise import Report
from mailserver.mailauth.reports.tls_values import RESULTS, TlsReport
from mailserver.mailauth.reports.values import Aggregate, Row
from mailserver.mta.report_facts import unpack
from mailserver.store.reports import Received, Sent
from mailserver.store.store import Store
from mailserver.store.tx import Read

KINDS = ("dmarc", "tls", "failure")
PAGE = 500


class Source(NamedTuple):
    """Messages that came from one address, or sessions that failed in one way, of all reports together."""

    name: str
    good: int
    bad: int
    why: str
    reporters: int


def received_row(one: Received) -> dict[str, Any]:
    """A report in a list."""
    return {
        "id": one.id,
        "kind": one.kind,
        "domain": one.domain,
        "org": one.org,
        "begin": moment(one.begin_at),
        "end": moment(one.end_at),
        "good": one.good,
        "bad": one.bad,
        "report_id": one.report_id,
        "received_at": moment(one.received_at),
    }


def sent_row(one: Sent) -> dict[str, Any]:
    """A report of ours."""
    return {
        "kind": one.kind,
        "domain": one.domain,
        "begin": moment(one.begin_at),
        "sent_at": moment(one.sent_at),
        "outcome": one.outcome,
        "report_id": one.report_id,
    }


def as_object(report: Report) -> dict[str, Any]:
    """All of it, for programs."""
    if isinstance(report, Feedback):
        return report._asdict()
    if isinstance(report, TlsReport):
        policies = [
            one.policy._asdict()
            | {
                "successes": one.successes,
                "failed": one.failed,
                "failures": [what._asdict() | {"sessions": n} for what, n in one.failures],
            }
            for one in report.policies
        ]
        return report._asdict() | {"policies": policies}
    records = [
        one.row._asdict()
        | {
            "messages": one.messages,
            "reasons": [reason._asdict() for reason in one.row.reasons],
            "dkim": [found._asdict() for found in one.row.dkim],
            "spf": [found._asdict() for found in one.row.spf],
        }
        for one in report.records
    ]
    return report._asdict() | {"published": report.published._asdict(), "records": records}


def in_full(report: Report) -> Iterator[str]:
    """The content of one report, line by line."""
    if isinstance(report, Aggregate):
        yield from _aggregate(report)
    elif isinstance(report, TlsReport):
        yield from _tls(report)
    else:
        for name, value in report._asdict().items():
            if value not in ("", 1):
                yield f"{name:14} {value}"


def _aggregate(report: Aggregate) -> Iterator[str]:
    policy = report.published
    said = [f"p={policy.p}", f"sp={policy.sp or policy.p}", f"adkim={policy.adkim}"]
    said += [f"aspf={policy.aspf}"] + (["t=y"] if policy.is_testing else [])
    yield f"policy of {policy.domain}: {'; '.join(said)}"
    for error in report.errors:
        yield f"trouble: {error}"
    rows = [
        {
            "messages": one.messages,
            "source": one.row.source,
            "from": one.row.header_from,
            "dmarc": "pass" if one.row.passes else "fail",
            "done": one.row.disposition,
            "why": why(one.row),
        }
        for one in sorted(report.records, key=lambda one: (one.row.passes, -one.messages))
    ]
    yield ""
    yield from table(rows, ("messages", "source", "from", "dmarc", "done", "why"))


def _tls(report: TlsReport) -> Iterator[str]:
    for one in report.policies:
        yield f"{one.policy.domain}, policy {one.policy.type}: {one.successes} well, {one.failed} failed"
        rows = [
            {
                "sessions": count,
                "result": what.result,
                "host": what.receiving_mx or what.receiving_ip,
                "from": what.sending_ip,
                "reason": what.reason or RESULTS.get(what.result, ""),
            }
            for what, count in one.failures
        ]
        if rows:
            yield from table(rows, ("sessions", "result", "host", "from", "reason"))


def why(row: Row) -> str:
    """What the methods said, in a few words: `dkim pass example.org (s1); spf fail bounce.example.net`."""
    said = [
        f"dkim {one.result} {one.domain}{f' ({one.selector})' if one.selector else ''}"
        for one in row.dkim[:3]
    ] or ["no dkim"]
    said += [f"spf {one.result} {one.domain}" for one in row.spf[:1]] or ["no spf"]
    said += [
        f"{reason.type}{f': {reason.comment}' if reason.comment else ''}" for reason in row.reasons
    ]
    results = [one.result for one in row.dkim] + [one.result for one in row.spf]
    if not row.passes and "pass" in results:
        said.append("passed, and not aligned")
    return "; ".join(said)


def found(store: Store, domain: str | None, since: int) -> Iterator[tuple[Received, Report]]:
    """All reports on *domain* whose period ends after *since*, each with its content."""
    before = None

    def page(tx: Read) -> list[tuple[Received, bytes]]:
        page = tx.reports.list(domain, since=since, limit=PAGE, before=before)
        return [tx.reports.get(one.id) for one in page]

    while got := store.read_now(page):
        for one, facts in got:
            yield one, unpack(one.kind, facts)
        before = got[-1][0].id


class Summary(NamedTuple):
    """Sums over all reports of a time.

    sources: of mail: addresses that send as the domain, with what was wrong with the messages of each.
    results: of connections: how they failed.
    """

    domain: str
    reports: int
    good: int
    bad: int
    sources: list[Source]
    connections_good: int
    connections_bad: int
    results: list[Source]


def summary(reports: Iterable[tuple[Received, Report]]) -> list[Summary]:
    """A summary for each domain, by name."""
    books: dict[str, _Book] = {}
    for kept, report in reports:
        books.setdefault(kept.domain, _Book(kept.domain)).add(kept, report)
    return [books[domain].summary() for domain in sorted(books)]


class _Book:
    """The sums of one domain while reports are read."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.reports = 0
        self.sums = {"dmarc": [0, 0], "tls": [0, 0], "failure": [0, 0]}
        self.sources: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {}

    def add(self, kept: Received, report: Report) -> None:
        self.reports += 1
        self.sums[kept.kind][0] += kept.good
        self.sums[kept.kind][1] += kept.bad
        if isinstance(report, Aggregate):
            for one in report.records:
                reason = "" if one.row.passes else why(one.row)
                _add(self.sources, one.row.source, one.messages, reason, kept.org)
        elif isinstance(report, TlsReport):
            for policy in report.policies:
                for what, count in policy.failures:
                    reason = what.reason or RESULTS.get(what.result, "no such result")
                    host = what.receiving_mx or what.receiving_ip
                    name = f"{what.result} {host}".strip()
                    _add(self.results, name, count, reason, kept.org)

    def summary(self) -> Summary:
        (good, bad), (well, failed) = self.sums["dmarc"], self.sums["tls"]
        return Summary(
            self.domain,
            self.reports,
            good,
            bad,
            _sources(self.sources),
            well,
            failed,
            _sources(self.results),
        )


def _add(book: dict[str, dict[str, Any]], name: str, count: int, reason: str, org: str) -> None:
    entry = book.setdefault(name, {"good": 0, "bad": 0, "why": {}, "orgs": set()})
    entry["bad" if reason else "good"] += count
    entry["orgs"].add(org)
    if reason:
        entry["why"][reason] = entry["why"].get(reason, 0) + count


def _sources(book: dict[str, dict[str, Any]]) -> list[Source]:
    """Those with most failures first."""
    out = []
    for name, entry in book.items():
        reasons = sorted(entry["why"].items(), key=lambda pair: -pair[1])
        first = reasons[0][0] if reasons else ""
        more = f" (and {len(reasons) - 1} more kinds)" if len(reasons) > 1 else ""
        out.append(Source(name, entry["good"], entry["bad"], first + more, len(entry["orgs"])))
    return sorted(out, key=lambda one: (-one.bad, -one.good, one.name))


def summary_lines(one: Summary, most: int) -> Iterator[str]:
    """A summary for people; *most* sources of each kind."""
    yield f"{one.domain}: {one.reports} reports"
    if one.good or one.bad:
        yield f"  mail: {_rate(one.good, one.bad, 'passed DMARC')}"
        rows = [source._asdict() for source in one.sources[:most]]
        shown = [{"source": row["name"], **row} for row in rows]
        for line in table(shown, ("source", "good", "bad", "reporters", "why")):
            yield f"  {line}"
        if len(one.sources) > most:
            yield f"  and {len(one.sources) - most} more sources"
    if one.connections_good or one.connections_bad:
        yield f"  connections: {_rate(one.connections_good, one.connections_bad, 'went well')}"
        for source in one.results[:most]:
            yield f"    {source.bad} {source.name}: {source.why}"


def _rate(good: int, bad: int, what: str) -> str:
    return f"{good} of {good + bad} {what} ({100 * good / (good + bad):.1f} %)"
