"""The records that a domain needs, and what is said of those that the DNS shows."""

import asyncio
import json
from dataclasses import replace
from ipaddress import ip_address

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailauth.zone import Zone
from mailserver.directory import dkim_keys
from mailserver.mailauth.mta_sts import Mode, own
from mailserver.mailauth.resolver import Answer, NoData, Tlsa
from mailserver.net.https import HttpsError, Response
from mailserver.net.published import forms
from mailserver.net.published.compare import Status
from mailserver.net.published.looking import View, authorities, look
from mailserver.net.published.records import Facts, Kind, records
from mailserver.store.dkim_keys import ACTIVE, PENDING, RETIRED, RETIRING, DkimKey

PAIRS = {name: dkim_keys.generate(name) for name in dkim_keys.ALGORITHMS}
TLSA = Tlsa(3, 1, 1, bytes(range(32)))


def key(selector, algorithm="rsa", state=ACTIVE, id=1):
    pair = PAIRS[algorithm]
    sealed = None if state == RETIRED else b"sealed"
    return DkimKey(
        id, 1, "example.org", selector, algorithm, pair.bits, pair.public, sealed, state, 0, None, None, None, None
    )  # fmt: skip


FACTS = Facts(
    "example.org",
    "mail.example.org",
    keys=(key("s1"), key("s2", "ed25519")),
    addresses=("192.0.2.1", "2001:db8::1"),
    services={"submission": 587, "submissions": 465, "imaps": 993, "managesieve": 4190},
    tlsa=(TLSA,),
    reports="postmaster@example.org",
    policy=own(Mode.ENFORCE, ["mail.example.org"]),
    ca="letsencrypt.org",
    account="https://acme.example/acct/1",
)


def zone_of(facts, *more, without=()):
    """The DNS with all records of *facts*, except of the kinds *without*; all signed."""
    lines = []
    for one in records(facts):
        if one.kind not in without:
            value = json.dumps(one.value) if one.type == "TXT" else one.value
            lines.append(f"{one.name} {one.type} {value}")
    return Zone("\n".join([*lines, *more]), signed={"example.org"})


def seen(facts, zone, patience_s=5.0):
    (found,) = asyncio.run(
        look(facts, [View("test", zone)], now=1_795_000_000, patience_s=patience_s)
    )
    return found.findings


def of(findings, kind, *statuses):
    return [
        (one.status, one.text) for one in findings if one.kind is kind and one.status in statuses
    ]


BAD = (Status.WRONG, Status.MISSING, Status.UNKNOWN)


def bad(findings):
    return [(str(one.kind), one.status, one.text) for one in findings if one.status in BAD]


# -- what is needed


@pytest.mark.rfc(8657, "3")
@pytest.mark.rfc(8314, "5.1")
def test_all_records():
    found = {(one.name, one.type): one.value for one in records(FACTS)}
    assert found["example.org", "MX"] == "10 mail.example.org."
    assert found["example.org", "TXT"] == "v=spf1 mx ~all"
    assert found["mail.example.org", "TXT"] == "v=spf1 a -all"
    assert found["s2._domainkey.example.org", "TXT"].startswith("v=DKIM1; k=ed25519; p=")
    assert (
        found["_dmarc.example.org", "TXT"]
        == "v=DMARC1; p=quarantine; rua=mailto:postmaster@example.org"
    )
    assert found["_smtp._tls.example.org", "TXT"] == "v=TLSRPTv1; rua=mailto:postmaster@example.org"
    assert found["_mta-sts.example.org", "TXT"].startswith("v=STSv1; id=")
    assert found["mta-sts.example.org", "CNAME"] == "mail.example.org."
    assert found["_25._tcp.mail.example.org", "TLSA"] == f"3 1 1 {TLSA.data.hex()}"
    assert found["_submissions._tcp.example.org", "SRV"] == "0 1 465 mail.example.org."
    assert found["_imap._tcp.example.org", "SRV"] == "0 0 0 ."
    assert (
        found["example.org", "CAA"]
        == '0 issue "letsencrypt.org; accounturi=https://acme.example/acct/1"'
    )
    assert ("autoconfig.example.org", "CNAME") not in found  # nothing is served there


def test_retired_keys_and_domains_that_do_not_sign():
    keys = (key("s1", state=RETIRED), key("s2", state=RETIRING), key("s3", state=PENDING))
    facts = Facts("example.org", "mail.example.org", keys=keys)
    names = [one.name for one in records(facts) if one.kind is Kind.DKIM]
    assert names == ["s2._domainkey.example.org", "s3._domainkey.example.org"]
    facts = Facts("example.org", "mail.example.org", keys=keys, signs=False)
    assert not [one for one in records(facts) if one.kind is Kind.DKIM]


@pytest.mark.parametrize(
    ("smarthost", "said"),
    [("hub.example.net", "a:hub.example.net"), ("192.0.2.9", "ip4:192.0.2.9"), ("2001:db8::9", "ip6:2001:db8::9")],
)  # fmt: skip
def test_who_sends_over_a_smarthost_lets_it_pass(smarthost, said):
    facts = Facts("example.org", "mail.example.org", smarthost=smarthost)
    (spf,) = [one.value for one in records(facts) if one.kind is Kind.SPF]
    assert spf == f"v=spf1 mx {said} ~all"


@pytest.mark.rfc(6186, "3.4")
def test_what_is_not_offered_is_said_to_be_nowhere():
    found = {one.name: one.value for one in records(Facts("example.org", "mail.example.org"))}
    assert found["_imaps._tcp.example.org"] == found["_pop3._tcp.example.org"] == "0 0 0 ."


@pytest.mark.rfc(1035, "3.3.14")
@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("v=spf1 mx ~all", '"v=spf1 mx ~all"'),
        ("a" * 255, '"' + "a" * 255 + '"'),
        ("a" * 256, '"' + "a" * 255 + '" "a"'),
        ('say "x" \\ y', '"say \\"x\\" \\\\ y"'),
        ("", '""'),
    ],
)
def test_texts_in_zone_files(text, written):
    assert forms.strings(text) == written


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=1_500))
def test_texts_come_back_from_zone_files(text):
    rdata = dns.rdata.from_text("IN", "TXT", forms.strings(text))
    assert b"".join(rdata.strings).decode() == text
    assert all(len(string) <= 255 for string in rdata.strings)


@given(st.lists(st.text(max_size=300), max_size=4))
def test_whatever_stands_there_is_only_judged(texts):
    """Texts that nobody would write are wrong or missing, and nothing fails."""

    class Odd(Zone):
        async def txt(self, name):
            if not texts:
                raise NoData(name)
            return Answer(tuple(t.encode("utf-8", "surrogatepass") for t in texts), False, 60)

    for one in seen(FACTS, Odd()):
        if one.type == "TXT":
            assert one.status in BAD
            assert "\n" not in "".join(one.found)


def test_cloudflare():
    posts = forms.cloudflare(records(FACTS), "example.org")["posts"]
    by = {(post["type"], post["name"]): post for post in posts}
    mx = by["MX", "example.org"]
    assert (mx["priority"], mx["content"]) == (10, "mail.example.org")
    assert by["SRV", "_imaps._tcp.example.org"]["data"] == {
        "priority": 0,
        "weight": 1,
        "port": 993,
        "target": "mail.example.org",
    }
    assert by["TLSA", "_25._tcp.mail.example.org"]["data"]["matching_type"] == 1
    assert by["CAA", "example.org"]["data"]["tag"] == "issue"
    assert by["TXT", "s1._domainkey.example.org"]["content"].count('"') == 4
    assert by["CNAME", "mta-sts.example.org"]["proxied"] is False
    json.dumps(posts)


# -- what is there


def test_all_right():
    findings = seen(FACTS, zone_of(FACTS))
    assert bad(findings) == []
    notes = [one.text for one in findings if one.status is Status.NOTE]
    assert len(notes) == 2  # both addresses are not of the internet
    assert {one.kind for one in findings if one.status is Status.RIGHT} == {
        Kind.MX, Kind.ADDRESS, Kind.SPF, Kind.HELO, Kind.DKIM, Kind.DMARC, Kind.TLS_RPT,
        Kind.MTA_STS, Kind.TLSA, Kind.SERVICE, Kind.CAA,
    }  # fmt: skip


def test_nothing_there():
    findings = seen(FACTS, Zone())
    missing = {one.kind for one in findings if one.status is Status.MISSING}
    assert missing >= {
        Kind.MX, Kind.ADDRESS, Kind.SPF, Kind.HELO, Kind.DKIM, Kind.DMARC, Kind.TLS_RPT, Kind.MTA_STS,
    }  # fmt: skip
    assert all(one.is_bad for one in findings if one.kind is Kind.DKIM)
    assert not any(one.is_bad for one in findings if one.kind is Kind.SERVICE)


@pytest.mark.parametrize(
    ("kind", "lines", "status", "text"),
    [
        (Kind.MX, ["example.org MX 0 ."], Status.WRONG, "takes no mail"),
        (Kind.MX, ["example.org MX 10 old.example.net."], Status.WRONG, "mail goes elsewhere"),
        (Kind.SPF, ['example.org TXT "v=spf1 ip4:192.0.2.9 -all"'], Status.WRONG, "does not pass (fail"),
        (Kind.SPF, ['example.org TXT "v=spf1 mx +all"'], Status.WRONG, "anybody may send"),
        (Kind.SPF, ['example.org TXT "v=spf1 nonsense:x mx -all"'], Status.WRONG, "(permerror"),
        (Kind.SPF, ['example.org TXT "v=spf1 mx -all"'] * 2, Status.WRONG, "several"),
        (Kind.SPF, ['example.org TXT "google-verification=1"'], Status.MISSING, "to be added"),
        (Kind.DMARC, ['_dmarc.example.org TXT "v=DMARC1; p=reject"'] * 2, Status.WRONG, "several"),
        (Kind.DMARC, ['_dmarc.example.org TXT "v=DMARC1; p=nonsense"'], Status.WRONG, "cannot be read"),
        (Kind.TLS_RPT, ['_smtp._tls.example.org TXT "v=TLSRPTv1;"'], Status.WRONG, "neither mailto:"),
        (Kind.TLS_RPT, ['_smtp._tls.example.org TXT "v=TLSRPTv1; rua=a@example.org"'], Status.WRONG, "neither mailto:"),
        (Kind.TLS_RPT, ['_smtp._tls.example.org TXT "v=tlsrptv1; rua=mailto:a@b.example"'], Status.WRONG, "must begin"),
        (Kind.DMARC, ['_dmarc.example.org TXT "v=DMARC1 p=none"'], Status.WRONG, "must begin with v=DMARC1;"),
        (Kind.SPF, ['example.org TXT "v=spf1mx -all"'], Status.WRONG, "must begin with v=spf1 and a blank"),
        (Kind.MTA_STS, ['_mta-sts.example.org TXT "v=STSV1; id=1;"'], Status.WRONG, "must begin with v=STSv1;"),
        (Kind.MX, ["example.org MX 10 192.0.2.1."], Status.WRONG, "names a host, never an address"),
        (Kind.MTA_STS, ['_mta-sts.example.org TXT "v=STSv1; id=old;"'], Status.WRONG, "its id is not"),
        (Kind.TLSA, [f"_25._tcp.mail.example.org TLSA 3 1 1 {'00' * 32}"], Status.WRONG, "send nothing"),
        (Kind.CAA, ['example.org CAA 0 issue "ca.example"'], Status.WRONG, "may not issue"),
        (Kind.CAA, ['example.org CAA 0 issue "letsencrypt.org; accounturi=https://acme.example/acct/2"'],
         Status.WRONG, "for another account only"),
        (Kind.CAA, ['example.org CAA 0 issue "LetsEncrypt.org; validationmethods=dns-01"'], Status.RIGHT, ""),
        (Kind.CAA, ['example.org CAA 0 issue "letsencrypt.org;accounturi = https://acme.example/acct/1"'],
         Status.RIGHT, ""),
        (Kind.SERVICE, ["_imaps._tcp.example.org SRV 0 1 993 old.example.net."], Status.WRONG, "elsewhere"),
        (Kind.MX, ["example.org TROUBLE"], Status.UNKNOWN, ""),
        (Kind.DMARC, ["_dmarc.example.org BOGUS"], Status.WRONG, "DNSSEC signatures are wrong"),
    ],
)  # fmt: skip
def test_what_is_wrong(kind, lines, status, text):
    names = {line.split()[0] for line in lines}
    kept = [one for one in records(FACTS) if one.kind is not kind or one.name not in names]
    others = [
        f"{one.name} {one.type} {json.dumps(one.value) if one.type == 'TXT' else one.value}"
        for one in kept
    ]
    findings = seen(FACTS, Zone("\n".join([*others, *lines]), signed={"example.org"}))
    assert text in "; ".join(said for _, said in of(findings, kind, status)), findings


def test_a_record_that_leads_nowhere_is_not_to_blame():
    """SPF is as it should be, and passes nobody, as there is no MX."""
    kept = [one for one in records(FACTS) if one.kind is not Kind.MX]
    lines = [
        f"{one.name} {one.type} {json.dumps(one.value) if one.type == 'TXT' else one.value}"
        for one in kept
    ]
    findings = seen(FACTS, Zone("\n".join(lines)))
    ((_, text),) = of(findings, Kind.SPF, Status.WRONG)
    assert text.endswith("so look at MX and A")


@pytest.mark.rfc(9990, "4")
@pytest.mark.parametrize(
    ("reports", "is_needed"),
    [
        ("dmarc@service.example", True),
        ("dmarc@example.org", False),
        ("dmarc@mail.example.org", False),
        ("dmarc@org", False),
        ("", False),
    ],
)
def test_reports_for_another_domain_need_its_word(reports, is_needed):
    facts = replace(FACTS, reports=reports)
    wanted = [one for one in records(facts) if one.kind is Kind.REPORTS]
    assert [one.name for one in wanted] == [
        "example.org._report._dmarc.service.example"
    ] * is_needed
    if is_needed:
        found = seen(facts, zone_of(FACTS))
        assert [one.text for one in found if one.kind is Kind.REPORTS] == ["to be added"]
        assert bad(seen(facts, zone_of(facts))) == []


@pytest.mark.rfc(7208, "4.6")
def test_other_senders_beside_ours_are_right():
    zone = zone_of(
        FACTS,
        'example.org TXT "v=spf1 include:_spf.news.example ip4:198.51.100.0/24 mx -all"',
        '_spf.news.example TXT "v=spf1 ip4:203.0.113.0/24 -all"',
        'example.org TXT "google-verification=1"',
        without={Kind.SPF},
    )
    assert of(seen(FACTS, zone), Kind.SPF, *Status) == [(Status.RIGHT, "")]


@pytest.mark.rfc(2181, "10.3")
def test_a_mail_host_that_is_an_alias():
    zone = zone_of(
        FACTS, "mail.example.org CNAME host.example.net.", without={Kind.ADDRESS, Kind.HELO}
    )
    found = of(seen(FACTS, zone), Kind.MX, Status.WRONG)
    assert "is an alias of host.example.net" in found[0][1]


class Pages:
    """A web server."""

    def __init__(self, answer):
        self.answer = answer

    async def get(self, host, path, *, most, timeout_s):
        assert (host, path) == ("mta-sts.example.org", "/.well-known/mta-sts.txt")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.rfc(8461, "3.3")
@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Response(200, "text/plain", str(FACTS.policy).encode()), ""),
        (Response(200, "text/plain", str(own(Mode.TESTING, ["mail.example.org"])).encode()), "another policy"),
        (Response(200, "text/html", b"<html>"), "cannot be read"),
        (Response(404, "text/plain", b""), "says 404"),
        (HttpsError("its certificate is for another name", is_untrusted=True), "another name"),
    ],
)  # fmt: skip
def test_the_policy_is_fetched_as_others_do(answer, text):
    view = View("test", zone_of(FACTS), web=Pages(answer))
    (found,) = asyncio.run(look(FACTS, [view], now=1_795_000_000, patience_s=5.0))
    (one,) = [f for f in found.findings if f.kind is Kind.MTA_STS and f.type == "CNAME"]
    assert one.status is (Status.WRONG if text else Status.RIGHT)
    assert text in one.text


def test_further_mail_hosts_are_named():
    zone = zone_of(FACTS, "example.org MX 20 backup.example.net.")
    assert "backup.example.net, too" in of(seen(FACTS, zone), Kind.MX, Status.NOTE)[0][1]


@pytest.mark.rfc(6376, "3.6.2.2")
def test_keys_that_drifted():
    other = dkim_keys.record(key("x")._replace(public=dkim_keys.generate("rsa").public))
    zone = zone_of(FACTS, f'x TXT "{other}"', without={Kind.DKIM})
    zone.add(f's1._domainkey.example.org TXT "{other}"')
    good = dkim_keys.record(FACTS.keys[1])
    zone.add(f's2._domainkey.example.org TXT "{good}; t=y"')
    findings = seen(FACTS, zone)
    assert "there is another key" in of(findings, Kind.DKIM, Status.WRONG)[0][1]
    assert "t=y" in of(findings, Kind.DKIM, Status.NOTE)[0][1]


def test_keys_on_their_way_in_and_out():
    keys = (
        key("s1", state=RETIRED),
        key("s2", state=RETIRING, id=2),
        key("s3", state=PENDING, id=3),
    )
    facts = Facts("example.org", "mail.example.org", keys=keys, addresses=("192.0.2.1",))
    zone = zone_of(facts, without={Kind.DKIM})
    zone.add(f's1._domainkey.example.org TXT "{dkim_keys.record(keys[0])}"')
    said = {one.name.partition(".")[0]: one for one in seen(facts, zone) if one.kind is Kind.DKIM}
    assert (said["s1"].status, said["s1"].text) == (
        Status.NOTE,
        "the key is retired: the record may be taken away",
    )
    assert said["s2"].status is Status.NOTE
    assert said["s3"].status is Status.MISSING
    assert "signs some time after" in said["s3"].text


def test_a_domain_below_one_with_a_policy():
    facts = Facts("sub.example.org", "mail.example.org", addresses=("192.0.2.1",))
    zone = zone_of(
        facts, '_dmarc.example.org TXT "v=DMARC1; p=reject; sp=quarantine"', without={Kind.DMARC}
    )
    (found,) = [one for one in seen(facts, zone) if one.kind is Kind.DMARC]
    assert (found.status, found.text) == (
        Status.NOTE,
        "it follows the record of example.org, which says quarantine",
    )


def test_certificates_without_dnssec():
    plain = zone_of(FACTS)
    plain._signed = ()
    assert "not proved by DNSSEC" in of(seen(FACTS, plain), Kind.TLSA, Status.NOTE)[0][1]


@pytest.mark.rfc(1912, "2.1")
def test_reverse_names():
    facts = Facts("example.org", "mail.example.org", addresses=("8.8.8.8", "9.9.9.9", "1.1.1.1"))
    zone = zone_of(
        facts, "8.8.8.8 PTR mail.example.org.", "9.9.9.9 PTR other.example.net.", without=()
    )
    found = [(one.status, one.text) for one in seen(facts, zone) if one.type == "PTR"]
    assert [status for status, _ in found] == [Status.RIGHT, Status.WRONG, Status.MISSING]


def test_nobody_answers():
    """Each record has its time, all at once."""

    class Silent(Zone):
        async def txt(self, name):
            await asyncio.sleep(3_600)

    findings = seen(FACTS, Silent(), patience_s=0.05)
    assert {one.text for one in findings if one.kind is Kind.DKIM} == {"no answer within 0.05 s"}
    assert {one.status for one in findings if one.kind is Kind.SPF} == {Status.UNKNOWN}


# -- from several corners


@pytest.mark.rfc(1034, "4.2.1")
def test_servers_of_the_zone_are_asked_for_what_is_theirs():
    """One of two secondaries has an old zone."""
    new = zone_of(
        FACTS,
        "example.org NS ns1.example.org.",
        "example.org NS ns2.example.net.",
        "ns1.example.org A 192.0.2.53",
        "ns2.example.net A 198.51.100.53",
    )
    old = zone_of(FACTS, without={Kind.DKIM})
    at = {"192.0.2.53": new, "198.51.100.53": old}

    async def main():
        views = await authorities(new, "example.org", at.__getitem__)
        assert [view.name for view in views] == [
            "ns1.example.org (192.0.2.53)",
            "ns2.example.net (198.51.100.53)",
        ]
        return await look(FACTS, views, now=0, patience_s=5)

    one, two = asyncio.run(main())
    assert bad(one.findings) == []
    assert {kind for kind, _, _ in bad(two.findings)} == {"dkim"}
    assert ("TXT", "_dmarc.example.org") in old.asked or old.asked


def test_what_a_zone_has_as_an_alias_is_asked_elsewhere():
    """Keys at a provider, by CNAME."""
    whole = zone_of(
        FACTS,
        "example.org NS ns1.example.org.",
        "ns1.example.org A 192.0.2.53",
        "s1._domainkey.example.org CNAME s1.provider.example.",
        f's1.provider.example TXT "{dkim_keys.record(FACTS.keys[0])}"',
        f's2._domainkey.example.org TXT "{dkim_keys.record(FACTS.keys[1])}"',
        without={Kind.DKIM},
    )

    async def main():
        views = await authorities(whole, "example.org", lambda address: whole)
        return await look(FACTS, views, now=0, patience_s=5)

    (found,) = asyncio.run(main())
    assert bad(found.findings) == []


def test_addresses_that_mail_leaves_from():
    """They stand in SPF, and each needs a name that leads back, which need not be the host's."""
    facts = replace(FACTS, addresses=("8.8.8.8",), sources=("9.9.9.9", "2620:fe::fe"))
    by = {one.kind: one.value for one in records(facts)}
    assert by[Kind.SPF] == "v=spf1 mx ip4:9.9.9.9 ip6:2620:fe::fe ~all"
    assert by[Kind.HELO] == "v=spf1 a ip4:9.9.9.9 ip6:2620:fe::fe -all"
    names = ["8.8.8.8 PTR mail.example.org.", "9.9.9.9 PTR out.example.org."]
    zone = zone_of(facts, *names, "out.example.org A 9.9.9.9")
    findings = seen(facts, zone)
    assert [one.name for one in findings if one.is_bad] == [
        ip_address("2620:fe::fe").reverse_pointer
    ]
    good = [one.found for one in findings if one.type == "PTR" and one.status is Status.RIGHT]
    assert good == [("mail.example.org",), ("out.example.org",)]


@pytest.mark.rfc(8601, "2.7.3")
@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["9.9.9.9 PTR out.example.org."], Status.WRONG),
        (["9.9.9.9 PTR mail.example.org."], Status.WRONG),
        (["9.9.9.9 PTR out.example.org.", "out.example.org TROUBLE"], Status.UNKNOWN),
        (["9.9.9.9 PTR out.example.org.", "out.example.org A 9.9.9.9"], Status.RIGHT),
    ],
)
def test_the_name_of_a_source(lines, status):
    facts = replace(FACTS, addresses=("192.0.2.1",), sources=("9.9.9.9",))
    (found,) = [one for one in seen(facts, zone_of(facts, *lines)) if one.name.startswith("9.9.")]
    assert found.status is status


@pytest.mark.rfc(7208, "3")
def test_a_source_must_pass_spf():
    """The host's own address does not; it is not asked, as nothing leaves from it."""
    facts = replace(FACTS, addresses=("192.0.2.1",), sources=("9.9.9.9",))
    zone = zone_of(facts, 'example.org TXT "v=spf1 ip4:9.9.9.9 -all"', without=(Kind.SPF,))
    assert [one.status for one in seen(facts, zone) if one.kind is Kind.SPF] == [Status.RIGHT]
    zone = zone_of(facts, 'example.org TXT "v=spf1 mx -all"', without=(Kind.SPF,))
    (found,) = [one for one in seen(facts, zone) if one.kind is Kind.SPF]
    assert found.status is Status.WRONG
    assert found.text.startswith("mail from 9.9.9.9 does not pass")
