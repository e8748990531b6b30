"""Reports as the database keeps them: packed when they come, read again when somebody asks.

Spec: RFC 9990 §3.5.4; RFC 8460 §4.4.  Status: complete.
"""

import hashlib
import json
import zlib
from typing import Any

from mailserver.base.errors import Corrupt
from mailserver.mailauth.reports.feedback import Feedback
from mailserver.mailauth.reports.recognise import Report
from mailserver.mailauth.reports.tls_values import (
    TlsFailure,
    TlsPolicy,
    TlsPolicyReport,
    TlsReport,
)
from mailserver.mailauth.reports.values import (
    Aggregate,
    Counted,
    DkimSeen,
    Published,
    Reason,
    Row,
    SpfSeen,
)
from mailserver.store.reports import NewReport

DMARC, TLS, FAILURE = "dmarc", "tls", "failure"
ROWS = 5_000  #: of one report that are kept at most
PACKED = 65_536  #: octets of what is kept of one report


def pack(report: Report, now: int) -> NewReport:
    """What is kept of *report*, that came at *now*.

    A report without an id of its own is known by its content, so that it is kept once all the same.  Of a huge one the
    rows that stand for most messages are kept; the sums are always those of all.
    """
    part = report
    if isinstance(report, Aggregate) and len(report.records) > ROWS:
        rows = sorted(report.records, key=lambda one: -one.messages)
        part = report._replace(records=tuple(rows[:ROWS]))
    text = _text(part)
    id = hashlib.sha256(text).hexdigest()[:32]
    facts = zlib.compress(text, 6)
    while len(facts) > PACKED and (smaller := _halved(part)) is not None:
        part = smaller
        facts = zlib.compress(_text(part), 6)
    if isinstance(report, Aggregate):
        good, all = report.passed, report.messages
        id = report.report_id or id
        org = report.org or report.email
        domain = report.published.domain
        return _new(DMARC, domain, org, id, report.begin, report.end, good, all - good, facts)
    if isinstance(report, TlsReport):
        domain = report.policies[0].policy.domain
        good, bad = report.successes, report.failed
        id = report.report_id or id
        org = report.org or report.contact
        return _new(TLS, domain, org, id, report.begin, report.end, good, bad, facts)
    org = report.reporter or report.agent
    return _new(FAILURE, report.domain, org, id, now, now, 0, report.incidents, facts)


def unpack(kind: str, facts: bytes) -> Report:
    """The report that was packed.  Raises Corrupt for what nobody packed so."""
    try:
        found = json.loads(zlib.decompress(facts))
        if kind == DMARC:
            return _aggregate(found)
        if kind == TLS:
            return _tls(found)
        return Feedback(*found)
    except (zlib.error, ValueError, TypeError) as error:
        raise Corrupt(f"a report that cannot be read: {error}") from error


def _text(report: Report) -> bytes:
    return json.dumps(report, separators=(",", ":")).encode("utf-8", "replace")


def _halved(report: Report) -> Report | None:
    """The more important half of its rows; None where there is nothing to leave out."""
    if isinstance(report, Aggregate):
        if len(report.records) < 2:
            return None
        rows = sorted(report.records, key=lambda one: -one.messages)
        return report._replace(records=tuple(rows[: len(rows) // 2]))
    if isinstance(report, TlsReport):
        if len(report.policies) > 1:
            policies = sorted(report.policies, key=lambda one: (-one.failed, -one.successes))
            return report._replace(policies=tuple(policies[: len(policies) // 2]))
        (policy,) = report.policies
        if not policy.failures:
            return None
        failures = sorted(policy.failures, key=lambda one: -one[1])
        return report._replace(
            policies=(policy._replace(failures=tuple(failures[: len(failures) // 2])),)
        )
    return None


_MOST = 2**62


def _new(
    kind: str,
    domain: str,
    org: str,
    id: str,
    begin: int,
    end: int,
    good: int,
    bad: int,
    facts: bytes,
) -> NewReport:
    domain, org, id = (text.encode("utf-8", "replace").decode() for text in (domain, org, id))
    return NewReport(kind, domain, org, id, begin, end, min(good, _MOST), min(bad, _MOST), facts)


def _aggregate(found: list[Any]) -> Aggregate:
    report = Aggregate(*found)
    return report._replace(
        published=Published(*report.published),
        records=tuple(Counted(_row(row), messages) for row, messages in report.records),
        errors=tuple(report.errors),
    )


def _row(found: Any) -> Row:
    row = Row(*found)
    return row._replace(
        reasons=tuple(Reason(*one) for one in row.reasons),
        dkim=tuple(DkimSeen(*one) for one in row.dkim),
        spf=tuple(SpfSeen(*one) for one in row.spf),
    )


def _tls(found: list[Any]) -> TlsReport:
    report = TlsReport(*found)
    policies = []
    for policy, successes, failed, failures in report.policies:
        domain, type, text, hosts = policy
        what = tuple((TlsFailure(*one), count) for one, count in failures)
        rule = TlsPolicy(domain, type, tuple(text), tuple(hosts))
        policies.append(TlsPolicyReport(rule, successes, failed, what))
    return report._replace(policies=tuple(policies))
