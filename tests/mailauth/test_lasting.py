"""How long answers hold together."""

import asyncio
import math

import pytest

from mailauth.zone import NEGATIVE_S, TTL_S, Zone
from mailserver.mailauth.lasting import Lasting
from mailserver.mailauth.resolver import NoData, NoSuchDomain, Trouble

ZONE = """
one.example   TXT "v=spf1 -all"
one.example   A 192.0.2.1
slow.example  TROUBLE
"""


def lasting(at: float = 1_000.0) -> Lasting:
    return Lasting(Zone(ZONE), lambda: at)


def test_what_asks_nothing_holds_for_good() -> None:
    assert lasting().until == math.inf


@pytest.mark.rfc(1035, "3.2.1")
def test_an_answer_holds_for_its_time_to_live() -> None:
    resolver = lasting()
    assert asyncio.run(resolver.txt("one.example")).values == (b"v=spf1 -all",)
    assert resolver.until == 1_000 + TTL_S


@pytest.mark.rfc(2308, "5")
def test_the_shortest_lived_one_counts_and_absence_is_an_answer() -> None:
    resolver = lasting()
    asyncio.run(resolver.a("one.example"))
    with pytest.raises(NoData):
        asyncio.run(resolver.mx("one.example"))
    assert resolver.until == 1_000 + NEGATIVE_S
    with pytest.raises(NoSuchDomain):
        asyncio.run(resolver.aaaa("two.example"))
    asyncio.run(resolver.a("one.example"))
    assert resolver.until == 1_000 + NEGATIVE_S


def test_trouble_holds_for_no_time() -> None:
    resolver = lasting()
    with pytest.raises(Trouble):
        asyncio.run(resolver.txt("slow.example"))
    assert resolver.until == 1_000


def test_the_time_runs_from_the_answer_on() -> None:
    now = [1_000.0]
    resolver = Lasting(Zone(ZONE), lambda: now[0])
    asyncio.run(resolver.txt("one.example"))
    now[0] = 1_200.0
    asyncio.run(resolver.a("one.example"))
    assert resolver.until == 1_000 + TTL_S
