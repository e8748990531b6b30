"""Mail that brings reports: kept as what it says, filed or discarded, and never in the way of other mail."""

import gzip

import pytest

from mailauth.reports import samples
from mailauth.reports.letters import about, attached
from mailserver.directory import report_settings
from mailserver.mailauth.reports.tls_values import TlsReport
from mailserver.mailauth.reports.values import Aggregate
from mailserver.mta.report_facts import unpack
from mailserver.store.reports import Received
from servers.site import Site, greeted, send

TO = "dmarc-reports@example.test"


def kept(site: Site) -> list[Received]:
    return site.store.read_now(lambda tx: tx.reports.list())


@pytest.fixture
def postmaster(site: Site) -> str:
    """Who reads the mail of nobody's addresses."""
    return "alice@example.test"


@pytest.mark.rfc(9990, "3.5.4")
def test_a_report_is_kept_once_and_its_mail_is_filed(site: Site, postmaster: str) -> None:
    with greeted(site) as wire:
        assert send(wire, TO, raw=about("example.test")).startswith("250")
        assert send(wire, TO, raw=about("example.test")).startswith("250")
    (one,) = kept(site)
    assert (one.kind, one.domain, one.org) == ("dmarc", "example.test", "google.example")
    assert (one.good, one.bad, one.begin_at) == (2, 0, 1_700_006_400)
    _, facts = site.store.read_now(lambda tx: tx.reports.get(one.id))
    report = unpack(one.kind, facts)
    assert isinstance(report, Aggregate)
    assert report.records[0].row.source == "192.0.2.1"
    assert len(site.messages(postmaster)) == 2


def test_a_policy_may_stand_below_a_domain_of_ours(site: Site) -> None:
    with greeted(site) as wire:
        assert send(wire, TO, raw=about("news.mail.example.test")).startswith("250")
        assert send(wire, TO, raw=about("notexample.test")).startswith("250")
    assert [one.domain for one in kept(site)] == ["news.mail.example.test"]


@pytest.mark.rfc(8460, "5.3")
def test_a_tls_report_is_kept(site: Site) -> None:
    with greeted(site) as wire:
        raw = about("example.test", samples.TLS_GOOGLE)
        assert send(wire, "tls-reports@example.test", raw=raw).startswith("250")
    (one,) = kept(site)
    assert (one.kind, one.good, one.bad) == ("tls", 12, 3)
    _, facts = site.store.read_now(lambda tx: tx.reports.get(one.id))
    assert isinstance(unpack(one.kind, facts), TlsReport)


@pytest.mark.rfc(5965, "2")
def test_a_failure_report_is_kept(site: Site) -> None:
    raw = (
        b'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        b"--b\r\n\r\nIt failed.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        b"Feedback-Type: auth-failure\r\nVersion: 1\r\nUser-Agent: x/1\r\nAuth-Failure: dmarc\r\n"
        b"Reported-Domain: example.test\r\nIncidents: 3\r\nSource-IP: 192.0.2.1\r\n"
        b"\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: x@example.test\r\n\r\n--b--\r\n"
    )
    with greeted(site) as wire:
        assert send(wire, TO, raw=raw).startswith("250")
    (one,) = kept(site)
    assert (one.kind, one.domain, one.bad) == ("failure", "example.test", 3)


def test_mail_of_reports_can_be_discarded(site: Site, postmaster: str) -> None:
    site.store.write_now(lambda tx: report_settings.change(tx, "mail", "discard"))
    with greeted(site) as wire:
        assert send(wire, TO, raw=about("example.test")).startswith("250")
        assert len(kept(site)) == 1
        assert site.messages(postmaster) == []
        assert send(wire, TO, "bob@example.test", raw=about("example.test")).startswith("250")
        assert len(site.messages("bob@example.test")) == 1
        assert send(wire, TO).startswith("250")
    assert len(site.messages(postmaster)) == 2, "what is no report is filed as ever"


@pytest.mark.parametrize(
    "raw",
    [
        about("elsewhere.example"),
        attached("application/gzip", "r.xml.gz", b"\x1f\x8bnonsense"),
        attached("application/gzip", "r.xml.gz", gzip.compress(b"<feedback/>")),
        attached("application/gzip", "r.xml.gz", gzip.compress(b" " * 40_000_000)),
        b"Subject: hello\r\n\r\nhello\r\n",
        b"",
    ],
    ids=["another domain", "no gzip", "no report", "a bomb", "a letter", "nothing"],
)
def test_what_is_no_report_on_us_is_mail_like_any_other(
    site: Site, postmaster: str, raw: bytes
) -> None:
    site.store.write_now(lambda tx: report_settings.change(tx, "mail", "discard"))
    with greeted(site) as wire:
        assert send(wire, TO, raw=raw).startswith("250")
    assert kept(site) == []
    assert len(site.messages(postmaster)) == 1


def test_the_mail_of_users_is_not_looked_at(site: Site) -> None:
    with greeted(site) as wire:
        assert send(wire, "bob@example.test", raw=about("example.test")).startswith("250")
    assert kept(site) == []
    assert len(site.messages("bob@example.test")) == 1
