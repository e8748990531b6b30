"""What is found is one object for messages that are alike, and never for others."""

from typing import Any

import pytest

from mailserver.base.limits import Limits
from mailserver.mailauth.arc.verify import ArcResult
from mailserver.mailauth.dkim.outcome import DkimResult
from mailserver.mailauth.dmarc.author import Author
from mailserver.mailauth.dmarc.discover import Discovery
from mailserver.mailauth.dmarc.record import Record
from mailserver.mailauth.iprev import IprevResult
from mailserver.mailauth.results import MethodResult, Property, build
from mailserver.mailauth.spf.received import build as received_spf
from mailserver.mailauth.spf.result import SpfResult
from mailserver.mime.scan import derive
from mailserver.mta import check
from mailserver.mta.authors import Authors
from mailserver.mta.findings import REMEMBERED_SIZE, Findings, Said, findings
from mailserver.mta.found_fields import fields, results
from mailserver.mta.seen import seen
from mailserver.mta.treatment import ACCEPTED, Treatment, Trust, decide

HOST = "mx.example.net"
RECORD = Record("reject", rua=(), ruf=())
SPF = SpfResult("pass", "192.0.2.1 matches", "a.example", "", "mx")
DKIM = DkimResult("pass", "good", "a.example", "s1", "@a.example", "rsa-sha256", bits=2_048)
SAID = Said(
    ip="192.0.2.1",
    helo_name="mail.a.example",
    domain="a.example",
    iprev=IprevResult("pass", "has a name", "mail.a.example"),
    helo=SpfResult("none", "no record", "mail.a.example", identity="helo"),
    spf=SPF,
    dkim=(DKIM,),
    arc=ArcResult("none", "no fields"),
    author=Author("a.example", ""),
    discovery=Discovery("a.example", RECORD, "a.example", "a.example", "reject", "record"),
)


def copied(value: Any) -> Any:
    """The same, of other objects."""
    if isinstance(value, tuple):
        parts = [copied(one) for one in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def made(**changes: Any) -> Findings:
    return findings(copied(SAID)._replace(**changes), (), True)


def test_messages_that_are_alike_have_the_same_findings() -> None:
    assert made() is made()
    assert made().dmarc.result == "pass"
    assert made().is_small


@pytest.mark.parametrize(
    "change",
    [
        {"ip": "192.0.2.2"},
        {"helo_name": "other.a.example"},
        {"domain": "b.example"},
        {"domain": ""},
        {"iprev": IprevResult("fail", "has a name")},
        {"helo": SPF},
        {"spf": SPF._replace(result="fail")},
        {"spf": SPF._replace(explanation="because")},
        {"dkim": ()},
        {"dkim": (DKIM, DKIM)},
        {"dkim": (DKIM._replace(result="fail"),)},
        {"dkim": (DKIM._replace(selector="s2"),)},
        {"dkim": (DKIM._replace(identity="x@a.example"),)},
        {"dkim": (DKIM._replace(is_testing=True),)},
        {"dkim": (DKIM._replace(covers_all=False),)},
        {"arc": ArcResult("fail", "broken")},
        {"author": Author("", "no From field")},
        {"discovery": None},
        {"discovery": SAID.discovery and SAID.discovery._replace(wish="none")},
        {"discovery": SAID.discovery and SAID.discovery._replace(record=Record("none"))},
    ],
)
def test_whatever_differs_makes_other_findings(change: dict[str, Any]) -> None:
    other = made(**change)
    assert other is not made()
    assert other is made(**copied(change))
    assert [getattr(other, name) for name in change] == list(change.values())


def test_who_asks_and_whose_the_domains_are_makes_other_findings() -> None:
    other = copied(SAID)._replace(
        spf=SPF._replace(domain="mail.a.example"), dkim=(), domain="mail.a.example"
    )
    ours = findings(other, (("mail.a.example", "a.example"),), True)
    strange = findings(other, (("mail.a.example", "mail.a.example"),), True)
    not_asked = findings(other, (), False)
    assert [one.dmarc.result for one in (ours, strange, not_asked)] == ["pass", "fail", "none"]


def test_what_takes_much_memory_is_not_remembered() -> None:
    long = (DKIM._replace(identity="x" * REMEMBERED_SIZE + "@a.example"),)
    sealed = ArcResult("pass", "sealed by b.example", ("b.example",), (b" results",), 1)
    for change in ({"dkim": long}, {"arc": sealed}):
        assert made(**change) is not made(**change)
        assert not made(**change).is_small


@pytest.mark.rfc(8601, "2.2")
@pytest.mark.rfc(6008, "4")
def test_each_message_has_its_own_signatures_and_sender_in_the_fields() -> None:
    other = DKIM._replace(domain="b.example", result="fail", reason="changed")
    found = made(dkim=(DKIM, other))
    for sender, marks in (
        ("x@a.example", ("AbCd" * 5, "AbCd" * 4 + "EfGh")),
        ("y@a.example", ("", "x/y=")),
    ):
        text = fields(found, sender, marks, HOST)
        said = list(results(found, marks))
        assert text == build(HOST, said) + received_spf(
            found.spf, found.ip, sender, found.helo_name, HOST
        )
        signed = [one for one in said if one.method == "dkim"]
        assert [one.properties[-1].value for one in signed] == list(marks)
        assert f"<{sender}>".encode() not in text
        assert f'envelope-from="{sender}"'.encode() in text


def test_who_has_not_signed_is_told_once() -> None:
    found = made(dkim=())
    assert MethodResult("dkim", "none", comment="not signed") in list(results(found, ()))
    assert fields(found, "x@a.example", (), HOST).count(b"dkim=") == 1
    both = MethodResult("spf", "pass", (Property("smtp", "mailfrom", "a.example"),))
    assert both.properties == next(r.properties for r in results(found, ()) if r.method == "spf")


def test_decisions_are_each_domains_own() -> None:
    """The same findings under other treatments: other verdicts, other rows of reports."""
    record = RECORD._replace(rua=("mailto:r@a.example",))
    bad = made(
        dkim=(),
        spf=SPF._replace(result="fail"),
        discovery=SAID.discovery and SAID.discovery._replace(record=record),
    )
    strict = decide(bad, Treatment(), Trust())
    mild = decide(bad, Treatment(dmarc="tag"), Trust())
    assert (strict.action, mild.action) == ("reject", "accept")
    last = [
        check.run(
            check.Message(
                derived=derive(b"From: s@a.example\r\n\r\nx\r\n"),
                authors=Authors(1, 0, (), ()),
                first=b"F",
                size=20,
                is_submitted=False,
                foreign=(),
                limits=Limits(),
                findings=bad,
                decisions=(decision,),
            )
        )[-1]
        for decision in (strict, mild, ACCEPTED)
    ]
    assert [one.check for one in last] == ["dmarc"] * 3
    assert [one.refusal is None for one in last] == [False, True, True]
    assert "not followed" in last[1].reason
    rows = [seen(bad, decision, to) for decision in (strict, mild) for to in ("x.test", "y.test")]
    assert [(r and r.row.disposition, r and r.row.envelope_to) for r in rows] == [
        ("reject", "x.test"),
        ("reject", "y.test"),
        ("none", "x.test"),
        ("none", "y.test"),
    ]
