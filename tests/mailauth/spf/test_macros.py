"""Macros: the examples of the RFC, and what is cut to fit."""

from ipaddress import ip_address

import pytest

from mailserver.base.errors import PeerError
from mailserver.mailauth.spf.client import client_of
from mailserver.mailauth.spf.macros import parse
from mailserver.mailauth.spf.names import a_labels, fitting, is_domain, is_name

VALUES = {
    "s": "strong-bad@email.example.com",
    "l": "strong-bad",
    "o": "email.example.com",
    "d": "email.example.com",
    "i": "192.0.2.3",
    "h": "mx.example.org",
    "v": "in-addr",
    "p": "mx.example.org",
    "c": "192.0.2.3",
    "r": "receiver.example",
    "t": "1700000000",
}


@pytest.mark.rfc(7208, "7.4")
@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%%%_%-", "% %20"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%{d999999999999999999999}", "email.example.com"),
        ("%{d0002}", "example.com"),
    ],
)
def test_the_examples_of_the_rfc(text: str, expanded: str) -> None:
    assert parse(text).expand(VALUES) == expanded


@pytest.mark.rfc(7208, "7.2")
def test_what_only_explanations_know() -> None:
    text = parse("%{c} is not allowed: %{t}, says %{r}", is_explanation=True)
    assert text.expand(VALUES) == "192.0.2.3 is not allowed: 1700000000, says receiver.example"
    for part in ("%{c}", "%{t}", "%{r}", "a b"):
        with pytest.raises(PeerError):
            parse(part)


@pytest.mark.rfc(7208, "7.3")
def test_long_names_lose_labels_on_the_left() -> None:
    assert fitting("a.example") == "a.example"
    long = ".".join(["label"] * 50)
    assert fitting(long) == ".".join(["label"] * 42)
    assert len(fitting(f"{'x' * 60}.{'y' * 193}")) == 193
    assert fitting(f"x.{'y' * 253}") == "y" * 253
    assert not is_name(fitting("x" * 300))


@pytest.mark.rfc(7208, "4.3")
@pytest.mark.parametrize(
    ("name", "is_one"),
    [("example.org", True), ("a_b.example", True), ("x.1a", True), ("org", False), ("", False), (".org", False),
     ("a..org", False), (f"{'x' * 63}.org", True), (f"{'x' * 64}.org", False), ("192.0.2.1", False),
     ("[192.0.2.1]", False), ("[IPv6:2001:db8::1]", False), ("\u00fc.example", False), ("a" + ".a" * 127, False)],
)  # fmt: skip
def test_domains(name: str, is_one: bool) -> None:
    assert is_domain(name) == is_one


@pytest.mark.rfc(8616, "4")
def test_other_letters() -> None:
    assert a_labels("B\u00dcCHER.Example.") == "xn--bcher-kva.example"
    assert a_labels("Example.ORG") == "example.org"
    assert a_labels("\u00fc" * 70 + ".example") == ""
    assert a_labels("\ud800.example") == ""


@pytest.mark.rfc(7208, "7.3", "7.4")
def test_addresses_in_macros() -> None:
    def expanded(text: str, address: str) -> str:
        client = client_of(ip_address(address), "strong-bad@email.example.com", "x", "", 0)
        return parse(text, is_explanation=True).expand({**client.values, "d": "email.example.com"})

    name, zeros = "%{ir}.%{v}._spf.%{d2}", ".".join(["0"] * 20)
    assert (
        expanded(name, "2001:db8::cb01") == f"1.0.b.c.{zeros}.8.b.d.0.1.0.0.2.ip6._spf.example.com"
    )
    assert expanded(name, "::ffff:192.0.2.3") == "3.2.0.192.in-addr._spf.example.com"
    assert expanded("%{c} %{C}", "2001:db8::cb01") == "2001:db8::cb01 2001%3Adb8%3A%3Acb01"
    assert expanded("%{r}", "192.0.2.3") == "unknown"


@pytest.mark.rfc(7208, "7.3")
@pytest.mark.parametrize(
    ("text", "value", "expanded"),
    [("%{l-}", "-a--b-", ".a..b."), ("%{l2r-+}", "a-b+c", "b.a"), ("%{l1/}", "a.b/c.d", "c.d"),
     ("%{l9=}", "a=b", "a.b")],
)  # fmt: skip
def test_delimiters_one_after_the_other(text: str, value: str, expanded: str) -> None:
    """Each separates, empty parts stay."""
    assert parse(text).expand({"l": value}) == expanded
