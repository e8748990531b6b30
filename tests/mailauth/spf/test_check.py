"""check_host: the examples of RFC 7208, what each result says of itself, and what a record may cost."""

import asyncio
import time
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailauth.spf.records import RECORDS
from mailauth.zone import Zone
from mailserver.base.limits import SpfLimits
from mailserver.mailauth.spf.identity import check_helo, check_sender
from mailserver.mailauth.spf.result import SpfResult

LIMITS = SpfLimits()

# RFC 7208, Appendix A
EXAMPLE = """
example.com MX 10 mail-a.example.com
example.com MX 20 mail-b.example.com
example.com A 192.0.2.10
example.com A 192.0.2.11
amy.example.com A 192.0.2.65
bob.example.com A 192.0.2.66
mail-a.example.com A 192.0.2.129
mail-b.example.com A 192.0.2.130
www.example.com CNAME example.com
example.org MX 10 mail-c.example.org
mail-c.example.org A 192.0.2.140
192.0.2.10 PTR example.com
192.0.2.11 PTR example.com
192.0.2.65 PTR amy.example.com
192.0.2.66 PTR bob.example.com
192.0.2.129 PTR mail-a.example.com
192.0.2.130 PTR mail-b.example.com
192.0.2.140 PTR mail-c.example.org
10.0.0.4 PTR bob.example.com
"""


def check(
    zone: Zone,
    ip: str = "192.0.2.1",
    sender: str = "user@example.com",
    helo: str = "mail.example.net",
    limits: SpfLimits = LIMITS,
) -> SpfResult:
    return asyncio.run(
        check_sender(
            zone,
            ip_address(ip),
            sender,
            helo,
            limits=limits,
            receiver="mx.receiver.example",
            now=1_700_000_000,
        )
    )


def record(text: str, *more: str) -> Zone:
    """A zone where example.com has this record, and more lines."""
    return Zone("\n".join([f"example.com TXT '{text}'", *more]))


@pytest.mark.rfc(7208, "A.1", "A.2", "A.3")
@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ("v=spf1 +all", {"192.0.2.10", "192.0.2.65", "192.0.2.129", "192.0.2.140", "10.0.0.4"}),
        ("v=spf1 a -all", {"192.0.2.10"}),
        ("v=spf1 a:example.org -all", set()),
        ("v=spf1 mx -all", {"192.0.2.129"}),
        ("v=spf1 mx:example.org -all", {"192.0.2.140"}),
        ("v=spf1 mx mx:example.org -all", {"192.0.2.129", "192.0.2.140"}),
        ("v=spf1 mx/30 mx:example.org/30 -all", {"192.0.2.129", "192.0.2.140"}),
        ("v=spf1 ptr -all", {"192.0.2.10", "192.0.2.65", "192.0.2.129"}),
        ("v=spf1 ip4:192.0.2.128/28 -all", {"192.0.2.129", "192.0.2.140"}),
        ("v=spf1 exists:%{ir}.list.example -all", {"192.0.2.65"}),
    ],
)
def test_the_examples_of_appendix_a(text: str, passing: set[str]) -> None:
    zone = Zone(EXAMPLE + f'example.com TXT "{text}"\n65.2.0.192.list.example A 127.0.0.2\n')
    for ip in ("192.0.2.10", "192.0.2.65", "192.0.2.129", "192.0.2.140", "10.0.0.4"):
        assert check(zone, ip).result == ("pass" if ip in passing else "fail"), ip


@pytest.mark.rfc(7208, "5.3", "5.4", "5.5", "5.6", "5.7")
@pytest.mark.parametrize(
    ("text", "ip", "result"),
    [
        ("v=spf1 a:six.example -all", "2001:db8::1", "pass"),
        ("v=spf1 a:six.example//64 -all", "2001:db8::ffff", "pass"),
        ("v=spf1 a:six.example//64 -all", "2001:db8:0:1::1", "fail"),
        ("v=spf1 a:six.example/0 -all", "2001:db8::2", "fail"),
        ("v=spf1 a:four.example/24 -all", "::ffff:192.0.2.99", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "::ffff:192.0.2.99", "pass"),
        ("v=spf1 ip6:::ffff:192.0.2.0/120 -all", "192.0.2.99", "fail"),
        ("v=spf1 ip6:2001:db8::/127 -all", "2001:db8::1", "pass"),
        ("v=spf1 ip6:2001:db8::/0 -all", "2002::", "pass"),
        ("v=spf1 mx:six.example -all", "2001:db8::1", "pass"),
        ("v=spf1 exists:four.example -all", "2001:db8::1", "pass"),
        ("v=spf1 ptr:six.example -all", "2001:db8::1", "pass"),
        ("v=spf1 ptr:ix.example -all", "2001:db8::1", "fail"),
        ("v=spf1 mx:null.example -all", "192.0.2.1", "fail"),
        ("v=spf1 a:six.example -all", "2001:db8::1%eth0", "pass"),
    ],
)
def test_addresses_of_both_kinds(text: str, ip: str, result: str) -> None:
    zone = record(
        text,
        "six.example AAAA 2001:db8::1",
        "six.example MX 1 six.example",
        "four.example A 192.0.2.1",
        "2001:db8::1 PTR Six.Example",
        "null.example MX 0 .",
    )
    assert check(zone, ip).result == result


PROVIDERS = (
    "a.example TXT 'v=spf1 include:b.example ?all'",
    "b.example TXT 'v=spf1 ip4:192.0.2.0/30 -all'",
    "silent.example TROUBLE",
    "forged.example BOGUS",
    "wrong.example TXT 'v=spf1 moo'",
    "two.example TXT 'v=spf1'",
    "two.example TXT 'v=spf1 -all'",
    "plain.example TXT 'hello'",
)


@pytest.mark.rfc(7208, "4.3", "4.4", "4.5", "4.6", "4.7", "5.2", "6.1")
@pytest.mark.parametrize(
    ("text", "result", "mechanism", "reason"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "pass", "ip4:192.0.2.0/24",
         "192.0.2.1 matches ip4:192.0.2.0/24 of example.com"),
        ("v=spf1 ip4:192.0.3.0/24 ~all", "softfail", "all", "192.0.2.1 matches ~all of example.com"),
        ("v=spf1 ?all", "neutral", "all", "192.0.2.1 matches ?all of example.com"),
        ("v=spf1 ip4:192.0.3.0", "neutral", "default", "nothing in the record of example.com matches 192.0.2.1"),
        ("v=spf1 include:a.example -all", "pass", "include:a.example",
         "192.0.2.1 matches include:a.example of example.com, by include:b.example of a.example, by"
         " ip4:192.0.2.0/30 of b.example"),
        ("v=spf1 -include:b.example", "fail", "include:b.example",
         "192.0.2.1 matches -include:b.example of example.com, by ip4:192.0.2.0/30 of b.example"),
        ("v=spf1 redirect=b.example", "pass", "ip4:192.0.2.0/30",
         "192.0.2.1 matches ip4:192.0.2.0/30 of b.example, by redirect=b.example of example.com"),
        ("v=spf1 include:silent.example", "temperror", "",
         "the record of silent.example cannot be had: silent.example: trouble"),
        ("v=spf1 a:forged.example", "temperror", "", "forged.example: bogus"),
        ("v=spf1 mx:silent.example", "temperror", "", "silent.example: trouble"),
        ("v=spf1 exists:silent.example", "temperror", "", "silent.example: trouble"),
        ("v=spf1 include:wrong.example", "permerror", "",
         "the record of wrong.example is wrong: 'moo' is no mechanism"),
        ("v=spf1 include:two.example", "permerror", "", "two.example has 2 SPF records"),
        ("v=spf1 include:plain.example", "permerror", "",
         "include:plain.example of example.com leads nowhere: plain.example has no SPF record"),
        ("v=spf1 include:no.example", "permerror", "",
         "include:no.example of example.com leads nowhere: no.example does not exist"),
        ("v=spf1 redirect=no.example", "permerror", "",
         "redirect=no.example of example.com leads nowhere: no.example does not exist"),
        ("v=spf1 redirect=%{h}", "permerror", "", "redirect=%{h} of example.com leads to no domain"),
        ("v=spf1 include:%{h}", "permerror", "", "include:%{h} of example.com leads to no domain"),
        ("v=spf1 a:%{h} -all", "fail", "all", "192.0.2.1 matches -all of example.com"),
    ],
)  # fmt: skip
def test_every_result_says_why(text: str, result: str, mechanism: str, reason: str) -> None:
    found = check(record(text, *PROVIDERS), helo="a..b")
    assert found == SpfResult(
        result,
        reason,
        "example.com",
        mechanism=mechanism,  # type: ignore[arg-type]  # a parameter of the test
        is_personal="%{h}" in text,
    )


@pytest.mark.rfc(7208, "2.3", "2.4", "4.3")
def test_whose_name_is_checked() -> None:
    zone = Zone(
        "mail.example.net TXT 'v=spf1 ip4:192.0.2.1 -all exp=why.example'\nwhy.example TXT '%{s} %{h}'"
    )
    assert check(zone, sender="").result == "pass"
    refused = check(zone, "192.0.2.2", sender="", helo="Mail.Example.NET")
    assert refused[:3] == ("fail", "192.0.2.2 matches -all of mail.example.net", "mail.example.net")
    assert refused.explanation == "postmaster@Mail.Example.NET Mail.Example.NET"
    assert (
        check(zone, "192.0.2.2", sender="@mail.example.net").explanation
        == "postmaster@mail.example.net mail.example.net"
    )
    for helo, result in (
        ("mail.example.net", "pass"),
        ("localhost", "none"),
        ("[192.0.2.1]", "none"),
    ):
        found = asyncio.run(
            check_helo(zone, ip_address("192.0.2.1"), helo, limits=LIMITS, receiver="", now=0)
        )
        assert (found.result, found.identity) == (result, "helo")


@pytest.mark.rfc(8616, "4")
def test_senders_in_other_letters() -> None:
    zone = Zone(
        "xn--bcher-kva.example TXT 'v=spf1 exists:%{l}.x.example include:%{s}.x.example"
        " ip4:192.0.2.1 -all exp=e.example'\n"
        "e.example TXT '%{o} %{l}'\n"
    )
    assert check(zone, sender="\u00fcser@b\u00fccher.example").result == "pass"
    refused = check(zone, "192.0.2.2", sender="\u00fcser@b\u00fccher.example")
    assert (refused.result, refused.domain, refused.explanation) == (
        "fail",
        "xn--bcher-kva.example",
        "",
    )


@pytest.mark.rfc(7208, "6.2", "8.4")
@pytest.mark.parametrize(
    ("explanation", "shown"),
    [
        ("'%{c} is not one of ours, says %{d} to %{r} at %{t}'",
         "192.0.2.1 is not one of ours, says example.com to mx.receiver.example at 1700000000"),
        ("'one' ' and two'", "one and two"),
        ("'100% wrong'", ""),
        ("'\u00fc'", ""),
        ("'%{x}'", ""),
        ("'" + "x" * 1_000 + "'", "x" * 400),
        ("'" + "x" * 10_000 + "'", ""),
        ("'" + "%{s}" * 2_000 + "'", ("user@example.com" * 30)[:400]),
    ],
)  # fmt: skip
def test_explanations(explanation: str, shown: str) -> None:
    zone = record("v=spf1 -all exp=why.example", f"why.example TXT {explanation}")
    assert check(zone).explanation == shown


@pytest.mark.rfc(7208, "6.2")
def test_whose_explanation_counts() -> None:
    more = (
        "own.example TXT own", "theirs.example TXT theirs", "several.example TXT a", "several.example TXT b",
        "in.example TXT 'v=spf1 -all exp=theirs.example'", "slow.example TROUBLE",
    )  # fmt: skip
    for text, explanation in [
        ("v=spf1 include:in.example -all exp=own.example", "own"),
        ("v=spf1 redirect=in.example exp=own.example", "theirs"),
        ("v=spf1 -all exp=several.example", ""),
        ("v=spf1 -all exp=none.example", ""),
        ("v=spf1 -all exp=slow.example", ""),
        ("v=spf1 ~all exp=own.example", ""),
        ("v=spf1 -all", ""),
    ]:
        assert check(record(text, *more)).explanation == explanation, text


@pytest.mark.rfc(7208, "4.6.4")
@pytest.mark.parametrize(
    ("text", "result"),
    [
        (" ".join(f"include:i{n}.example" for n in range(10)) + " +all", "pass"),
        (" ".join(f"include:i{n}.example" for n in range(11)) + " +all", "permerror"),
        (" ".join(f"include:i{n}.example" for n in range(10)) + " redirect=b.example", "permerror"),
        (" ".join(["a:host.example"] * 10) + " +all", "pass"),
        (" ".join(["ptr:host.example"] * 11) + " +all", "permerror"),
        (" ".join(["ip4:192.0.3.1"] * 300) + " +all", "pass"),
        ("include:example.com +all", "permerror"),
        ("redirect=example.com", "permerror"),
        ("a:v1.example mx:v2.example +all", "pass"),
        ("a:v1.example exists:v2.example mx:v3.example +all", "permerror"),
        ("a:v1.example a:v2.example mx:hollow.example +all", "pass"),
        ("mx:ten.example +all", "pass"),
        ("mx:eleven.example +all", "permerror"),
        ("exp=v1.example exists:v1.example exists:v2.example -all", "fail"),
        (" ".join(["a:%{p}.example"] * 9) + " +all", "pass"),
        (" ".join(["a:%{p}.example"] * 10) + " +all", "permerror"),
        (" ".join(["a:host.example"] * 10) + " -all exp=%{p}.example", "fail"),
    ],
)
def test_what_a_record_may_ask(text: str, result: str) -> None:
    zone = record(
        f"v=spf1 {text}",
        *(f"i{n}.example TXT 'v=spf1 ip4:192.0.3.1'" for n in range(12)),
        "b.example TXT 'v=spf1 -all'",
        "host.example A 192.0.3.1",
        "unknown.example A 192.0.3.1",
        "hollow.example MX 1 v1.example",
        *(f"ten.example MX 1 m{n}.example" for n in range(10)),
        *(f"eleven.example MX 1 m{n}.example" for n in range(11)),
    )
    assert check(zone).result == result
    assert zone.asked.total() <= 25


@pytest.mark.rfc(7208, "4.6.4", "5.5", "7.3")
def test_so_many_names_of_a_client_and_no_more() -> None:
    lines = [f"192.0.2.1 PTR n{n}.example.com" for n in range(20)]
    last = record("v=spf1 ptr -all", *lines, "n10.example.com A 192.0.2.1")
    assert check(last).result == "fail"
    tenth = record(
        "v=spf1 ptr ptr -all", *lines, "n9.example.com A 192.0.2.1", "n1.example.com TROUBLE"
    )
    assert check(tenth).result == "pass"
    assert tenth.asked["PTR", "1.2.0.192.in-addr.arpa"] == 1


@pytest.mark.rfc(7208, "7.3")
@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["other.example", "sub.example.com", "example.com"], "example.com"),
        (["other.example", "Sub.Example.com"], "sub.example.com"),
        (["other.example"], "other.example"),
        (["forged.example"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_name_of_a_client_in_macros(names: list[str], best: str) -> None:
    zone = record("v=spf1 -all exp=why.example", "why.example TXT %{p}")
    for name in names:
        zone.add(f"192.0.2.1 PTR {name}")
        zone.add(f"{name} A {'192.0.2.9' if name.startswith('forged') else '192.0.2.1'}")
    assert check(zone).explanation == best


def test_limits_are_those_of_the_configuration() -> None:
    text = "v=spf1 a:x.example a:x.example a:y.example a:z.example +all"
    zone = record(text, "x.example A 192.0.3.1")
    assert check(zone, limits=SpfLimits(lookups=3, voids=5)).result == "permerror"
    assert check(zone, limits=SpfLimits(voids=1)).result == "permerror"
    assert check(zone, limits=SpfLimits(voids=5)).result == "pass"
    assert check(zone, limits=SpfLimits(record_size=len(text) - 1)).reason.endswith("is too long")


@pytest.mark.parametrize("depth", [30, 2_000])
def test_a_deep_chain_ends_whatever_the_limits_are(depth: int) -> None:
    zone = Zone(
        "\n".join(f"d{n}.example TXT 'v=spf1 include:d{n + 1}.example'" for n in range(depth))
    )
    result = check(zone, sender="a@d0.example", limits=SpfLimits(lookups=10_000))
    assert result.result == "permerror"


@pytest.mark.parametrize(
    "text",
    ["%{s}" * 2_000, "%{l1r+-}." * 800, "%{S}%{H}" * 1_000, "%{p}." * 1_600],
)
def test_macros_that_grow(text: str) -> None:
    """Records of 8 kB that ten terms expand to as much as they can, with the longest sender."""
    zone = record(
        f"v=spf1 {' '.join([f'exists:{text[:780]}.x.example'] * 10)} -all",
        "192.0.2.1 PTR n.example",
    )
    sender = f"{'-+' * 32}@{'.'.join(['a' * 60] * 3)}.example"
    domain = sender.partition("@")[2]
    zone.add(f"{domain} TXT 'v=spf1 redirect=example.com'")
    start = time.thread_time()
    result = check(zone, sender=sender, helo="%" * 250, limits=SpfLimits(voids=100))
    assert time.thread_time() - start < 2
    assert result.result in ("fail", "permerror")


@given(
    st.lists(
        RECORDS.map(str) | st.text("v=spf1 :/%{}dlsmxaip.-+", max_size=60), min_size=3, max_size=3
    ),
    st.sampled_from(["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0"]),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_whatever_a_record_says_it_ends(texts: list[str], ip: str, local: str, helo: str) -> None:
    zone = Zone("192.0.2.1 PTR a.example\na.example MX 1 b.example\nb.example A 192.0.2.1\n")
    zone._records["a.example"]["TXT"] = [[texts[0]]]
    zone._records["b.example"]["TXT"] = [[texts[1]]]
    zone._records["x.example"]["TXT"] = [
        ["v=spf1 include:a.example redirect=b.example exp=e.x.example"]
    ]
    zone._records["e.x.example"]["TXT"] = [[texts[2]]]
    for sender in (f"{local}@x.example", f"a@{local}", ""):
        result = check(zone, ip, sender, helo)
        assert result.reason.isascii()
        assert result.reason.isprintable()
        assert result.explanation.isascii()
    assert zone.asked.total() <= 3 * (10 * 11 + 13)


def test_a_reason_cannot_break_lines() -> None:
    zone = record("v=spf1 include:%{l}.example -all")
    result = check(zone, sender='"a\r\nB: \u00fc"@example.com')
    assert result.reason.isascii()
    assert result.reason.isprintable()
    assert len(result.reason) <= 500
    assert check(zone, sender=f"{'x' * 5_000}@example.com").result == "permerror"
    assert check(Zone(), sender=f"a@{'x.' * 5_000}\x1b").reason.isprintable()
