"""DMARC: records, the tree walk, authors, alignment."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailauth.zone import Zone
from mailserver.base.errors import PeerError
from mailserver.mailauth.dkim.header import Header
from mailserver.mailauth.dmarc import record as records
from mailserver.mailauth.dmarc.author import author, author_of
from mailserver.mailauth.dmarc.discover import Discovery, discover, organizations, targets
from mailserver.mailauth.dmarc.judge import DmarcResult, Proof, judge, unnamed
from mailserver.mailauth.dmarc.record import Record, Uri

WISHES = st.none() | st.sampled_from(["none", "quarantine", "reject"])
URIS = st.builds(
    Uri,
    st.from_regex(r"mailto:[a-z%0-9.+-]{1,20}@[a-z]{1,9}\.example", fullmatch=True),
    st.none() | st.integers(0, 10**15),
)
RECORDS = st.builds(
    Record,
    p=WISHES,
    sp=WISHES,
    np=WISHES,
    adkim=st.sampled_from("rs"),
    aspf=st.sampled_from("rs"),
    psd=st.sampled_from("ynu"),
    t=st.booleans(),
    rua=st.lists(URIS, max_size=3).map(tuple),
    ruf=st.lists(URIS, max_size=3).map(tuple),
    fo=st.lists(st.sampled_from("01ds"), min_size=1, unique=True).map(tuple),
    pct=st.none() | st.integers(0, 100),
    ri=st.none() | st.integers(0, 2**32 - 1),
    faults=st.just(()),
    is_usable=st.just(True),
)


@given(RECORDS)
def test_a_record_reads_as_it_was_written(record: Record) -> None:
    assert records.parse(str(record).encode()) == record


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda b: b"v=DMARC1;" + b))
def test_garbage_is_a_record_or_a_fault_of_the_peer(data: bytes) -> None:
    try:
        record = records.parse(data)
    except PeerError:
        assert not records.is_record(data)
    else:
        assert records.parse(str(record._replace(faults=())).encode()).wish(
            is_below=False, exists=True
        ) == record.wish(is_below=False, exists=True)


@pytest.mark.rfc(9989, "4.7")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"v=DMARC1", Record()),
        (b"v=DMARC1;p=reject", Record(p="reject")),
        (b" V = DMARC1 ; P = Reject ; SP=none; adkim=S", Record(p="reject", sp="none", adkim="s")),
        (
            b"v=DMARC1; rua=mailto:a@b.example; p=none",
            Record(p="none", rua=(Uri("mailto:a@b.example"),)),
        ),
        (b"v=DMARC1; p=none; unknown=1; x-y=2", Record(p="none", faults=("no tag: x-y=2",))),
        (b"v=DMARC1; p=none; p=reject", Record(p="none")),
        (b"v=DMARC1; p=none; adkim=x", Record(p="none", faults=("adkim=x makes no sense",))),
        (b"v=DMARC1; p=none;;", Record(p="none")),
        (b"v=DMARC1; p=reject; fo=1:d:s", Record(p="reject", fo=("1", "d", "s"))),
        (b"v=DMARC1; p=reject; pct=50; rf=afrf; ri=86400", Record(p="reject", pct=50, ri=86400)),
        (
            b"v=DMARC1; p=none; rua=mailto:a@b.example!10m , https://x.example/y,junk",
            Record(p="none", rua=(Uri("mailto:a@b.example", 10 << 20), Uri("https://x.example/y"))),
        ),
    ],
)
def test_records(text: bytes, said: Record) -> None:
    assert records.parse(text) == said


@pytest.mark.rfc(9989, "4.7")
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"v=DMARC2; p=none",
        b"v=dmarc1; p=none",
        b"p=none; v=DMARC1",
        b"v=DMARC1 p=none",
        b"v=DMARC10",
    ],
)
def test_what_is_no_record(text: bytes) -> None:
    assert not records.is_record(text)
    with pytest.raises(PeerError):
        records.parse(text)


@pytest.mark.rfc(9989, "4.10.1")
def test_a_spoilt_policy_counts_only_with_somebody_to_tell() -> None:
    assert not records.parse(b"v=DMARC1; p=rejct").is_usable
    told = records.parse(b"v=DMARC1; p=rejct; rua=mailto:a@b.example")
    assert told.is_usable
    assert told.p == "none"
    assert not records.parse(b"v=DMARC1; p=reject; sp=x").is_usable


def test_a_record_without_end_is_read_up_to_a_bound() -> None:
    record = records.parse(b"v=DMARC1; p=reject; " + b"x=" + b" " * 100_000)
    assert record.p == "reject"
    assert record.faults
    many = b"v=DMARC1; p=none; rua=" + b",".join(b"mailto:a%d@b.example" % n for n in range(500))
    assert len(records.parse(many).rua) == records.MAX_URIS


def test_the_address_of_a_uri() -> None:
    assert Uri("mailto:a%2Bb@c.example?subject=x").address == "a+b@c.example"
    assert Uri("https://c.example/").address == ""


# -- whom From names


@pytest.mark.rfc(9989, "5.3.1")
@pytest.mark.parametrize(
    ("header", "domain", "is_broken"),
    [
        (b"From: a@example.org\r\n", "example.org", False),
        (b"To: x@y.example\r\nFROM : =?utf-8?q?A?= <a@EXAMPLE.org>\r\n\r\n", "example.org", False),
        (b"From:\r\n A\r\n\t<a@example.org>\r\n", "example.org", False),
        (b"From: a@example.org, B <b@example.org>\r\n", "example.org", False),
        (b"From: friends: a@example.org;\r\n", "example.org", False),
        ("From: a@bücher.example\r\n".encode(), "xn--bcher-kva.example", False),
        (b'From: "bank.example" <a@evil.example>\r\n', "evil.example", False),
        (b"From: a@example.org, b@example.net\r\n", "", True),
        (b"From: a@example.org\r\nFrom: a@example.org\r\n", "", True),
        (b"From: service@bank.example <>\r\n", "", True),
        (b"From: root\r\n", "", True),
        (b"From: a@x.example b@y.example\r\n", "", True),
        (b"From: a@exa..mple.org\r\n", "", True),
        (b"From: a@[192.0.2.1]\r\n", "", False),
        (b"From: a@bank.example\0@evil.example\r\n", "", True),
        (b"From: a@bank.example@evil.example\r\n", "", True),
        (b'From: "a@bank.example"@evil.example\r\n', "", True),
        (b"From: <a@bank.example> <b@evil.example>\r\n", "", True),
        (b"From: a@bank.example; b@evil.example\r\n", "", True),
        (b"From: =?utf-8?q?a=40bank.example?=\r\n", "", True),
        (b"From: =?utf-8?q?a=40bank.example?= <b@evil.example>\r\n", "evil.example", False),
        (b"From: (a@bank.example) b@evil.example\r\n", "evil.example", False),
        (b"From: <@relay.example:a@bank.example>\r\n", "bank.example", False),
        ("From: a@ｂank。example\r\n".encode(), "bank.example", False),
        (b"From: a@[192.0.2.1], b@example.org\r\n", "", True),
        (b"From: " + b"a@example.org, " * 200 + b"\r\n", "", True),
        (b"Subject: x\r\n", "", False),
        (b"X-From: a@example.org\r\n from: b@c.example\r\n", "", False),
        (b"From:\r\n", "", False),
    ],
)
def test_authors(header: bytes, domain: str, is_broken: bool) -> None:
    found = author(header)
    assert (found.domain, found.is_broken) == (domain, is_broken)
    assert bool(found.reason) == (not domain)


@given(st.binary(max_size=300).map(lambda b: b"From: " + b))
def test_any_author_is_read(header: bytes) -> None:
    found = author(header)
    assert found.domain or found.reason


# -- the tree walk


def find(zone: Zone, domain: str) -> Discovery:
    return asyncio.run(discover(zone, domain))


@pytest.mark.rfc(9989, "4.10")
def test_a_walk_asks_eight_questions_at_most() -> None:
    assert targets("a.b.c.d.e.f.g.h.i.j.mail.example.com") == [
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "g.h.i.j.mail.example.com".partition(".")[0] + ".h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    ]
    assert targets("example.com") == ["example.com", "com"]
    assert targets("com") == ["com"]
    zone = Zone()
    find(zone, ".".join("abcdefghijklmnopqrstuvwxyz") + ".example")
    assert len(zone.asked) == 8


@pytest.mark.rfc(9989, "4.10.1")
@pytest.mark.rfc(9989, "4.10.2")
@pytest.mark.parametrize(
    ("zone", "domain", "policy_domain", "organization", "wish"),
    [
        ("", "example.org", "", "example.org", "none"),
        (
            "_dmarc.example.org TXT 'v=DMARC1; p=reject'",
            "example.org",
            "example.org",
            "example.org",
            "reject",
        ),
        (  # RFC 9989 §4.10.2, its first example
            "_dmarc.mail.example.com TXT 'v=DMARC1; p=none'\n_dmarc.example.com TXT 'v=DMARC1; p=reject'",
            "a.mail.example.com",
            "example.com",
            "example.com",
            "reject",
        ),
        (  # its second: a registry that says so
            "_dmarc.com TXT 'v=DMARC1; p=none; psd=y; np=reject'\na.mail.example.com A 192.0.2.1",
            "a.mail.example.com",
            "com",
            "example.com",
            "none",
        ),
        (
            "_dmarc.com TXT 'v=DMARC1; p=none; psd=y; np=reject'",
            "x.example.com",
            "com",
            "example.com",
            "reject",
        ),
        (
            "_dmarc.example.org TXT 'v=DMARC1; p=reject; sp=quarantine; np=reject'\nmail.example.org A 192.0.2.1",
            "mail.example.org",
            "example.org",
            "example.org",
            "quarantine",
        ),
        (
            "_dmarc.example.org TXT 'v=DMARC1; p=none; sp=quarantine; np=reject'",
            "no.example.org",
            "example.org",
            "example.org",
            "reject",
        ),
        (
            "_dmarc.example.org TXT 'v=DMARC1; p=none; np=reject'\nmx.example.org MX 10 m.example.org",
            "mx.example.org",
            "example.org",
            "example.org",
            "none",
        ),
        (  # psd=n ends the walk and is the organization
            "_dmarc.b.example TXT 'v=DMARC1; p=none; psd=n'\n_dmarc.example TXT 'v=DMARC1; p=reject'",
            "a.b.example",
            "b.example",
            "b.example",
            "none",
        ),
        (  # a registry's own mail
            "_dmarc.co.example TXT 'v=DMARC1; p=reject; psd=y'",
            "co.example",
            "co.example",
            "co.example",
            "reject",
        ),
        (  # several records are none
            "_dmarc.a.example TXT 'v=DMARC1; p=reject'\n_dmarc.a.example TXT 'v=DMARC1; p=none'",
            "a.example",
            "",
            "a.example",
            "none",
        ),
        (
            "_dmarc.a.example TXT 'something else'\n_dmarc.a.example TXT 'v=DMARC1; p=reject'",
            "a.example",
            "a.example",
            "a.example",
            "reject",
        ),
        (
            "_dmarc.a.example CNAME d.example\nd.example TXT 'v=DMARC1; p=reject'",
            "a.example",
            "a.example",
            "a.example",
            "reject",
        ),
        ("_dmarc.a.example TXT 'v=DMARC1; p=x'", "a.example", "", "a.example", "none"),
    ],
)
def test_walks(zone: str, domain: str, policy_domain: str, organization: str, wish: str) -> None:
    found = find(Zone(zone), domain)
    assert (found.policy_domain, found.organization, found.wish) == (
        policy_domain,
        organization,
        wish,
    )
    assert not found.is_temporary
    assert found.reason


def test_trouble_on_the_way_is_no_answer() -> None:
    found = find(Zone("_dmarc.example.org TROUBLE"), "example.org")
    assert found.is_temporary
    assert found.record is None
    found = find(
        Zone("_dmarc.example.org TXT 'v=DMARC1; p=reject'\n_dmarc.org BOGUS"), "example.org"
    )
    assert found.is_temporary
    assert found.wish == "reject"


# -- the verdict


def verdict(zone: str, domain: str, *proofs: Proof) -> DmarcResult:
    async def run() -> DmarcResult:
        resolver = Zone(zone)
        found = await discover(resolver, domain)
        theirs = await organizations(resolver, found, [proof.domain for proof in proofs])
        return judge(found, proofs, theirs)

    return asyncio.run(run())


RELAXED = "_dmarc.example.org TXT 'v=DMARC1; p=reject; sp=quarantine'\nmail.example.org A 192.0.2.1"
STRICT = "_dmarc.example.org TXT 'v=DMARC1; p=reject; adkim=s; aspf=s'"


@pytest.mark.rfc(9989, "4.4")
@pytest.mark.parametrize(
    ("zone", "domain", "proofs", "result", "disposition"),
    [
        (RELAXED, "example.org", [Proof("spf", "pass", "example.org")], "pass", "none"),
        (RELAXED, "example.org", [Proof("spf", "pass", "bounce.example.org")], "pass", "none"),
        (RELAXED, "mail.example.org", [Proof("dkim", "pass", "example.org")], "pass", "none"),
        (RELAXED, "mail.example.org", [Proof("dkim", "pass", "x.example.org")], "pass", "none"),
        (RELAXED, "example.org", [Proof("dkim", "pass", "notexample.org")], "fail", "reject"),
        (RELAXED, "example.org", [Proof("dkim", "pass", "org")], "fail", "reject"),
        (RELAXED, "example.org", [Proof("dkim", "fail", "example.org")], "fail", "reject"),
        (RELAXED, "mail.example.org", [], "fail", "quarantine"),
        (RELAXED, "example.org", [Proof("spf", "softfail", "example.org")], "fail", "reject"),
        (RELAXED, "example.org", [Proof("spf", "temperror", "example.org")], "temperror", "none"),
        (RELAXED, "example.org", [Proof("dkim", "temperror", "evil.example")], "fail", "reject"),
        (
            RELAXED,
            "example.org",
            [Proof("spf", "temperror", "example.org"), Proof("dkim", "pass", "example.org")],
            "pass",
            "none",
        ),
        (STRICT, "example.org", [Proof("spf", "pass", "mail.example.org")], "fail", "reject"),
        (STRICT, "example.org", [Proof("dkim", "pass", "mail.example.org")], "fail", "reject"),
        (STRICT, "example.org", [Proof("dkim", "pass", "example.org")], "pass", "none"),
        ("", "example.org", [], "none", "none"),
        ("_dmarc.example.org TROUBLE", "example.org", [], "temperror", "none"),
        ("_dmarc.example.org TXT 'v=DMARC1; p=reject; t=y'", "example.org", [], "fail", "none"),
        ("_dmarc.example.org TXT 'v=DMARC1; p=reject; pct=0'", "example.org", [], "fail", "none"),
        (
            "_dmarc.example.org TXT 'v=DMARC1; p=reject; pct=10'",
            "example.org",
            [],
            "fail",
            "reject",
        ),
        # the same owner, and a department of its own below
        (
            RELAXED + "\n_dmarc.own.example.org TXT 'v=DMARC1; p=none; psd=n'",
            "example.org",
            [Proof("dkim", "pass", "own.example.org")],
            "fail",
            "reject",
        ),
        # two customers of one registry
        (
            "_dmarc.co.example TXT 'v=DMARC1; p=reject; psd=y'",
            "a.co.example",
            [Proof("spf", "pass", "b.co.example")],
            "fail",
            "reject",
        ),
        # nobody knows whose x.example.org is
        (
            RELAXED + "\n_dmarc.x.example.org TROUBLE",
            "example.org",
            [Proof("spf", "pass", "x.example.org")],
            "temperror",
            "none",
        ),
    ],
)
def test_verdicts(
    zone: str, domain: str, proofs: list[Proof], result: str, disposition: str
) -> None:
    found = verdict(zone, domain, *proofs)
    assert (found.result, found.disposition) == (result, disposition)
    assert found.reason
    assert bool(found.aligned_by) == (result == "pass")


def test_a_signature_of_a_stranger_costs_no_question() -> None:
    async def run() -> int:
        zone = Zone(RELAXED)
        found = await discover(zone, "example.org")
        before = zone.asked.total()
        strangers = [f"d{n}.example" for n in range(1_000)]
        assert await organizations(zone, found, strangers) == {}
        return zone.asked.total() - before

    assert asyncio.run(run()) == 0


def test_who_hides_the_author_is_suspect() -> None:
    broken = unnamed(author(b"From: a@x.example, b@y.example\r\n"))
    assert (broken.result, broken.disposition) == ("permerror", "quarantine")
    missing = unnamed(author(b"Subject: x\r\n"))
    assert (missing.result, missing.disposition) == ("none", "none")


def test_few_of_many_faults_are_told() -> None:
    record = records.parse(b"v=DMARC1; p=reject;" + b" x-y=1;" * 1_000)
    assert record.p == "reject"
    assert len(record.faults) == records.MAX_FAULTS


@given(
    st.lists(
        st.sampled_from(
            [b"From: a@b.example\r\n", b"from :\r\n\tA <a@\r\n b.example>\r\n", b"FROM:x\r\n", b"To: from: y\r\n",
             b" from: c@d.example\r\n", b"Fromage: z\r\n", b"\tfrom: q\r\n", b"From\r\n", b"From: a\n@b.example\r\n"]
        ),
        max_size=6,
    ).map(b"".join)
)  # fmt: skip
def test_a_header_that_signatures_can_be_read_in_names_the_same_author(block: bytes) -> None:
    header = Header(block)
    if not header.fault:
        assert author(block) == author_of(header.values(b"from"))
