"""reports.db: what is alike is counted together, within bounds, and no trouble with the file stops anybody."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailserver.base.limits import ReportLimits
from mailserver.mailauth.reports.tls_values import TlsFailure, TlsOutcome, TlsPolicy
from mailserver.mailauth.reports.values import (
    Counted,
    DkimSeen,
    Published,
    Reason,
    Row,
    Seen,
    SpfSeen,
)
from mailserver.store import report_counts
from mailserver.store.report_counts import DAY, DMARC, NAME, TLS, ReportCounts

ROW = Row(
    "192.0.2.1",
    "example.org",
    "bounce.example.org",
    "none",
    True,
    False,
    "here.test",
    (Reason("mailing_list", "List-Id"),),
    (DkimSeen("example.org", "s1", "pass"),),
    (SpfSeen("bounce.example.org", "softfail"),),
)
SEEN = Seen(Published("example.org", "reject"), ("mailto:r@example.org!10m",), ROW)
POLICY = TlsPolicy("example.net", "sts", ("version: STSv1",), ("mx.example.net",))
AT = 20_000 * DAY + 5.0


@contextmanager
def counting(folder: Path, limits: ReportLimits | None = None) -> Iterator[ReportCounts]:
    counts = ReportCounts(folder, limits or ReportLimits())
    counts.start()
    try:
        yield counts
    finally:
        counts.close()


@pytest.mark.rfc(9990, "3.1")
def test_what_is_alike_is_one_row_across_writers_and_days_are_apart(tmp_path: Path) -> None:
    for _ in range(2):
        with counting(tmp_path) as counts:
            for _ in range(3):
                counts.dmarc(SEEN, AT)
            counts.dmarc(SEEN._replace(row=ROW._replace(source="2001:db8::1")), AT)
            counts.dmarc(SEEN, AT + DAY)
    assert report_counts.days(tmp_path, DMARC) == [20_000, 20_001]
    assert report_counts.domains(tmp_path, DMARC, 20_000) == ["example.org"]
    found = report_counts.dmarc_day(tmp_path, "example.org", 20_000)
    assert found is not None
    assert found.published == SEEN.published
    assert found.rua == SEEN.rua
    assert found.records == (
        Counted(ROW, 6),
        Counted(ROW._replace(source="2001:db8::1"), 2),
    )
    assert found.omitted == 0


def test_the_policy_that_was_seen_last_is_reported(tmp_path: Path) -> None:
    with counting(tmp_path) as counts:
        counts.dmarc(SEEN, AT)
    with counting(tmp_path) as counts:
        counts.dmarc(SEEN._replace(published=Published("example.org", "none")), AT)
    found = report_counts.dmarc_day(tmp_path, "example.org", 20_000)
    assert found is not None
    assert found.published.p == "none"
    assert found.records[0].messages == 2


@pytest.mark.rfc(8460, "4")
def test_connections_are_counted_with_their_failures(tmp_path: Path) -> None:
    expired = TlsFailure("certificate-expired", "192.0.2.1", "mx.example.net", "198.51.100.1")
    with counting(tmp_path) as counts:
        for outcome in (TlsOutcome(POLICY), TlsOutcome(POLICY), TlsOutcome(POLICY, expired)):
            counts.tls(outcome, AT)
    found = report_counts.tls_day(tmp_path, "example.net", 20_000)
    assert found is not None
    assert found.outcomes == ((TlsOutcome(POLICY), 2), (TlsOutcome(POLICY, expired), 1))
    assert report_counts.dmarc_day(tmp_path, "example.net", 20_000) is None


def test_rows_beyond_the_bound_are_only_a_number(tmp_path: Path) -> None:
    with counting(tmp_path, ReportLimits(rows=3)) as counts:
        for n in range(10):
            counts.dmarc(SEEN._replace(row=ROW._replace(source=f"192.0.2.{n}")), AT)
    with counting(tmp_path, ReportLimits(rows=3)) as counts:
        counts.dmarc(SEEN._replace(row=ROW._replace(source="192.0.2.0")), AT)
        counts.dmarc(SEEN._replace(row=ROW._replace(source="192.0.2.99")), AT)
    found = report_counts.dmarc_day(tmp_path, "example.org", 20_000)
    assert found is not None
    assert [one.messages for one in found.records] == [2, 1, 1]
    assert found.omitted == 8


def test_a_full_memory_and_a_full_file_lose_counts_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with counting(tmp_path, ReportLimits(waiting=2)) as counts:
        for n in range(5):
            counts.dmarc(SEEN._replace(row=ROW._replace(source=f"192.0.2.{n}")), AT)
    found = report_counts.dmarc_day(tmp_path, "example.org", 20_000)
    assert found is not None
    assert len(found.records) == 2
    with counting(tmp_path, ReportLimits(size=1)) as counts:
        counts.dmarc(SEEN, AT)
    again = report_counts.dmarc_day(tmp_path, "example.org", 20_000)
    assert again == found


def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"this is no database" * 1000)
    with counting(tmp_path) as counts:
        counts.dmarc(SEEN, AT)
    found = report_counts.dmarc_day(tmp_path, "example.org", 20_000)
    assert found is not None
    assert (tmp_path / f"{NAME}.damaged").exists()


def test_what_was_reported_is_forgotten(tmp_path: Path) -> None:
    report_counts.forget(tmp_path, DMARC, 1)
    other = SEEN._replace(published=Published("example.com"))
    with counting(tmp_path) as counts:
        counts.dmarc(SEEN, AT)
        counts.dmarc(other, AT)
        counts.dmarc(other, AT + DAY)
        counts.tls(TlsOutcome(POLICY), AT)
    report_counts.forget(tmp_path, DMARC, 20_000, "example.org")
    assert report_counts.domains(tmp_path, DMARC, 20_000) == ["example.com"]
    report_counts.forget(tmp_path, DMARC, 20_000)
    assert report_counts.days(tmp_path, DMARC) == [20_001]
    assert report_counts.days(tmp_path, TLS) == [20_000]


def test_nothing_counted_is_nothing_found(tmp_path: Path) -> None:
    assert report_counts.days(tmp_path, DMARC) == []
    assert report_counts.domains(tmp_path, TLS, 1) == []
    assert report_counts.dmarc_day(tmp_path, "example.org", 1) is None
    assert report_counts.tls_day(tmp_path, "example.org", 1) is None


@pytest.mark.rfc(9990, "3.1.3")
def test_the_most_telling_signatures_are_kept_and_texts_are_cut() -> None:
    others = tuple(DkimSeen(f"d{n}.test", "s", "fail", "x" * 1_000) for n in range(200))
    aligned = DkimSeen("example.org", "s", "pass")
    relaxed = DkimSeen("mail.example.org", "s", "pass")
    foreign = DkimSeen("list.test", "s", "pass")
    row = ROW._replace(dkim=(*others, foreign, relaxed, aligned)).bounded()
    assert row.dkim[:3] == (aligned, relaxed, foreign)
    assert len(row.dkim) == 100
    assert len(row.dkim[3].text) == 200


def test_of_one_day_there_are_so_many_domains(tmp_path: Path) -> None:
    limits = ReportLimits(domains=3)
    for _ in range(2):
        with counting(tmp_path, limits) as counts:
            for n in range(6):
                counts.dmarc(SEEN._replace(published=Published(f"d{n}.example")), AT)
                counts.tls(TlsOutcome(TlsPolicy(f"d{n}.example")), AT)
            counts.dmarc(SEEN, AT + DAY)
    for kind in (DMARC, TLS):
        assert report_counts.domains(tmp_path, kind, 20_000) == [
            "d0.example",
            "d1.example",
            "d2.example",
        ]
    assert report_counts.domains(tmp_path, DMARC, 20_001) == ["example.org"]
    found = report_counts.dmarc_day(tmp_path, "d1.example", 20_000)
    assert found is not None
    assert (found.records[0].messages, found.omitted) == (2, 0)
    assert report_counts.dmarc_day(tmp_path, "d4.example", 20_000) is None
