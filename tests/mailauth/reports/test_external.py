"""Reports go to others only where these want them."""

import asyncio

import pytest

from mailauth.zone import Zone
from mailserver.mailauth.reports.external import Undecided, permitted
from mailserver.mailauth.reports.uris import Destination, destinations
from mailserver.mailauth.resolver import Trouble


async def organization(domain: str) -> str:
    """The last two labels, for these tests."""
    if domain.startswith("slow."):
        raise Trouble("no answer")
    return ".".join(domain.split(".")[-2:])


def ask(zone: str, *uris: str, domain: str = "blue.example.com", tag: str = "rua") -> list[str]:
    found = asyncio.run(permitted(Zone(zone), domain, destinations(uris), organization, tag=tag))
    return [one.target for one in found]


OWN = "mailto:r@reports.example.com"
OTHER = "mailto:r@red.example.net"
NAME = "blue.example.com._report._dmarc.red.example.net"


@pytest.mark.rfc(9990, "4")
def test_within_an_organization_nobody_is_asked() -> None:
    zone = Zone("")
    found = asyncio.run(permitted(zone, "blue.example.com", destinations([OWN]), organization))
    assert [one.target for one in found] == ["r@reports.example.com"]
    assert not zone.asked


@pytest.mark.rfc(9990, "4")
@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (f'{NAME} TXT "v=DMARC1"', ["r@red.example.net"]),
        (f'{NAME} TXT "v=DMARC1;"', ["r@red.example.net"]),
        (f'{NAME} TXT "v=spf1 -all"\n{NAME} TXT "v = DMARC1 ; x=y"', ["r@red.example.net"]),
        ("", []),
        (f'{NAME} TXT "v=DMARC2"', []),
        (f'{NAME} TXT "rua=mailto:x@red.example.net; v=DMARC1"', []),
        (f'{NAME} TXT "v=DMARC1; rua=mailto:x@red.example.net"', ["x@red.example.net"]),
        (f'{NAME} TXT "v=DMARC1; rua=mailto:x@victim.example"', []),
        (f'{NAME} TXT "v=DMARC1; rua=nonsense"', []),
    ],
)
def test_others_say_so_in_the_dns(zone: str, expected: list[str]) -> None:
    assert ask(zone, OTHER) == expected


@pytest.mark.rfc(9990, "4")
def test_a_name_that_is_too_long_permits_nothing() -> None:
    domain = ".".join(["a" * 60] * 3 + ["example.com"])
    assert ask("", "mailto:r@" + ".".join(["b" * 60, "example.net"]), domain=domain) == []


def test_those_who_are_permitted_keep_their_order_and_come_once() -> None:
    zone = f'{NAME} TXT "v=DMARC1; rua=mailto:r@red.example.net"'
    found = ask(zone, OTHER, OWN, "mailto:another@red.example.net")
    assert found == ["r@red.example.net", "r@reports.example.com"]


def test_failure_reports_are_asked_for_by_their_own_tag() -> None:
    zone = f'{NAME} TXT "v=DMARC1; rua=mailto:x@victim.example; ruf=mailto:f@red.example.net"'
    assert ask(zone, OTHER, tag="ruf") == ["f@red.example.net"]


def test_trouble_is_no_answer() -> None:
    with pytest.raises(Undecided):
        ask(f"{NAME} TROUBLE", OTHER)
    with pytest.raises(Undecided):
        ask("", "mailto:r@slow.example.net")


def test_the_domain_itself_needs_no_permission() -> None:
    found = asyncio.run(
        permitted(
            Zone(""),
            "slow.example.com",
            [Destination("mailto", "r@slow.example.com", "slow.example.com")],
            lambda domain: asyncio.sleep(0, "x"),
        )
    )
    assert len(found) == 1
