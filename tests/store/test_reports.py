"""Reports in the database: each leaves once, each is kept once, and neither grows without end."""

from pathlib import Path

import pytest

from mailserver.base.errors import Corrupt, NotFound
from mailserver.mailauth.reports.feedback import Feedback
from mailserver.mailauth.reports.tls_values import (
    TlsFailure,
    TlsPolicy,
    TlsPolicyReport,
    TlsReport,
)
from mailserver.mailauth.reports.values import Aggregate, Counted, DkimSeen, Published, Row
from mailserver.mta.report_facts import DMARC, FAILURE, PACKED, TLS, pack, unpack
from mailserver.store.reports import NewReport
from mailserver.store.store import Store

ROW = Row("192.0.2.1", "example.org", None, "none", True, False)
NEW = NewReport("dmarc", "example.org", "Org", "1", 100, 200, 3, 4, b"facts")


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path)
    store.open()
    store.start()
    yield store
    store.close()


@pytest.mark.rfc(9990, "3.5.4")
def test_a_report_is_kept_once(store: Store) -> None:
    assert store.write_now(lambda tx: tx.reports.keep(NEW, 10))
    assert not store.write_now(lambda tx: tx.reports.keep(NEW, 10))
    assert store.write_now(lambda tx: tx.reports.keep(NEW._replace(org="Other"), 10))
    assert len(store.read_now(lambda tx: tx.reports.list())) == 2


def test_the_oldest_go(store: Store) -> None:
    for n in range(7):
        store.write_now(lambda tx, n=n: tx.reports.keep(NEW._replace(report_id=str(n)), 4))
    found = store.read_now(lambda tx: tx.reports.list())
    assert [one.report_id for one in found] == ["6", "5", "4", "3"]
    page = store.read_now(lambda tx: tx.reports.list(limit=2, before=found[1].id))
    assert [one.report_id for one in page] == ["4", "3"]


def test_what_is_asked_for(store: Store) -> None:
    store.write_now(lambda tx: tx.reports.keep(NEW, 10))
    store.write_now(lambda tx: tx.reports.keep(NEW._replace(kind="tls", end_at=900), 10))
    store.write_now(lambda tx: tx.reports.keep(NEW._replace(domain="example.net"), 10))

    def ids(**asked: object) -> list[int]:
        return [one.id for one in store.read_now(lambda tx: tx.reports.list(**asked))]

    assert ids(domain="example.org") == [2, 1]
    assert ids(kind="dmarc") == [3, 1]
    assert ids(since=500) == [2]
    one, facts = store.read_now(lambda tx: tx.reports.get(3))
    assert (one.domain, one.good, one.bad, facts) == ("example.net", 3, 4, b"facts")
    with pytest.raises(NotFound):
        store.read_now(lambda tx: tx.reports.get(4))


def test_a_report_leaves_once(store: Store) -> None:
    assert store.write_now(lambda tx: tx.reports.mark("dmarc", "example.org", 100, "id", "to"))
    assert not store.write_now(lambda tx: tx.reports.mark("dmarc", "example.org", 100, "b", "to"))
    assert store.write_now(lambda tx: tx.reports.mark("tls", "example.org", 100, "c", "to"))
    assert store.read_now(lambda tx: tx.reports.was_sent("dmarc", "example.org", 100))
    assert not store.read_now(lambda tx: tx.reports.was_sent("dmarc", "example.org", 200))
    assert {one.report_id for one in store.read_now(lambda tx: tx.reports.sent(10))} == {"id", "c"}


@pytest.mark.rfc(8460, "5.5")
def test_uploads_wait_and_end(store: Store) -> None:
    for n in range(2):
        store.write_now(
            lambda tx, n=n: tx.reports.upload(f"https://h{n}/", "x/y", b"z", "d", expires_at=9)
        )
    now = 2**40
    one, two = store.read_now(lambda tx: tx.reports.uploads(now, 10))
    assert (one.uri, one.body, one.attempts) == ("https://h0/", b"z", 0)
    store.write_now(lambda tx: tx.reports.put_off(one.id, now + 1))
    store.write_now(lambda tx: tx.reports.uploaded(two.id))
    assert store.read_now(lambda tx: tx.reports.uploads(now, 10)) == []
    (again,) = store.read_now(lambda tx: tx.reports.uploads(now + 1, 10))
    assert (again.id, again.attempts) == (one.id, 1)


def aggregate(records: int, text: str = "") -> Aggregate:
    rows = tuple(
        Counted(
            ROW._replace(source=f"2001:db8::{n:x}", dkim=(DkimSeen(f"{text}{n}", "s", "fail"),)), n
        )
        for n in range(1, records + 1)
    )
    return Aggregate("Org", "e", "", 100, 200, Published("example.org"), rows)


@pytest.mark.parametrize(
    "report",
    [
        aggregate(3),
        TlsReport(
            "Org",
            "c",
            "id",
            1,
            2,
            (
                TlsPolicyReport(
                    TlsPolicy("example.org", "sts", ("a",), ("b",)), 1, 2, ((TlsFailure("x"), 2),)
                ),
            ),
        ),
        Feedback("auth-failure", domain="example.org", incidents=2),
    ],
)
def test_what_is_packed_is_unpacked(report: Aggregate | TlsReport | Feedback) -> None:
    new = pack(report, 1_000)
    assert unpack(new.kind, new.facts) == report
    assert new.report_id
    assert new.domain == "example.org"


def test_of_a_huge_report_the_sums_and_the_most_frequent_rows_are_kept() -> None:
    report = aggregate(20_000, "some-text-that-does-not-shrink-much-")
    new = pack(report, 0)
    assert new.bad + new.good == report.messages
    assert len(new.facts) <= PACKED
    found = unpack(DMARC, new.facts)
    assert isinstance(found, Aggregate)
    assert 100 < len(found.records) < 20_000
    assert found.records[0].messages == 20_000
    failures = tuple(
        (TlsFailure(f"x{n}", f"192.0.2.{n}", f"mx{n * 7_919}.example"), n) for n in range(20_000)
    )
    tls = TlsReport(
        "o", "c", "i", 1, 2, (TlsPolicyReport(TlsPolicy("example.org"), 0, 9, failures),) * 3
    )
    new = pack(tls, 0)
    assert (new.kind, new.bad) == (TLS, 27)
    assert len(new.facts) <= PACKED


@pytest.mark.parametrize("kind", [DMARC, TLS, FAILURE])
@pytest.mark.parametrize(
    "facts", [b"", b"x\x9c\x03\x00\x00\x00\x00\x01", pack(aggregate(1), 0).facts[:20]]
)
def test_damage_is_told(kind: str, facts: bytes) -> None:
    with pytest.raises(Corrupt):
        unpack(kind, facts)
