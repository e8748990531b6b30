"""Questions about a client, in the time they may take."""

import asyncio
from collections.abc import Callable, Coroutine
from ipaddress import IPv4Address, ip_address
from typing import Any, TypeVar

import pytest

from mailauth.zone import Zone
from mailserver.base.limits import SpfLimits
from mailserver.mailauth.iprev import IprevResult
from mailserver.mailauth.resolver import Answer
from mailserver.mailauth.spf.result import SpfResult
from mailserver.net.client_checks import ClientChecks

IP = ip_address("192.0.2.1")
ZONE = """
example.org TXT "v=spf1 a:mail.example.org -all exp=why.example.org"
why.example.org TXT "says %{r}"
mail.example.org A 192.0.2.1
mail.example.org TXT "v=spf1 a -all"
192.0.2.1 PTR mail.example.org
"""
T = TypeVar("T")


class Slow(Zone):
    """Addresses take a second."""

    async def a(self, name: str) -> Answer[IPv4Address]:
        await asyncio.sleep(1)
        return await super().a(name)


def ask(zone: Zone, question: Callable[[ClientChecks], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(question(ClientChecks(zone, SpfLimits(total_s=0.05), "mx.example.net")))


def test_answers() -> None:
    zone = Zone(ZONE)
    sent = ask(zone, lambda c: c.sender(IP, "a@example.org", "mail.example.org", 0))
    assert (sent.result, sent.domain, sent.identity) == ("pass", "example.org", "mailfrom")
    notice = ask(zone, lambda c: c.sender(IP, "", "mail.example.org", 0))
    assert (notice.result, notice.domain, notice.identity) == (
        "pass",
        "mail.example.org",
        "mailfrom",
    )
    helo = ask(zone, lambda c: c.helo(IP, "mail.example.org", 0))
    assert (helo.result, helo.domain, helo.identity) == ("pass", "mail.example.org", "helo")
    other = ask(zone, lambda c: c.sender(ip_address("192.0.2.2"), "a@example.org", "x", 0))
    assert (other.result, other.explanation) == ("fail", "says mx.example.net")
    assert ask(zone, lambda c: c.iprev(IP)).name == "mail.example.org"


@pytest.mark.rfc(7208, "4.6.4")
@pytest.mark.rfc(8601, "2.7.3")
def test_time_is_over() -> None:
    zone, late = Slow(ZONE), "the DNS took more than 0.05 s"
    assert ask(zone, lambda c: c.sender(IP, "a@Example.org", "x", 0)) == SpfResult(
        "temperror", late, "example.org"
    )
    assert ask(zone, lambda c: c.sender(IP, "", "mail.example.org", 0)).domain == "mail.example.org"
    assert ask(zone, lambda c: c.helo(IP, "mail.example.org", 0)) == SpfResult(
        "temperror", late, "mail.example.org", identity="helo"
    )
    assert ask(zone, lambda c: c.iprev(IP)) == IprevResult("temperror", late)
