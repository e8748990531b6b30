"""The report in a message is found by its form."""

import base64
import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailauth.reports import samples
from mailauth.reports.letters import attached
from mailserver.base.errors import PeerError
from mailserver.base.limits import MimeLimits
from mailserver.mailauth.reports.feedback import Feedback, read, write
from mailserver.mailauth.reports.recognise import Bounds, Report, recognise
from mailserver.mailauth.reports.tls_values import TlsReport
from mailserver.mailauth.reports.values import Aggregate
from mailserver.mime.parts import scan
from mailserver.mime.scan import layout


def found(message: bytes, bounds: Bounds | None = None) -> Report | None:
    root = layout(scan(message, MimeLimits()), MimeLimits())
    return recognise(message, root, bounds or Bounds())


@pytest.mark.rfc(9990, "3.5.2")
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("application/gzip", "google.example!example.org!1700006400!1700092799.xml.gz"),
        ("application/octet-stream", "r.bin"),
        ("application/zip", ""),
        ("x/y", "r.xml.gz"),
    ],
)
def test_an_aggregate_report_is_found_however_it_is_labelled(kind: str, name: str) -> None:
    report = found(attached(kind, name, gzip.compress(samples.GOOGLE)))
    assert isinstance(report, Aggregate)
    assert report.org == "google.example"


def test_a_message_that_is_the_report_is_found() -> None:
    body = base64.encodebytes(gzip.compress(samples.YAHOO))
    report = found(
        b"Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body
    )
    assert isinstance(report, Aggregate)


@pytest.mark.rfc(8460, "5.3")
def test_a_tls_report_is_found() -> None:
    packed = gzip.compress(samples.TLS_GOOGLE)
    assert isinstance(found(attached("application/tlsrpt+gzip", "r.json.gz", packed)), TlsReport)
    plain = attached("application/tlsrpt+json", "", samples.TLS_MICROSOFT)
    assert isinstance(found(plain), TlsReport)


FEEDBACK = Feedback(
    "auth-failure",
    agent="Filter/1.0",
    failure="dmarc",
    domain="example.org",
    source="192.0.2.2",
    mail_from="<a@forwarder.example>",
    results="gen.example; dmarc=fail header.from=example.org",
    alignment="dkim,spf",
    delivery="reject",
    arrived="Tue, 19 Jul 2022 00:57:50 +0000",
    reporter="dns; gen.example",
    incidents=3,
    dkim_domain="example.org",
    dkim_selector="s1",
    spf_dns='txt : example.org : "v=spf1 -all"',
)


@pytest.mark.rfc(5965, "2", "3.1")
@pytest.mark.rfc(6591, "3.1")
def test_a_failure_report_is_found() -> None:
    message = (
        b'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        b"--b\r\n\r\nIt failed.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        + write(FEEDBACK)
        + b"\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: x@example.org\r\n\r\n--b--\r\n"
    )
    assert found(message) == FEEDBACK


def test_feedback_is_read_as_it_was_written() -> None:
    assert read(write(FEEDBACK)) == FEEDBACK
    assert b"Version: 1\r\n" in write(FEEDBACK)


@pytest.mark.parametrize("body", [b"", b"\0\xff", b"Version: 1\r\n"])
def test_what_is_no_feedback_is_refused(body: bytes) -> None:
    with pytest.raises(PeerError):
        read(body)


def test_mail_without_a_report_has_none() -> None:
    assert found(b"Subject: hello\r\n\r\nhello\r\n") is None
    assert found(b"") is None


def test_what_looks_like_a_report_and_is_none_says_why() -> None:
    with pytest.raises(PeerError, match="well-formed"):
        found(attached("application/gzip", "r.xml.gz", gzip.compress(b"nonsense")))
    with pytest.raises(PeerError, match="attached"):
        found(attached("application/gzip", "r.gz", b"x" * 3_000), Bounds(packed=2_000))


def test_a_picture_before_the_report_does_no_harm() -> None:
    one = attached("application/octet-stream", "logo.png", b"\x89PNG")
    two = attached("application/gzip", "r.xml.gz", gzip.compress(samples.GOOGLE))
    both = one.replace(b"--b--\r\n", two[two.index(b"--b\r\n") :])
    assert isinstance(found(both), Aggregate)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300))
def test_any_feedback_is_read_or_refused(body: bytes) -> None:
    for data in (body, b"Feedback-Type: abuse\r\n" + body):
        try:
            report = read(data)
        except PeerError:
            continue
        assert report.incidents >= 0
        read(write(report))
