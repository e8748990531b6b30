"""The DNS of the engines' tests behaves as the DNS does."""

import asyncio
from ipaddress import ip_address

import pytest

from mailauth.zone import Zone
from mailserver.mailauth.resolver import (
    Bogus,
    LookupFailed,
    Mx,
    NoData,
    NoSuchDomain,
    Resolver,
    Trouble,
)

ZONE = """
    example.org       MX   20 second.example.org.
    example.org       MX   10 first.example.org
    example.org       TXT  "v=spf1 " "mx -all"      # two strings, one record
    www.example.org   CNAME first.example.org
    first.example.org A    192.0.2.1
    192.0.2.1         PTR  first.example.org
    a.loop.example    CNAME b.loop.example
    b.loop.example    CNAME a.loop.example
    slow.example      TROUBLE
    forged.example    BOGUS
"""


def _ask(zone: Resolver, kind: str, name: str) -> object:
    found = asyncio.run(getattr(zone, kind)(name))
    return found.values, found.is_authentic


def test_answers() -> None:
    zone = Zone(ZONE, signed={"example.org"})
    assert _ask(zone, "mx", "Example.org") == (
        (Mx(10, "first.example.org"), Mx(20, "second.example.org")),
        True,
    )
    assert _ask(zone, "txt", "example.org") == ((b"v=spf1 mx -all",), True)
    assert _ask(zone, "a", "www.example.org") == ((ip_address("192.0.2.1"),), True)
    assert asyncio.run(zone.ptr(ip_address("192.0.2.1"))).values == ("first.example.org",)
    assert zone.asked["MX", "example.org"] == 1


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nowhere.example", NoSuchDomain),
        ("loop.example", NoData),
        ("first.example.org", NoData),
        ("a.loop.example", Trouble),
        ("slow.example", Trouble),
        ("forged.example", Bogus),
    ],
)
def test_no_answers(name: str, error: type[LookupFailed]) -> None:
    with pytest.raises(LookupFailed) as failed:
        asyncio.run(Zone(ZONE).txt(name))
    assert type(failed.value) is error
