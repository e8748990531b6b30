"""`mailserver report`: what others report, and what is reported to them."""

import time
from pathlib import Path

import pytest

from mailauth.reports import samples
from mailserver.base.limits import ReportLimits
from mailserver.mailauth.reports import aggregate_reading, tls_json
from mailserver.mailauth.reports.tls_values import TlsOutcome, TlsPolicy
from mailserver.mailauth.reports.values import Published, Row, Seen
from mailserver.mta.report_facts import pack
from mailserver.store.report_counts import DAY, ReportCounts
from mailserver.store.store import Store


@pytest.fixture
def example(cli, tmp_path: Path):
    """A server with a domain, a postmaster, and reports on it."""
    cli("domain add example.org")
    store = Store(tmp_path / "data")
    store.open()
    store.start()
    reports = [
        aggregate_reading.read(one)
        for one in (samples.GOOGLE, samples.MICROSOFT, samples.YAHOO, samples.FASTMAIL)
    ]
    for report in (
        *reports,
        tls_json.read(samples.TLS_GOOGLE),
        tls_json.read(samples.TLS_MICROSOFT),
    ):
        store.write_now(lambda tx, report=report: tx.reports.keep(pack(report, 0), 100))
    store.close()
    return cli


def test_reports_are_listed(example):
    rows = example("report list --json").json
    assert [row["org"] for row in rows] == [
        "Microsoft Corporation",
        "Google Inc.",
        "Fastmail Pty Ltd",
        "Yahoo",
        "Enterprise Outlook",
        "google.example",
    ]
    assert (rows[4]["good"], rows[4]["bad"], rows[4]["kind"]) == (0, 7, "dmarc")
    assert rows[4]["begin"] == "2023-11-15T00:00:00Z"
    assert len(example("report list --kind tls --json").json) == 2
    assert example("report list --domain example.net --json").json == []
    assert len(example("report list --limit 2 --json").json) == 2
    assert [row["id"] for row in example("report list --before 3 --json").json] == [2, 1]
    assert "Fastmail Pty Ltd" in example("report list").out


def test_a_report_is_shown(example):
    shown = example("report show 2").out
    assert "policy of example.org: p=reject; sp=reject" in shown
    assert "2001:db8::25" in shown
    assert "no dkim; spf softfail spammer.example" in shown
    assert example("report show 4 --json").json["content"]["records"][0]["messages"] == 3
    assert "certificate-expired" in example("report show 5").out
    refused = example("report show 99")
    assert (refused.status, refused.err) == (1, "No report 99.\n")


def test_reports_are_summed_up(example):
    (row,) = example("report summary --since 2020-01-01 --json").json
    assert (row["domain"], row["reports"], row["good"], row["bad"]) == ("example.org", 6, 5, 8)
    assert (row["connections_good"], row["connections_bad"]) == (16, 3)
    worst = row["sources"][0]
    assert (worst["name"], worst["bad"], worst["reporters"]) == ("2001:db8::25", 7, 1)
    assert worst["why"] == "no dkim; spf softfail spammer.example"
    text = example("report summary --since 2020-01-01 --sources 1").out
    assert "mail: 5 of 13 passed DMARC (38.5 %)" in text
    assert "connections: 16 of 19 went well (84.2 %)" in text
    assert "3 certificate-expired mx.example.org: the certificate has expired" in text
    assert "and 3 more sources" in text
    assert example("report summary").out == "no reports\n"


def test_settings_are_checked_and_forgotten(example):
    assert example("report settings --json").json["dmarc"] == "on"
    assert example("report settings dmarc=off mail=discard spread=0").status == 0
    assert example("report settings sender=dmarc@example.org").status == 0
    values = example("report settings --json").json
    assert (values["dmarc"], values["mail"], values["sender"]) == (
        "off",
        "discard",
        "dmarc@example.org",
    )
    example("report settings dmarc=default")
    assert example("report settings --json").json["dmarc"] == "on"
    for wrong in (
        "dmarc=maybe",
        "mail=lose",
        "form=rfc822",
        "spread=2000",
        "sender=x@elsewhere.example",
        "failures=elsewhere.example",
        "colour=blue",
    ):
        refused = example(f"report settings {wrong}")
        assert refused.status == 1, wrong
        assert refused.err.startswith(wrong.partition("=")[0]) or "elsewhere" in refused.err
    assert example("report settings nonsense").status == 2


def count(folder: Path, days_ago: int) -> None:
    counts = ReportCounts(folder, ReportLimits())
    counts.start()
    row = Row("192.0.2.1", "example.org", "", "none", True, False, "example.org")
    at = time.time() - days_ago * DAY
    counts.dmarc(Seen(Published("example.org"), ("mailto:dmarc-reports@example.org",), row), at)
    counts.tls(TlsOutcome(TlsPolicy("example.net")), at)
    counts.close()


def test_what_would_leave_is_shown_and_what_is_due_leaves(example, tmp_path):
    count(tmp_path / "data", 0)
    count(tmp_path / "data", 1)
    shown = example("report send example.org --dry-run --json").json
    assert [one["kind"] for one in shown] == ["dmarc", "dmarc"]
    assert shown[0]["to"] == ["dmarc-reports@example.org"]
    assert aggregate_reading.read(shown[0]["document"].encode()).messages == 1
    assert example("report sent --json").json == []
    assert "<source_ip>192.0.2.1</source_ip>" in example("report send example.org --dry-run").out
    (left,) = example("report send example.org --now --json").json
    assert left["outcome"] == "dmarc-reports@example.org"
    (sent,) = example("report sent --json").json
    assert (sent["domain"], sent["outcome"]) == ("example.org", "dmarc-reports@example.org")
    assert example("report send example.org --now").out == "nothing was counted for example.org\n"
    (waiting,) = example("queue list --json").json
    assert waiting["subject"].startswith("Report Domain: example.org Submitter: example.org")
    assert example("report list --limit 1 --json").json[0]["org"] == "example.org"


def test_either_or(example):
    assert example("report send example.org").status == 2
    assert example("report send example.org --now --dry-run").status == 2
