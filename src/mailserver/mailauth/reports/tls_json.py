"""A TLS report as JSON, made and read.

Spec: RFC 8460 §4.4, §4.5; RFC 7493 §2; RFC 3339 §5.6.  Status: complete.

What is read is another's: within bounds, and with the small faults that are seen in the wild, as a lone string where an
array belongs.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mailserver.base.errors import PeerError
from mailserver.mailauth.reports.tls_values import (
    TlsFailure,
    TlsOutcome,
    TlsPolicy,
    TlsPolicyReport,
    TlsReport,
)

SIZE = 4_194_304  #: octets of a document; it is read in one go, in which nothing else happens
POLICIES = 500  #: of one report that are kept
FAILURES = 5_000  #: of all policies
LINES = 100  #: of one policy
TEXT = 300  #: characters of one text
_TYPES = frozenset({"sts", "tlsa", "no-policy-found"})
_MOST = 2**63 - 1


class TlsBounds(NamedTuple):
    """Of one report.  size: octets of the document."""

    size: int = SIZE


def write(report: TlsReport) -> bytes:
    """The document, in ASCII."""
    facts = {
        "organization-name": report.org,
        "date-range": {
            "start-datetime": _time(report.begin),
            "end-datetime": _time(report.end),
        },
        "contact-info": report.contact,
        "report-id": report.report_id,
        "policies": [_policy(one) for one in report.policies],
    }
    return json.dumps(facts, indent=1).encode() + b"\n"


def summed(outcomes: Sequence[tuple[TlsOutcome, int]]) -> tuple[TlsPolicyReport, ...]:
    """What happened under each policy, those with failures first."""
    successes: dict[TlsPolicy, int] = {}
    failures: dict[TlsPolicy, dict[TlsFailure, int]] = {}
    for outcome, count in outcomes:
        policy = outcome.policy
        successes.setdefault(policy, 0)
        under = failures.setdefault(policy, {})
        if outcome.failure is None:
            successes[policy] += count
        else:
            under[outcome.failure] = under.get(outcome.failure, 0) + count
    reports = [
        TlsPolicyReport(
            policy, good, sum(failures[policy].values()), tuple(failures[policy].items())
        )
        for policy, good in successes.items()
    ]
    return tuple(sorted(reports, key=lambda one: (-one.failed, -one.successes, one.policy)))


def read(document: bytes, bounds: TlsBounds = TlsBounds()) -> TlsReport:  # noqa: B008 - it is a constant
    """The report; raises PeerError with the reason where it is none."""
    if len(document) > bounds.size:
        raise PeerError("the report is too large")
    try:
        facts = json.loads(document.decode("utf-8-sig"), parse_constant=_no_constant)
    except RecursionError as error:
        raise PeerError("JSON nested too deep") from error
    except ValueError as error:  # no UTF-8, no JSON, a number of too many digits
        raise PeerError(f"no JSON: {str(error)[:100]}") from error
    if not isinstance(facts, dict) or "policies" not in facts:
        raise PeerError("no TLS report: it has no policies")
    period = _dict(facts.get("date-range"))
    begin, end = (_seconds(period.get(f"{name}-datetime")) for name in ("start", "end"))
    if end < begin:
        raise PeerError("its period ends before it begins")
    room = [FAILURES]
    policies = tuple(_read_policy(_dict(one), room) for one in _list(facts["policies"])[:POLICIES])
    if not policies:
        raise PeerError("a TLS report without a policy")
    return TlsReport(
        org=_text(facts.get("organization-name")),
        contact=_text(facts.get("contact-info")),
        report_id=_text(facts.get("report-id")),
        begin=begin,
        end=end,
        policies=policies,
    )


def _policy(one: TlsPolicyReport) -> dict[str, Any]:
    policy: dict[str, Any] = {"policy-type": one.policy.type}
    if one.policy.text:
        policy["policy-string"] = list(one.policy.text)
    policy["policy-domain"] = one.policy.domain
    if one.policy.mx_hosts:
        policy["mx-host"] = list(one.policy.mx_hosts)
    facts: dict[str, Any] = {
        "policy": policy,
        "summary": {
            "total-successful-session-count": one.successes,
            "total-failure-session-count": one.failed,
        },
    }
    if one.failures:
        facts["failure-details"] = [_failure(failure, count) for failure, count in one.failures]
    return facts


_FIELDS = (
    ("result-type", "result"),
    ("sending-mta-ip", "sending_ip"),
    ("receiving-mx-hostname", "receiving_mx"),
    ("receiving-ip", "receiving_ip"),
    ("receiving-mx-helo", "receiving_helo"),
    ("additional-information", "more"),
    ("failure-reason-code", "reason"),
)


def _failure(failure: TlsFailure, count: int) -> dict[str, Any]:
    facts: dict[str, Any] = {
        name: value for name, attribute in _FIELDS if (value := getattr(failure, attribute))
    }
    return facts | {"failed-session-count": count}


def _read_policy(facts: dict[str, Any], room: list[int]) -> TlsPolicyReport:
    policy, summary = _dict(facts.get("policy")), _dict(facts.get("summary"))
    kind = _text(policy.get("policy-type")).lower()
    failures = [_read_failure(_dict(one)) for one in _list(facts.get("failure-details"))[: room[0]]]
    room[0] -= len(failures)
    return TlsPolicyReport(
        TlsPolicy(
            _text(policy.get("policy-domain")).lower().rstrip("."),
            kind if kind in _TYPES else "no-policy-found",
            tuple(_text(line) for line in _list(policy.get("policy-string"))[:LINES]),
            tuple(_text(host) for host in _list(policy.get("mx-host"))[:LINES]),
        ),
        _count(summary.get("total-successful-session-count")),
        _count(summary.get("total-failure-session-count")),
        tuple(failures),
    )


def _read_failure(facts: dict[str, Any]) -> tuple[TlsFailure, int]:
    values = {attribute: _text(facts.get(name)) for name, attribute in _FIELDS}
    return TlsFailure(**values), _count(facts.get("failed-session-count"))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in value[:TEXT]).strip()


def _count(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(value, 0), _MOST)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(value: object) -> int:
    try:
        at = datetime.fromisoformat(_text(value))
        return max(0, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()))
    except (ValueError, OverflowError) as error:
        raise PeerError("a time that is none") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
