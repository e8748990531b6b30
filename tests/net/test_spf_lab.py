"""SPF and iprev over a real DNS: signed, unsigned, forged and silent zones, and records that are traps."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from ipaddress import ip_address
from typing import Any, TypeVar

import pytest

import dnslab
from mailserver.base.limits import DnsLimits, SpfLimits
from mailserver.mailauth.iprev import iprev
from mailserver.mailauth.spf.identity import check_sender
from mailserver.mailauth.spf.result import SpfResult
from mailserver.net.dns import Resolver

pytestmark = pytest.mark.needs(*dnslab.PROGRAMS)

LIMITS = DnsLimits(try_s=0.7, total_s=2, rounds=1)
T = TypeVar("T")


def _strings(text: str) -> str:
    return " ".join(f'"{text[n : n + 250]}"' for n in range(0, len(text), 250))


TRAPS = (
    'loop TXT "v=spf1 include:loop.traps.example -all"\n'
    'round TXT "v=spf1 redirect=about.traps.example"\nabout TXT "v=spf1 redirect=round.traps.example"\n'
    + "".join(f'deep{n} TXT "v=spf1 include:deep{n + 1}.traps.example -all"\n' for n in range(30))
    + 'wide TXT "v=spf1 ' + " ".join(f"a:h{n}.traps.example" for n in range(12)) + ' -all"\n'
    + "".join(f"h{n} A 127.0.1.{n}\n" for n in range(12))
    + 'void TXT "v=spf1 a:no1.traps.example a:no2.traps.example a:no3.traps.example +all"\n'
    + 'mx TXT "v=spf1 mx:many.traps.example -all"\n'
    + "".join(f"many MX {n} h{n}\n" for n in range(11))
    + f"huge TXT {_strings('v=spf1 ' + 'ip4:192.0.2.1 ' * 4_000 + '-all')}\n"
    + f"large TXT {_strings('v=spf1 ' + 'ip4:192.0.2.1 ' * 400 + '+all')}\n"
    + "".join(f'crowd TXT "{"x" * 200}{n}"\n' for n in range(250))
    + 'crowd TXT "v=spf1 +all"\n'
    + "".join(f'chain{n} CNAME chain{n + 1}\n' for n in range(30))
    + 'chain30 TXT "v=spf1 +all"\n'
    + "one CNAME other\nother CNAME one\n"
    + 'forged TXT "v=spf1 include:bogus.example +all"\n'
    + 'silent TXT "v=spf1 a:x.silent.example +all"\n'
    + 'odd TXT "v=spf1 a:%{l}.odd.traps.example -all exp=why.traps.example"\n'
    + 'why TXT "%{l} of %{d} at %{c}"\n'
)  # fmt: skip

ZONES = {
    "signed.example": '@ TXT "v=spf1 mx ptr -all"\n@ MX 10 mail\nmail A 127.0.0.71\n',
    "plain.example": '@ TXT "v=spf1 include:signed.example ~all"\n',
    "bogus.example": '@ TXT "v=spf1 +all"\n@ MX 10 mail\nmail A 127.0.0.61\n',
    "traps.example": TRAPS,
    "127.in-addr.arpa": (
        "71.0.0 PTR mail.signed.example.\n72.0.0 PTR mail.signed.example.\n73.0.0 PTR x.silent.example.\n"
        "74.0.0 PTR mail.bogus.example.\n"
        + "".join(f"75.0.0 PTR name{n}.plain.example.\n" for n in range(300))
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dnslab.Lab]:
    folder = tmp_path_factory.mktemp("dns")
    with dnslab.running(
        folder, ZONES, {"signed.example", "bogus.example"}, {"bogus.example"}
    ) as lab:
        yield lab


def ask(lab: dnslab.Lab, question: Callable[[Resolver], Coroutine[Any, Any, T]]) -> T:
    async def go() -> T:
        return await question(Resolver(LIMITS, [lab.resolver]))

    return asyncio.run(go())


def check(lab: dnslab.Lab, domain: str, ip: str = "127.0.0.71", local: str = "user") -> SpfResult:
    return ask(
        lab,
        lambda resolver: check_sender(
            resolver,
            ip_address(ip),
            f"{local}@{domain}",
            "mail.example.net",
            limits=SpfLimits(),
            receiver="mx.example.net",
            now=0,
        ),
    )


@pytest.mark.rfc(7208, "4.4", "4.6.4", "5")
@pytest.mark.parametrize(
    ("domain", "ip", "result", "reason"),
    [
        ("signed.example", "127.0.0.71", "pass", "127.0.0.71 matches mx of signed.example"),
        ("signed.example", "127.0.0.72", "fail", "127.0.0.72 matches -all of signed.example"),
        ("plain.example", "127.0.0.71", "pass",
         "127.0.0.71 matches include:signed.example of plain.example, by mx of signed.example"),
        ("no.plain.example", "127.0.0.71", "none", "no.plain.example does not exist"),
        ("mail.signed.example", "127.0.0.71", "none", "mail.signed.example has no SPF record"),
        ("bogus.example", "127.0.0.71", "temperror", "its signatures are wrong"),
        ("x.silent.example", "127.0.0.71", "temperror", "the record of x.silent.example cannot be had"),
        ("forged.traps.example", "127.0.0.71", "temperror", "its signatures are wrong"),
        ("silent.traps.example", "127.0.0.71", "temperror", "x.silent.example: "),
        ("loop.traps.example", "127.0.0.71", "permerror", "more than 10 terms"),
        ("round.traps.example", "127.0.0.71", "permerror", "more than 10 terms"),
        ("deep0.traps.example", "127.0.0.71", "permerror", "more than 10 terms"),
        ("wide.traps.example", "127.0.0.71", "permerror", "more than 10 terms"),
        ("wide.traps.example", "127.0.1.9", "pass", "matches a:h9.traps.example"),
        ("void.traps.example", "127.0.0.71", "permerror", "more than 2 terms"),
        ("mx.traps.example", "127.0.0.71", "permerror", "more than 10 MX records"),
        ("huge.traps.example", "127.0.0.71", "permerror", "is too long"),
        ("large.traps.example", "127.0.0.71", "pass", "matches all of large.traps.example"),
        ("chain0.traps.example", "127.0.0.71", "temperror", "cannot be had"),
        ("one.traps.example", "127.0.0.71", "temperror", "cannot be had"),
    ],
)  # fmt: skip
def test_verdicts(lab: dnslab.Lab, domain: str, ip: str, result: str, reason: str) -> None:
    start, used = time.monotonic(), time.process_time()
    found = check(lab, domain, ip)
    assert found.result == result, found
    assert reason in found.reason
    assert time.monotonic() - start < LIMITS.total_s + 2
    assert time.process_time() - used < 5


def test_a_crowd_of_records_is_looked_at_in_part(lab: dnslab.Lab) -> None:
    """Whether ours is among those that are looked at is up to the DNS."""
    used = time.process_time()
    assert check(lab, "crowd.traps.example").result in ("pass", "none")
    assert time.process_time() - used < 5


@pytest.mark.parametrize("local", ["a b", "a\\046b", "x" * 64, "..", "*", "\u00fc"])
def test_strange_senders(lab: dnslab.Lab, local: str) -> None:
    found = check(lab, "odd.traps.example", local=local)
    assert found.result == "fail"
    assert found.explanation in (f"{local} of odd.traps.example at 127.0.0.71", "")


@pytest.mark.rfc(8601, "2.7.3", "3")
@pytest.mark.parametrize(
    ("ip", "result", "name"),
    [
        ("127.0.0.71", "pass", "mail.signed.example"),
        ("127.0.0.72", "fail", ""),
        ("127.0.0.73", "temperror", ""),
        ("127.0.0.74", "temperror", ""),
        ("127.0.0.75", "fail", ""),
        ("127.0.0.76", "permerror", ""),
    ],
)
def test_names_of_a_client(lab: dnslab.Lab, ip: str, result: str, name: str) -> None:
    found = ask(lab, lambda resolver: iprev(resolver, ip_address(ip)))
    assert (found.result, found.name) == (result, name), found
