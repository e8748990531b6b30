"""iprev: names that lead back, and those that do not."""

import asyncio
from ipaddress import ip_address

import pytest

from mailauth.zone import Zone
from mailserver.mailauth.iprev import IprevResult, iprev

ZONE = """
192.0.2.1 PTR Mail.Example.Org
mail.example.org A 192.0.2.1
192.0.2.2 PTR mail.example.org
192.0.2.3 PTR nowhere.example.org
192.0.2.4 PTR slow.example.org
192.0.2.4 PTR nowhere.example.org
slow.example.org TROUBLE
192.0.2.5 PTR slow.example.org
192.0.2.5 PTR five.example.org
five.example.org A 192.0.2.5
6.2.0.192.in-addr.arpa TROUBLE
2001:db8::1 PTR six.example.org
six.example.org AAAA 2001:db8::1
six.example.org A 192.0.2.1
2001:db8::2 PTR mail.example.org
"""


@pytest.mark.rfc(8601, "2.7.3", "3")
@pytest.mark.parametrize(
    ("ip", "result", "reason", "name"),
    [
        ("192.0.2.1", "pass", "192.0.2.1 is mail.example.org", "mail.example.org"),
        ("::ffff:192.0.2.1", "pass", "192.0.2.1 is mail.example.org", "mail.example.org"),
        ("192.0.2.2", "fail", "192.0.2.2 calls itself mail.example.org, which does not lead back to it", ""),
        ("192.0.2.3", "fail", "192.0.2.3 calls itself nowhere.example.org, which does not lead back to it", ""),
        ("192.0.2.4", "temperror", "the names of 192.0.2.4 cannot be checked: slow.example.org: trouble", ""),
        ("192.0.2.5", "pass", "192.0.2.5 is five.example.org", "five.example.org"),
        ("192.0.2.6", "temperror",
         "the names of 192.0.2.6 cannot be had: 6.2.0.192.in-addr.arpa: trouble", ""),
        ("192.0.2.7", "permerror", "192.0.2.7 has no name", ""),
        ("2001:db8::1", "pass", "2001:db8::1 is six.example.org", "six.example.org"),
        ("2001:db8::1%eth0", "pass", "2001:db8::1 is six.example.org", "six.example.org"),
        ("2001:db8::2", "fail", "2001:db8::2 calls itself mail.example.org, which does not lead back to it", ""),
    ],
)  # fmt: skip
def test_names(ip: str, result: str, reason: str, name: str) -> None:
    assert asyncio.run(iprev(Zone(ZONE), ip_address(ip))) == IprevResult(result, reason, name)  # type: ignore[arg-type]  # a parameter


@pytest.mark.rfc(8601, "3")
def test_so_many_names_and_no_more() -> None:
    zone = Zone("".join(f"192.0.2.1 PTR n{n}.example.org\n" for n in range(100)))
    zone.add("n10.example.org A 192.0.2.1")
    found = asyncio.run(iprev(zone, ip_address("192.0.2.1")))
    assert (found.result, zone.asked.total()) == ("fail", 11)
    assert len(found.reason) < 500
