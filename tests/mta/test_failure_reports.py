"""Failure reports: who hears of a message that failed, how often, and what he sees of it."""

import email
import time

import parsedmarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mailauth.dkim.record import REVOKED
from mailserver.mailauth.dkim.verify import BODY_CHANGED
from mailserver.mailauth.reports.feedback import read
from mailserver.mailauth.reports.redaction import address, mark, redacted
from mailserver.mailauth.reports.values import DkimSeen, SpfSeen
from mailserver.mailauth.results import MethodResult, Property, parse
from mailserver.mta.failure_reports import HOUR, Failure, Pace, letter
from mailserver.mta.report_letters import Envelope

KEY = b"k" * 32
HEADER = (
    b"Return-Path: <bounce+bob=here.test@example.org>\r\n"
    b"Delivered-To: bob@here.test\r\n"
    b"Received: from spam.example (spam.example [192.0.2.2])\r\n\tby mx.here.test with ESMTP for <bob@here.test>;\r\n"
    b"\tSun, 22 Nov 2026 23:00:00 +0000\r\n"
    b"DKIM-Signature: v=1; d=example.org; i=alice@example.org; s=s1;\r\n\tb=abc\r\n"
    b'From: "Alice Secret" <alice@example.org>\r\n'
    b"To: Bob <bob@here.test>\r\n"
    b"Subject: what nobody else may know\r\n"
    b"X-Mailer: x\r\n"
    b"Message-ID: <123.alice@example.org>\r\n"
    b"Date: Sun, 22 Nov 2026 23:00:00 +0000\r\n"
)


def signed_by(domain: str, selector: str) -> tuple[Property, ...]:
    return Property("header", "d", domain), Property("header", "s", selector)


FAILURE = Failure(
    policy_domain="example.org",
    header_from="example.org",
    ruf=("mailto:ruf@example.org",),
    fo=("0",),
    to="here.test",
    source="192.0.2.2",
    mail_from="alice@spam.example",
    is_dkim_aligned=False,
    is_spf_aligned=False,
    dkim=(DkimSeen("list.example", "x", "pass"), DkimSeen("example.org", "s1", "fail")),
    spf=SpfSeen("example.org", "fail"),
    results=(
        MethodResult("iprev", "pass"),
        MethodResult("spf", "fail", (Property("smtp", "mailfrom", "spam.example"),)),
        MethodResult("dkim", "pass", signed_by("list.example", "x")),
        MethodResult("dkim", "fail", signed_by("example.org", "s1")),
        MethodResult("dmarc", "fail", (Property("header", "from", "example.org"),)),
    ),
    delivery="reject",
    header=HEADER,
    arrived_at=1_795_388_400,
)


@pytest.mark.rfc(9989, "4.7")
@pytest.mark.parametrize(
    ("fo", "dkim", "spf", "wanted"),
    [
        (("0",), False, False, True),
        (("0",), True, False, False),
        (("1",), True, False, True),
        (("1",), False, True, True),
        (("1",), True, True, False),
        ((), False, False, True),
    ],
)
def test_which_failures_the_owner_wants_to_hear_of(fo, dkim, spf, wanted) -> None:
    failure = FAILURE._replace(fo=fo, is_dkim_aligned=dkim, is_spf_aligned=spf)
    assert failure.wanted == (("dmarc",) if wanted else ())
    assert failure._replace(ruf=()).wanted == ()


@pytest.mark.rfc(9989, "4.7")
@pytest.mark.parametrize(
    ("fo", "dkim", "spf", "wanted"),
    [
        ("d", "fail", "pass", ("dkim",)),
        ("d", "permerror", "pass", ("dkim",)),
        ("d", "pass", "fail", ()),
        ("d", "temperror", "fail", ()),
        ("s", "fail", "pass", ()),
        ("s", "pass", "fail", ("spf",)),
        ("s", "pass", "softfail", ("spf",)),
        ("s", "pass", "temperror", ()),
        ("s", "pass", "none", ()),
        ("d:s", "fail", "fail", ("dkim", "spf")),
        ("0:d:s", "fail", "fail", ("dmarc", "dkim", "spf")),
    ],
)
def test_failures_of_signatures_and_of_spf_whatever_is_aligned(fo, dkim, spf, wanted) -> None:
    failure = FAILURE._replace(
        fo=tuple(fo.split(":")),
        dkim=(DkimSeen("list.example", "x", dkim),),
        spf=SpfSeen("list.example", spf),
    )
    assert failure.wanted == wanted


@pytest.mark.rfc(6591, "3.1", "3.2.3", "3.2.6", "3.3")
@pytest.mark.parametrize(
    ("about", "said", "shown"),
    [
        ("dkim", BODY_CHANGED, {"failure": "bodyhash", "dkim_selector": "s1"}),
        ("dkim", REVOKED, {"failure": "revoked", "dkim_domain": "example.org"}),
        ("dkim", "else", {"failure": "signature", "dkim_identity": "@example.org"}),
        ("dkim", "else", {"spf_dns": "", "alignment": ""}),
        ("spf", "else", {"failure": "spf", "spf_dns": 'txt : example.org : "v=spf1 -all"'}),
        ("spf", "else", {"dkim_domain": "", "alignment": ""}),
    ],
)
def test_reports_on_one_method(about, said, shown) -> None:
    """With its own fields, and its verdict alone."""
    envelope = Envelope("postmaster@here.test", ["ruf@example.org"], "token1", 1_795_388_460)
    made = letter(
        FAILURE._replace(dkim=(DkimSeen("example.org", "s1", "fail", said),)),
        about,
        envelope,
        hostname="mx.here.test",
        spf_record="v=spf1 -all",
        incidents=1,
        key=KEY,
    )
    found = read(made.data.partition(b"message/feedback-report\r\n\r\n")[2].partition(b"\r\n--")[0])
    assert {name: getattr(found, name) for name in shown} == shown
    assert [one.method for one in parse(found.results.encode()).results] == [about]
    assert f"Subject: {about.upper()} failure report for example.org".encode() in made.data


@pytest.mark.rfc(6591, "3")
@pytest.mark.rfc(5965, "2", "3.1", "3.2")
def test_the_report_says_what_failed() -> None:
    envelope = Envelope("postmaster@here.test", ["ruf@example.org"], "token1", 1_795_388_460)
    made = letter(
        FAILURE,
        "dmarc",
        envelope,
        hostname="mx.here.test",
        spf_record="v=spf1 -all",
        incidents=3,
        key=KEY,
    )
    message = email.message_from_bytes(made.data)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "feedback-report"
    text, feedback, header = message.get_payload()
    assert text.get_content_type() == "text/plain"
    assert feedback.get_content_type() == "message/feedback-report"
    found = read(made.data.partition(b"message/feedback-report\r\n\r\n")[2].partition(b"\r\n--")[0])
    assert (found.type, found.failure, found.alignment) == ("auth-failure", "dmarc", "dkim,spf")
    assert (found.domain, found.source, found.delivery) == ("example.org", "192.0.2.2", "reject")
    assert (found.dkim_domain, found.dkim_selector) == ("example.org", "s1")
    assert [one.method for one in parse(found.results.encode()).results] == ["dmarc"]
    assert found.spf_dns == 'txt : example.org : "v=spf1 -all"'
    assert found.incidents == 3
    assert header.get_content_type() == "text/rfc822-headers"
    assert b"secret" not in made.data.lower()
    assert b"bob" not in made.data


def test_parsedmarc_reads_it() -> None:
    envelope = Envelope("postmaster@here.test", ["ruf@example.org"], "token1", 1_795_388_460)
    made = letter(
        FAILURE, "dmarc", envelope, hostname="mx.here.test", spf_record="", incidents=1, key=KEY
    )
    found = parsedmarc.parse_report_email(made.data, offline=True)
    assert found["report_type"] in ("failure", "forensic")
    assert found["report"]["reported_domain"] == "example.org"
    assert found["report"]["source"]["ip_address"] == "192.0.2.2"


@pytest.mark.rfc(6590, "2", "3")
def test_people_are_marks_and_contents_are_left_out() -> None:
    shown = redacted(HEADER, KEY)
    names = [line.partition(b":")[0] for line in shown.split(b"\r\n") if line[:1].isalpha()]
    assert names == [
        b"Return-Path",
        b"Received",
        b"DKIM-Signature",
        b"From",
        b"Message-ID",
        b"Date",
    ]
    alice = mark(b"alice", KEY)
    assert b"From: <" + alice + b"@example.org>" in shown
    assert b"i=" + alice + b"@example.org" in shown
    assert b"bob" not in shown
    assert b"Alice" not in shown
    assert b"from spam.example (spam.example [192.0.2.2])" in shown
    assert mark(b"alice", b"another") != alice
    assert address("alice@example.org", KEY) == alice.decode() + "@example.org"
    assert address("", KEY) == ""
    results = (
        b"Authentication-Results: x; spf=fail smtp.mailfrom=bounce+bob=here.test@example.org\r\n"
    )
    shown = redacted(results, KEY)
    assert shown.startswith(b"Authentication-Results: x; spf=fail smtp.mailfrom=")
    assert b"bob" not in shown


@pytest.mark.parametrize("piece", [b'"', b'\\"', b"a", b"a=", b"<", b"a@", b" \t"])
def test_redaction_is_quick_whatever_comes(piece: bytes) -> None:
    start = time.process_time()
    redacted(b"Received: " + piece * 60_000 + b"\r\n", KEY)
    assert time.process_time() - start < 10


@given(st.binary(max_size=300), st.from_regex(r"[a-z]{8,12}", fullmatch=True))
def test_no_local_part_is_shown_whatever_stands_around_it(noise: bytes, name: str) -> None:
    header = b"From: x\r\nReceived: " + noise.replace(b"\n", b" ").replace(b"\r", b" ")
    header += b" for <" + name.encode() + b"@here.test>\r\n"
    assert name.encode() + b"@" not in redacted(header, KEY)


def test_a_flood_is_a_few_reports_and_a_number() -> None:
    pace = Pace(3)
    assert pace.take(FAILURE, "dmarc", 0) == 1
    assert [pace.take(FAILURE, "dmarc", n) for n in range(1, 11)] == [0] * 10
    others = [FAILURE._replace(source=f"192.0.2.{n}") for n in range(10, 20)]
    assert [pace.take(one, "dmarc", 20) for one in others] == [1, 1] + [0] * 8
    assert pace.take(FAILURE._replace(policy_domain="example.com"), "dmarc", 30) == 1
    assert pace.take(FAILURE, "dmarc", HOUR + 1) == 11
    assert pace.take(others[5], "dmarc", HOUR + 2) == 2


def test_the_pace_remembers_only_so_much() -> None:
    pace = Pace(5, most=10)
    for n in range(1_000):
        pace.take(FAILURE._replace(policy_domain=f"d{n}.example"), "dmarc", 0)
        pace.take(FAILURE._replace(source=f"192.0.2.{n}"), "dmarc", 0)
    assert len(pace._sent) <= 10
    assert len(pace._held) <= 10


@pytest.mark.rfc(5965, "3.2")
@pytest.mark.parametrize("name", ["Arrival-Date", "Received-Date", "ARRIVAL-date"])
def test_when_the_message_came_by_the_old_name_too(name: str) -> None:
    body = (
        f"Feedback-Type: abuse\r\nVersion: 1\r\nUser-Agent: x/1\r\n{name}: Thu, 1 Jan\r\n".encode()
    )
    assert read(body).arrived == "Thu, 1 Jan"


@pytest.mark.rfc(5322, "3.4")
@pytest.mark.parametrize(
    "field",
    [
        b"From: alice@bank.example (Alice Anybody)\r\n",
        b"Sender: (Alice) alice@bank.example (who (Alice) is)\r\n",
        b"From: alice@bank.example (Alice\\) Anybody\r\n",
        b"From: Alice Anybody <alice@bank.example> (Alice)\r\n",
        b"From: alice@bank.example " + b"(Alice" * 20 + b")" * 20 + b"\r\n",
    ],
)
def test_names_in_comments_are_left_out(field: bytes) -> None:
    shown = redacted(field, KEY)
    assert b"lice" not in shown
    assert shown.rstrip(b">\r\n").rstrip().endswith(b"@bank.example")
