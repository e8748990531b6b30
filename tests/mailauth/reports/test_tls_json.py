"""TLS reports in JSON: written as RFC 8460 says, read as others write them."""

import json

import parsedmarc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailauth.reports import samples
from mailserver.base.errors import PeerError
from mailserver.mailauth.reports.tls_json import TlsBounds, read, summed, write
from mailserver.mailauth.reports.tls_values import (
    RESULTS,
    TlsFailure,
    TlsOutcome,
    TlsPolicy,
    TlsPolicyReport,
    TlsReport,
)

STS = TlsPolicy(
    "example.org",
    "sts",
    ("version: STSv1", "mode: testing", "mx: *.example.org"),
    ("*.example.org",),
)
EXPIRED = TlsFailure(
    "certificate-expired",
    "192.0.2.1",
    "mx.example.org",
    "198.51.100.1",
    "mx.example.org",
    "0x1",
    "",
)
REPORT = TlsReport(
    org="Here & Co.",
    contact="tls@here.example",
    report_id="2023-11-15_example.org@here.example",
    begin=1_700_006_400,
    end=1_700_092_799,
    policies=(
        TlsPolicyReport(STS, 10, 2, ((EXPIRED, 2),)),
        TlsPolicyReport(TlsPolicy("example.org"), 1, 0),
    ),
)


@pytest.mark.rfc(8460, "4.4")
def test_the_document_has_the_names_of_the_schema() -> None:
    facts = json.loads(write(REPORT))
    assert facts["date-range"] == {
        "start-datetime": "2023-11-15T00:00:00Z",
        "end-datetime": "2023-11-15T23:59:59Z",
    }
    policy = facts["policies"][0]
    assert policy["policy"] == {
        "policy-type": "sts",
        "policy-string": list(STS.text),
        "policy-domain": "example.org",
        "mx-host": ["*.example.org"],
    }
    assert policy["summary"] == {
        "total-successful-session-count": 10,
        "total-failure-session-count": 2,
    }
    assert policy["failure-details"] == [
        {
            "result-type": "certificate-expired",
            "sending-mta-ip": "192.0.2.1",
            "receiving-mx-hostname": "mx.example.org",
            "receiving-ip": "198.51.100.1",
            "receiving-mx-helo": "mx.example.org",
            "failure-reason-code": "0x1",
            "failed-session-count": 2,
        }
    ]
    assert "failure-details" not in facts["policies"][1]


def test_what_is_written_is_read_again() -> None:
    assert read(write(REPORT)) == REPORT


def test_parsedmarc_reads_it() -> None:
    found = parsedmarc.parse_smtp_tls_report_json(write(REPORT).decode())
    assert found["organization_name"] == REPORT.org
    first = found["policies"][0]
    assert first["policy_domain"] == "example.org"
    assert first["failed_session_count"] == 2
    assert first["failure_details"][0]["result_type"] == "certificate-expired"


def test_reports_of_large_providers_are_read() -> None:
    google, microsoft = read(samples.TLS_GOOGLE), read(samples.TLS_MICROSOFT)
    assert (google.successes, google.failed) == (12, 3)
    assert google.policies[0].failures == (
        (TlsFailure("certificate-expired", "192.0.2.5", "mx.example.org", "198.51.100.1"), 3),
    )
    assert (microsoft.successes, microsoft.policies[0].policy.type) == (4, "no-policy-found")


@pytest.mark.rfc(8460, "4.2", "4.3")
def test_outcomes_are_summed_by_policy_failures_first() -> None:
    none = TlsPolicy("example.org")
    found = summed(
        [
            (TlsOutcome(none), 5),
            (TlsOutcome(STS), 1),
            (TlsOutcome(STS, EXPIRED), 2),
            (TlsOutcome(STS, EXPIRED._replace(result="starttls-not-supported")), 3),
        ]
    )
    assert [(one.policy, one.successes, one.failed) for one in found] == [(STS, 1, 5), (none, 5, 0)]
    assert sum(count for _, count in found[0].failures) == 5
    assert all(failure.result in RESULTS for failure, _ in found[0].failures)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"policies": []}',
        b"\xff\xfe{}",
        b'{"policies":[{}],"date-range":{"start-datetime":"yesterday"}}',
        b'{"policies":[{}],"date-range":{"start-datetime":NaN}}',
        b"[" * 100_000,
        b'{"policies":' * 50_000,
        b'{"policies": ' + b"9" * 10_000 + b"}",
        write(REPORT).replace(b"2023-11-15T00", b"2024-11-15T00"),
    ],
)
@pytest.mark.rfc(7493, "2.2", "2.3")
def test_what_is_no_report_is_refused(document: bytes) -> None:
    with pytest.raises(PeerError):
        read(document)


def test_bounds_hold() -> None:
    document = write(REPORT)
    with pytest.raises(PeerError, match="too large"):
        read(document, TlsBounds(len(document) - 1))
    many = REPORT._replace(policies=(TlsPolicyReport(STS, 0, 20_000, ((EXPIRED, 1),) * 6_000),) * 2)
    found = read(write(many))
    assert sum(len(policy.failures) for policy in found.policies) == 5_000


@settings(deadline=None, max_examples=150)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["policy", "summary", "policies", "failure-details", "date-range"]),
                inner,
                max_size=3,
            )
        ),
    )
)
def test_any_json_is_a_report_or_a_refusal(value: object) -> None:
    document = json.dumps(
        {
            "policies": value,
            "date-range": {
                "start-datetime": "2023-11-15T00:00:00Z",
                "end-datetime": "2023-11-15T23:59:59+01:00",
            },
        }
    )
    try:
        read(document.encode())
    except PeerError:
        return


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        read(data)
