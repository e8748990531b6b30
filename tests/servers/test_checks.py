"""Checks are made once while the answers hold, and not a moment longer."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeVar

import pytest

from mailauth.dkim.signing import RSA, record
from mailauth.zone import NEGATIVE_S, TTL_S, Zone
from mailserver.base.limits import AuthenticationLimits, Limits
from mailserver.mailauth.dkim.outcome import Problem
from mailserver.mailauth.dkim.record import PublicRecord
from mailserver.mailauth.resolver import Resolver
from mailserver.servers.begun import Begun
from mailserver.servers.checks import Checks, Remembered

T = TypeVar("T")
HERE, THERE = IPv4Address("192.0.2.1"), IPv4Address("203.0.113.9")

RECORDS = """
192.0.2.1             PTR  host.example
host.example          A    192.0.2.1
bank.example          TXT  "v=spf1 ip4:192.0.2.1 -all"
own.example           TXT  "v=spf1 exists:%{l}.users.example -all"
named.example         TXT  "v=spf1 exists:%{h}.hosts.example -all"
domain.example        TXT  "v=spf1 exists:%{o}.ok.example -all"
tells.example         TXT  "v=spf1 -all exp=why.example"
why.example           TXT  "not you, %{s}"
a.users.example       A    127.0.0.2
host.example.hosts.example A 127.0.0.2
domain.example.ok.example  A 127.0.0.2
slow.example          TROUBLE
_dmarc.bank.example   TXT  "v=DMARC1; p=reject"
_dmarc.slow.example   TROUBLE
"""


class Watched:
    """Checks of a zone; `later_s` is how far their clock has been put forward."""

    def __init__(self, most: int = 100) -> None:
        self.later_s = 0.0
        self.zone = Zone(RECORDS)
        self.zone.add(record(replace(RSA, domain="bank.example")))
        limits = replace(Limits(), authentication=AuthenticationLimits(remembered=most))
        self.checks = Checks(
            self.zone, limits, "mx.example.org", lambda: 1_700_000_000.0, self.clock
        )

    def clock(self) -> float:
        return 1_000_000 + self.later_s

    def run(self, act: Callable[[], Begun[T]]) -> tuple[T, int]:
        """What *act* finds, and how many questions that took."""
        before = self.zone.asked.total()

        async def main() -> T:
            begun = act()
            assert begun.done()
            return begun.result()

        return asyncio.run(main()), self.zone.asked.total() - before


def spf(watched: Watched, sender: str, helo: str = "host.example") -> tuple[str, int]:
    found, asked = watched.run(lambda: watched.checks.sender(HERE, sender, helo))
    return found.result, asked


def test_spf_of_a_domain_is_the_same_for_all_its_senders_from_one_host() -> None:
    watched = Watched()
    assert spf(watched, "a@bank.example") == ("pass", 1)
    assert spf(watched, "b@bank.example") == ("pass", 0)
    assert spf(watched, "b@bank.example", "other.example") == ("pass", 0)
    other, asked = watched.run(lambda: watched.checks.sender(THERE, "a@bank.example", "x.example"))
    assert (other.result, asked) == ("fail", 1)


@pytest.mark.rfc(7208, "7.2")
def test_what_rests_on_the_local_part_or_the_name_is_asked_each_time() -> None:
    watched = Watched()
    assert spf(watched, "a@own.example") == ("pass", 2)
    assert spf(watched, "b@own.example") == ("fail", 2)
    assert spf(watched, "a@named.example") == ("pass", 2)
    assert spf(watched, "a@named.example", "liar.example") == ("fail", 2)
    assert spf(watched, "ü@own.example")[0] == "fail"  # RFC 8616 §4: it cannot match
    assert spf(watched, "a@own.example") == ("pass", 2)


@pytest.mark.rfc(7208, "6.2")
def test_an_explanation_that_names_the_sender_is_his_own() -> None:
    watched = Watched()
    for sender in ("a@tells.example", "b@tells.example"):
        found, _ = watched.run(lambda to=sender: watched.checks.sender(HERE, to, "host.example"))  # type: ignore[misc]  # a default for the loop's value
        assert found.explanation == f"not you, {sender}"


def test_macros_of_the_domain_are_everybodys() -> None:
    watched = Watched()
    assert spf(watched, "a@domain.example") == ("pass", 2)
    assert spf(watched, "b@domain.example") == ("pass", 0)


@pytest.mark.rfc(7208, "2.4")
def test_the_null_sender_is_the_names() -> None:
    watched = Watched()
    assert spf(watched, "", "bank.example") == ("pass", 1)
    assert spf(watched, "a@bank.example", "bank.example") == ("pass", 0)
    found, asked = watched.run(lambda: watched.checks.helo(HERE, "bank.example"))
    assert (found.identity, asked) == ("helo", 1)


def test_results_end_with_the_answers() -> None:
    watched = Watched()
    assert spf(watched, "a@bank.example") == ("pass", 1)
    watched.later_s = TTL_S - 1
    assert spf(watched, "a@bank.example") == ("pass", 0)
    watched.later_s = TTL_S
    assert spf(watched, "a@bank.example") == ("pass", 1)


def test_absence_ends_sooner() -> None:
    watched = Watched()
    found, asked = watched.run(lambda: watched.checks.policy("nowhere.test"))
    assert found.record is None
    assert asked == 2
    watched.later_s = NEGATIVE_S - 1
    assert watched.run(lambda: watched.checks.policy("nowhere.test"))[1] == 0
    watched.later_s = NEGATIVE_S
    assert watched.run(lambda: watched.checks.policy("nowhere.test"))[1] == 2


def test_trouble_is_not_remembered() -> None:
    watched = Watched()
    for _ in range(2):
        assert spf(watched, "a@slow.example") == ("temperror", 1)
        found, asked = watched.run(lambda: watched.checks.policy("slow.example"))
        assert found.is_temporary
        assert asked == 1
        key, asked = watched.run(lambda: watched.checks.key("slow.example"))
        assert isinstance(key, Problem)
        assert asked == 1


def test_keys_policies_and_names_are_remembered() -> None:
    watched = Watched()
    name = f"{RSA.selector}._domainkey.bank.example"
    key, asked = watched.run(lambda: watched.checks.key(name))
    assert isinstance(key, PublicRecord)
    assert asked == 1
    again, asked = watched.run(lambda: watched.checks.key(name))
    assert again is key
    assert asked == 0
    policy, asked = watched.run(lambda: watched.checks.policy("bank.example"))
    assert (policy.wish, asked) == ("reject", 2)
    assert watched.run(lambda: watched.checks.policy("bank.example")) == (policy, 0)
    iprev, asked = watched.run(lambda: watched.checks.iprev(HERE))
    assert (iprev.result, asked) == ("pass", 2)
    assert watched.run(lambda: watched.checks.iprev(HERE)) == (iprev, 0)
    theirs = ["news.bank.example"]
    found, asked = watched.run(lambda: watched.checks.organizations(policy, theirs))
    assert (found, asked) == ({"news.bank.example": "bank.example"}, 3)
    assert watched.run(lambda: watched.checks.organizations(policy, theirs)) == (found, 0)


def test_addresses_of_both_kinds_are_told_apart() -> None:
    watched = Watched()
    six = ip_address("::c000:201")
    assert isinstance(six, IPv6Address)
    assert watched.run(lambda: watched.checks.iprev(HERE))[0].result == "pass"
    assert watched.run(lambda: watched.checks.iprev(six))[0].result == "permerror"


def test_nothing_is_remembered_where_nothing_shall_be() -> None:
    watched = Watched(0)
    assert spf(watched, "a@bank.example") == ("pass", 1)
    assert spf(watched, "a@bank.example") == ("pass", 1)


def test_memory_is_bounded_and_who_is_asked_for_stays() -> None:
    async def main() -> None:
        made: list[str] = []
        remembered = Remembered[str, str](Zone(), 3, lambda: 0.0)

        def check(name: str) -> Callable[[Resolver], Coroutine[Any, Any, str]]:
            async def find(resolver: Resolver) -> str:
                made.append(name)
                return name.upper()

            return find

        for name in "abcadbe":
            begun = remembered.known(name) or remembered.begin(name, check(name))
            assert begun.result() == name.upper()
        assert made == list("abcdbe")
        assert len(remembered) == 3

    asyncio.run(main())


def test_who_asks_while_it_is_asked_waits_too() -> None:
    async def main() -> None:
        go = asyncio.get_running_loop().create_future()
        remembered = Remembered[str, int](Zone(), 3, lambda: 0.0)

        async def find(resolver: Resolver) -> int:
            return int(await asyncio.shield(go))  # as `net/dns.py` waits

        begun = [remembered.begin("a", find) for _ in range(2)]
        assert not any(one.done() for one in begun)
        assert len(remembered) == 0
        go.set_result(7)
        for one in begun:
            assert isinstance(one, asyncio.Future)
            assert await one == 7
        assert len(remembered) == 1
        known = remembered.known("a")
        assert known is not None
        assert known.result() == 7

    asyncio.run(main())
