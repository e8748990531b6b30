"""Aggregate reports: what is written is read again, by us and by others; what comes from strangers does no harm."""

import gzip
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import parsedmarc
import pytest
from dmarc_report.parser import DMARCParser
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import program
from mailauth.reports import samples
from mailserver.base.errors import PeerError
from mailserver.mailauth.reports.aggregate_reading import Bounds, read
from mailserver.mailauth.reports.aggregate_writing import NAMESPACE, write
from mailserver.mailauth.reports.values import (
    Aggregate,
    Counted,
    DkimSeen,
    Published,
    Reason,
    Row,
    SpfSeen,
)

ROW = Row(
    "2001:db8::1",
    "news.example.org",
    "",
    "none",
    True,
    False,
    "here.example",
    (Reason("mailing_list", "List-Id <a & b>"), Reason("policy_test_mode")),
    (DkimSeen("example.org", "s1", "pass"), DkimSeen("esp.example", "b", "fail", "bad signature")),
    (SpfSeen("bounce.example.org", "softfail", "mfrom", "~all"),),
)
FAILED = Row("192.0.2.1", "example.org", "spammer.example", "reject", False, False)
REPORT = Aggregate(
    org="Here & Co.",
    email="dmarc@here.example",
    report_id="20231115.example.org@here.example",
    begin=1_700_006_400,
    end=1_700_092_799,
    published=Published("example.org", "reject", "quarantine", "reject", "s", "r", "1:d", True),
    records=(Counted(ROW, 12), Counted(FAILED, 1)),
    contact="https://here.example/dmarc",
    errors=("one thing was wrong",),
    generator="mailserver",
)


@pytest.mark.rfc(9990, "3.1.1", "3.1.1.2")
def test_the_document_has_its_elements_in_their_order() -> None:
    root = ElementTree.fromstring(write(REPORT))
    assert root.tag == f"{{{NAMESPACE}}}feedback"
    assert [one.tag.partition("}")[2] for one in root] == [
        "version",
        "report_metadata",
        "policy_published",
        "record",
        "record",
    ]
    record = root[3]
    assert [one.tag.partition("}")[2] for one in record] == ["row", "identifiers", "auth_results"]
    evaluated = record[0][2]
    assert [one.tag.partition("}")[2] for one in evaluated] == [
        "disposition",
        "dkim",
        "spf",
        "reason",
        "reason",
    ]


def test_what_is_written_is_read_again() -> None:
    assert read(write(REPORT)) == REPORT


@pytest.mark.rfc(9990, "3.1.1.5")
def test_what_was_not_published_is_reported_as_its_default() -> None:
    report = read(write(REPORT._replace(published=Published("example.org", "quarantine"))))
    assert report.published.sp == "quarantine"
    assert report.published.np == "quarantine"
    assert not report.published.is_testing


def test_dmarc_report_reads_it() -> None:
    found = DMARCParser.parse_bytes(gzip.compress(write(REPORT)))
    assert found.format.value == "rfc_9990"
    assert found.warnings == []
    assert found.report_metadata.org_name == REPORT.org
    assert found.report_metadata.report_id == REPORT.report_id
    assert found.policy_published.testing.value == "y"
    first = found.records[0]
    assert first.count == 12
    assert first.source_ip == "2001:db8::1"
    assert first.policy_evaluated.disposition.value == "none"
    assert [one.type.value for one in first.policy_evaluated.reasons] == [
        "mailing_list",
        "policy_test_mode",
    ]
    assert [(one.domain, one.result.value) for one in first.auth_results.dkim] == [
        ("example.org", "pass"),
        ("esp.example", "fail"),
    ]
    assert first.auth_results.spf[0].result.value == "softfail"


def test_parsedmarc_reads_it() -> None:
    found = parsedmarc.parse_aggregate_report_xml(write(REPORT).decode(), offline=True)
    assert found["report_metadata"]["org_name"] == REPORT.org
    assert found["policy_published"]["p"] == "reject"
    first, second = found["records"]
    assert first["count"] == 12
    assert first["policy_evaluated"]["dkim"] == "pass"
    assert first["alignment"]["dmarc"] is True
    assert second["source"]["ip_address"] == "192.0.2.1"
    assert second["alignment"]["dmarc"] is False


@pytest.mark.rfc(7489, "C")
def test_the_older_form_has_no_namespace_and_only_words_it_knows() -> None:
    passed = ROW._replace(disposition="pass")
    document = write(REPORT._replace(records=(Counted(passed, 1), Counted(FAILED, 2))), is_old=True)
    root = ElementTree.fromstring(document)
    assert root.tag == "feedback"
    policy = root.find("policy_published")
    assert policy is not None
    assert [one.tag for one in policy] == ["domain", "adkim", "aspf", "p", "sp", "pct", "fo"]
    assert [one.text for one in root.iter("disposition")] == ["none", "reject"]
    assert [one.text for one in root.iter("type")] == ["mailing_list", "other"]
    found = DMARCParser.parse_bytes(document)
    assert found.format.value == "legacy"
    assert found.records[1].count == 2
    assert read(document).published.percent == 100


@pytest.mark.needs("dmarc_receive")
def test_mail_dmarc_reads_the_older_form(tmp_path: Path) -> None:
    """Mail::DMARC of Debian 12, which knows no namespaces."""
    script = (
        "use Mail::DMARC::Report::Receive; my $r = Mail::DMARC::Report::Receive->new;"
        "local $/; $r->handle_body(<STDIN>); my $a = $r->report->aggregate;"
        "my ($one, $two) = @{$a->record};"
        'print join "|", $a->metadata->org_name, $a->metadata->report_id, $a->policy_published->p,'
        " scalar @{$a->record}, $one->{row}{source_ip}, $one->{row}{count},"
        " $one->{row}{policy_evaluated}{dkim}, $two->{row}{policy_evaluated}{disposition};"
    )
    done = subprocess.run(
        [program("perl"), "-e", script],
        input=write(REPORT, is_old=True),
        capture_output=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    said = done.stdout.decode().partition("\n")[0].split("|")
    assert said == [
        "Here & Co.",
        REPORT.report_id,
        "reject",
        "2",
        "2001:db8::1",
        "12",
        "pass",
        "reject",
    ], done.stderr.decode()


@pytest.mark.rfc(9990, "3.1")
@pytest.mark.rfc(7489, "C")
def test_reports_of_large_providers_are_read() -> None:
    google, microsoft, yahoo, fastmail = map(
        read, (samples.GOOGLE, samples.MICROSOFT, samples.YAHOO, samples.FASTMAIL)
    )
    assert (google.org, google.messages, google.passed) == ("google.example", 2, 2)
    assert google.published.percent == 100
    assert google.published.discovery == ""
    assert google.records[0].row.envelope_from is None
    assert google.records[0].row.dkim == (DkimSeen("example.org", "s2023", "pass"),)
    assert (microsoft.messages, microsoft.passed) == (7, 0)
    assert microsoft.records[0].row.disposition == "reject"
    assert microsoft.records[0].row.envelope_to == "outlook.example"
    assert yahoo.records[0].row.header_from == "example.org"
    assert yahoo.records[0].row.reasons == (Reason("forwarded"),)
    assert yahoo.records[0].row.spf[0].result == "temperror"
    assert yahoo.end == 1_700_092_799
    assert fastmail.published == Published(
        "example.org", "quarantine", "none", "reject", "s", "s", "0:d", True
    )
    assert fastmail.errors == ("an error of theirs",)
    assert fastmail.records[0].row.envelope_from == ""
    assert fastmail.records[0].row.reasons[1].comment == "arc=pass & a list"
    assert fastmail.records[0].row.spf[0].scope == "helo"
    assert len(fastmail.records[0].row.dkim) == 2


def test_rows_that_are_alike_are_added() -> None:
    report = read(write(REPORT._replace(records=(Counted(ROW, 2), Counted(ROW, 3)))))
    assert report.records == (Counted(ROW, 5),)


BOMB = (
    b'<!DOCTYPE feedback [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<feedback>&b;</feedback>"
)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "well-formed"),
        (b"not xml", "well-formed"),
        (b"<feedback>", "well-formed"),
        (b"<html/>", "root"),
        (BOMB, "document type"),
        (b'<!DOCTYPE feedback SYSTEM "file:///etc/passwd"><feedback/>', "document type"),
        (b"<feedback/>", "report_metadata"),
        (b"<feedback>" + b"<a>" * 30, "nested"),
        (b"<feedback>" + b"<a/>" * 3_000 + b"</feedback>", "too many elements"),
        (b"<feedback><record>" + b"<a/>" * 3_000, "too many elements"),
        (b'<?xml version="1.0" encoding="klingon"?><feedback/>', "no"),
        (write(REPORT).replace(b"<count>12<", b"<count>-1<"), "number"),
        (write(REPORT).replace(b"<count>12<", b"<count>" + b"9" * 30 + b"<"), "number"),
        (write(REPORT).replace(b"<begin>1700006400<", b"<begin>1800006400<"), "before it begins"),
        (write(REPORT).replace(b"192.0.2.1", b"host"), "no address"),
        (write(REPORT)[: write(REPORT).index(b"  <record>")] + b"</feedback>", "without a record"),
    ],
)
def test_what_is_no_report_is_refused_with_the_reason(document: bytes, reason: str) -> None:
    with pytest.raises(PeerError, match=reason):
        read(document)


def test_bounds_hold() -> None:
    many = tuple(Counted(FAILED._replace(header_from=f"d{n}.example"), 1) for n in range(50))
    document = write(REPORT._replace(records=many))
    assert len(read(document, Bounds(records=50)).records) == 50
    with pytest.raises(PeerError, match="more than 49 records"):
        read(document, Bounds(records=49))
    with pytest.raises(PeerError, match="too large"):
        read(document, Bounds(size=len(document) - 1))


def test_a_huge_text_is_cut_and_costs_little_time() -> None:
    document = write(REPORT).replace(b"Here &amp; Co.", b"x" * 3_000_000)
    start = time.process_time()
    assert len(read(document).org) == 200
    assert time.process_time() - start < 20


def test_many_elements_that_mean_nothing_are_refused_for_little_time() -> None:
    head, tail = b"<feedback><report_metadata/><policy_published/>", b"</feedback>"
    row = write(REPORT).partition(b"  <record>")[2].partition(b"</record>")[0]
    record = b"<record>" + row + b"<a/>" * 1_900 + b"</record>"
    start = time.thread_time()
    with pytest.raises(PeerError, match="too many elements"):
        read(head + record * 1_500 + tail)
    assert time.thread_time() - start < 30


def test_text_of_strangers_has_no_controls() -> None:
    report = read(write(REPORT).replace(b"Here &amp; Co.", b"a&#10;b&#9;c\xe2\x80\xaed"))
    assert report.org == "a b c d"


text = st.text(max_size=60)
name = st.from_regex(r"[a-z][a-z0-9-]{0,20}\.[a-z]{2,8}", fullmatch=True)
rows = st.builds(
    Row,
    source=st.ip_addresses().map(str),
    header_from=name,
    envelope_from=st.none() | st.just("") | name,
    disposition=st.sampled_from(["none", "pass", "quarantine", "reject"]),
    is_dkim_aligned=st.booleans(),
    is_spf_aligned=st.booleans(),
    envelope_to=st.just("") | name,
    reasons=st.lists(st.sampled_from(["other", "local_policy"]).map(Reason), max_size=3).map(tuple),
    dkim=st.lists(
        st.tuples(name, st.just("s"), st.sampled_from(["pass", "fail", "neutral"])).map(
            lambda found: DkimSeen(*found)
        ),
        max_size=3,
    ).map(tuple),
    spf=st.lists(
        st.tuples(name, st.sampled_from(["pass", "softfail", "none"])).map(
            lambda found: SpfSeen(*found)
        ),
        max_size=1,
    ).map(tuple),
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(rows, st.integers(1, 2**40), min_size=1, max_size=5))
def test_every_report_is_read_as_it_was_written(found: dict[Row, int]) -> None:
    records = tuple(Counted(row, count) for row, count in found.items())
    report = REPORT._replace(records=records)
    assert read(write(report)) == report


@settings(deadline=None, max_examples=60)
@given(text, text)
def test_whatever_texts_there_are_the_document_is_well_formed(org: str, comment: str) -> None:
    row = ROW._replace(reasons=(Reason("other", comment),))
    document = write(REPORT._replace(org=org, records=(Counted(row, 1),)))
    ElementTree.fromstring(document)
    read(document)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damage_is_a_report_or_a_refusal(data: st.DataObject) -> None:
    document = bytearray(samples.FASTMAIL)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(document) - 1))
        document[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=8))
    try:
        report = read(bytes(document))
    except PeerError:
        return
    assert report.messages >= 0


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        read(data)


@pytest.mark.rfc(4007, "11")
@pytest.mark.parametrize("address", ["fe80::1%eth0", "fe80::1%\x9b2J", "fe80::1% a\nb"])
def test_a_source_is_an_address_and_nothing_more(address: str) -> None:
    """Behind a % anything may stand, also what a terminal obeys."""
    document = write(REPORT).replace(b">2001:db8::1<", f">{address}<".encode())
    with pytest.raises(PeerError, match="of somebody's own link"):
        read(document)


def test_errors_are_one_line() -> None:
    document = write(REPORT).replace(
        b"<date_range>", "<error>a\nb\x9bc</error><date_range>".encode()
    )
    assert read(document).errors[0] == "a b c"


@pytest.mark.parametrize("long", [b"<!--%s-->", b"<a b='%s'/>", b"<a %s/>"])
def test_one_long_token_is_looked_at_once(long: bytes) -> None:
    document = b"<feedback>" + long.replace(b"%s", b" " * 12_000_000) + b"</feedback>"
    started = time.process_time()
    with pytest.raises(PeerError):
        read(document)
    assert time.process_time() - started < 1
