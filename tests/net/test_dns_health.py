"""What a look at the resolvers says."""

import asyncio
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rrset
import pytest

import dnslab
from mailserver.base.limits import DnsLimits
from mailserver.net.dns import Resolver
from mailserver.net.dns_health import Health, look
from net.answering import FakeResolver

LIMITS = DnsLimits(try_s=0.2, rounds=1)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dnslab.Lab]:
    zones = {"signed.example": "", "plain.example": ""}
    with dnslab.running(tmp_path_factory.mktemp("dns"), zones, {"signed.example"}, ()) as lab:
        yield lab


def health(
    *servers: tuple[str, int], trust_ad: bool | None = None, name: str | None = None
) -> Health:
    async def go() -> Health:
        resolver = Resolver(LIMITS, servers, trust_ad)
        return await (look(resolver) if name is None else look(resolver, name))

    return asyncio.run(go())


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.rfc(4035, "4.9.3")
@pytest.mark.rfc(7672, "2.1.1")
def test_one_that_validates(lab: dnslab.Lab) -> None:
    place = f"127.0.0.1 port {lab.resolver[1]}"
    assert health(lab.resolver, name="signed.example") == Health(
        (place,), True, True, f"{place} validates DNSSEC"
    )
    found = health(lab.resolver, name="plain.example")
    assert (found.is_answering, found.is_authentic) == (True, False)
    assert found.text == f"DANE is off: {place} answers, and does not validate DNSSEC"
    mixed = health(lab.resolver, ("192.0.2.53", 53), name="signed.example")
    assert mixed.is_authentic
    assert mixed.text.endswith("; when it fails, 192.0.2.53 is asked, and then there is no DANE")


def test_the_root_is_asked_for() -> None:
    def answer(query: dns.message.Message, _is_tcp: bool) -> bytes:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AD
        asked = query.question[0]
        assert asked.to_text() == ". IN NS"
        answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", "NS", "a.root.example."))
        return answer.to_wire()

    with FakeResolver(answer) as server:
        assert health(server.address).is_authentic
        believed = health(server.address, trust_ad=False)
        assert (believed.is_answering, believed.is_authentic) == (None, False)
        assert server.questions == 1


def test_nobody_answers() -> None:
    with FakeResolver(lambda _q, _t: None) as server:
        found = health(server.address)
    assert (found.is_answering, found.is_authentic) == (False, False)
    assert found.text.startswith("the DNS cannot be asked: ")
