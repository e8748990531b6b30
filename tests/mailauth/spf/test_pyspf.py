"""pyspf and we say the same of records made by chance.

Left out is what pyspf reads otherwise than the RFC: a modifier that nobody knows may stand there twice (§6), a sender
without a local part is a postmaster in %{s} too (§4.3), whoever includes himself is wrong only once that is reached
(§4.6.4), and a redirect counts only if it is followed (§6.1).  Aliases that go round are the resolver's business.
"""

import asyncio
import random  # noqa: TID251 - seeded
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from types import ModuleType
from typing import Any

import pytest

from mailauth.spf.suite_zone import SuiteZone
from mailserver.base.limits import SpfLimits
from mailserver.mailauth.spf.identity import check_sender
from outside import spf_suite

WORLDS = 600
MANY = 1_000  #: empty answers: pyspf counts each question, we count terms
HOSTS = [f"h{n}.example.org" for n in range(5)]
DOMAINS = [f"d{n}.example.com" for n in range(6)]
TARGETS = [
    *HOSTS,
    *DOMAINS,
    "no.example.net",
    "%{d}",
    "%{h}",
    "%{o}",
    "%{l}.%{d2}",
    "%{ir}.x.example.org",
    "%{p}",
]


def a_world(dice: random.Random) -> tuple[dict[str, list[Any]], str, str, str]:
    """Zone data as the suite has it; a client's address, its name, a sender."""
    zone: dict[str, list[Any]] = {}
    for host in HOSTS:
        zone[host] = dice.choices(
            [{"A": f"192.0.2.{dice.randrange(4)}"}, {"AAAA": f"2001:db8::{dice.randrange(4)}"}], k=2
        )
    for n in range(4):
        names = [
            {"PTR": name}
            for name in dice.sample([*HOSTS, DOMAINS[0], "no.example.net"], k=dice.randrange(3))
        ]
        if names:
            zone[f"{n}.2.0.192.in-addr.arpa"] = names
            zone[ip_address(f"2001:db8::{n}").reverse_pointer] = names
    for place, domain in enumerate(DOMAINS):
        entries: list[Any] = [{"TXT": _record(dice, domain)}]
        if dice.random() < 0.3:
            entries.append({"A": f"192.0.2.{dice.randrange(4)}"})
        if dice.random() < 0.3:
            entries += [{"MX": [n, host]} for n, host in enumerate(dice.sample(HOSTS, k=2))]
        if dice.random() < 0.1:
            entries.append({"TXT": dice.choice(["other", "v=spf1 -all"])})
        zone[domain] = entries
        if dice.random() < 0.06:
            later = DOMAINS[place + 1 :]
            zone[domain] = dice.choice(
                [["TIMEOUT"], [{"CNAME": dice.choice(later)}]] if later else [["TIMEOUT"]]
            )
    for n in range(4):
        if dice.random() < 0.5:
            zone[f"{n}.2.0.192.x.example.org"] = [{"A": "127.0.0.2"}]
    zone["why.example.net"] = [
        {"TXT": dice.choice(["%{s} at %{i}", "%{d} %{v} %{L}", "%{o2r}_%{h}"])}
    ]
    client = dice.choice(["192.0.2.", "2001:db8::"]) + str(dice.randrange(4))
    sender = dice.choice(["me@", "a-b.c@", ""])
    return zone, client, dice.choice(HOSTS), sender and sender + dice.choice(DOMAINS)


def _record(dice: random.Random, domain: str) -> str:
    terms = [_term(dice, domain) for _ in range(dice.randrange(5))]
    if dice.random() < 0.7:
        terms.append(f"{dice.choice('-~?+')}all")
    elif dice.random() < 0.7:
        terms.insert(dice.randrange(len(terms) + 1), f"redirect={dice.choice(DOMAINS)}")
    if dice.random() < 0.4:
        terms.insert(dice.randrange(len(terms) + 1), "exp=why.example.net")
    return " ".join(["v=spf1", *terms])


def _term(dice: random.Random, domain: str) -> str:
    target, four, six = dice.choice(TARGETS), dice.randrange(24, 33), dice.randrange(120, 129)
    lengths = dice.choice(["", f"/{four}", f"//{six}", f"/{four}//{six}"])
    term = dice.choices(
        [
            f"ip4:192.0.2.{dice.randrange(4)}{dice.choice(['', f'/{four}'])}",
            f"ip6:2001:db8::{dice.randrange(4)}{dice.choice(['', f'/{six}'])}",
            f"{dice.choice(['a', 'mx'])}{dice.choice(['', f':{target}'])}{lengths}",
            f"include:{dice.choice([other for other in DOMAINS if other != domain])}",
            f"exists:{target}",
            f"ptr{dice.choice(['', f':{target}'])}",
            "moo:cow",
            f"x-{dice.random()}=%{{d}}",
        ],
        [6, 4, 10, 8, 5, 4, 0.3, 1],
    )[0]
    return term if "=" in term else dice.choice(["", "", "", "-", "~", "?", "+"]) + term


def _look_ups(zone: SuiteZone, spf: ModuleType) -> Any:
    """What pyspf asks the DNS with: all records of a name that fit, and what an alias leads to."""

    def ask(name: str, kind: str, *_: Any, level: int = 0) -> Iterator[tuple[tuple[str, str], Any]]:
        for found, value in zone.records.get(name.lower(), ()):
            if found == "TIMEOUT":
                raise spf.TempError("time-out")
            if found == "AAAA":
                value = socket.inet_pton(socket.AF_INET6, value)
            elif found == "TXT":
                value = (value.encode(),)
            elif found == "MX":
                value = tuple(value)
            if found in (kind, "CNAME"):
                yield (name, found), value
            if found == "CNAME" and not level:
                yield from ask(value, kind, level=1)

    return ask


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.rfc(7208, "4", "5", "6", "7")
def test_the_same_verdicts() -> None:
    spf = spf_suite.pyspf()
    spf.MAX_VOID_LOOKUPS = MANY
    limits, different, seen, bounded = SpfLimits(voids=MANY), [], set(), 0
    for seed in range(WORLDS):
        data, client, helo, sender = a_world(random.Random(seed))
        zone = SuiteZone(data)
        spf.DNSLookup = _look_ups(zone, spf)
        theirs, explanation = spf.check2(
            client, sender, helo, receiver="mx.example.net", querytime=0
        )
        ours = asyncio.run(
            check_sender(
                zone,
                ip_address(client),
                sender,
                helo,
                limits=limits,
                receiver="mx.example.net",
                now=0,
            )
        )
        if (
            "DNS lookups" in explanation
            or "trivial recursion" in explanation
            or "more than 10" in ours.reason
        ):
            bounded += 1
            continue
        seen.add(ours.result)
        same = ours.result == theirs and (
            not ours.explanation or ours.explanation.lower() == explanation.lower()
        )
        if not same:
            different.append(
                f"{seed}: {ours}, pyspf {theirs} {explanation!r}; {client} {sender} {helo} {data}"
            )
    assert not different, f"{len(different)}\n" + "\n".join(different[:8])
    assert bounded < WORLDS / 10
    assert seen == {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}
