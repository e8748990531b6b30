"""Look-ups: against Knot and Unbound for what the DNS says, against a resolver of our own for what goes wrong."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

import dnslab
from mailserver.base.limits import DnsLimits
from mailserver.net.dns import DnsError, DnsTrouble, NoData, NoSuchDomain, Resolver

LIMITS = DnsLimits(try_s=0.7, total_s=4, rounds=2)
T = TypeVar("T")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dnslab.Lab]:
    with dnslab.running(tmp_path_factory.mktemp("dns")) as lab:
        yield lab


def ask(
    servers: list[tuple[str, int]],
    question: Callable[[Resolver], Coroutine[Any, Any, T]],
    limits: DnsLimits = LIMITS,
    trust_ad: bool | None = None,
) -> T:
    async def go() -> T:
        return await question(Resolver(limits, servers, trust_ad))

    return asyncio.run(go())


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.rfc(5321, "5.1")
@pytest.mark.parametrize(
    ("domain", "hosts", "is_authentic"),
    [
        ("several.example", {"first", "second", "third"}, True),
        ("Several.Example", {"first", "second", "third"}, True),
        ("alias.example", {"mail"}, False),
        ("domain.alias.example", {"first", "second", "third"}, False),
        ("many.alias.example", {"first", "second", "third"}, False),
        ("six.example", {"mail"}, True),
        ("implicit.example", set(), False),
        ("empty.example", set(), False),
        ("plain.example", {"mail"}, False),
        ("broken.example", {"nowhere", "192"}, False),
    ],
)
def test_mx(lab: dnslab.Lab, domain: str, hosts: set[str], is_authentic: bool) -> None:
    answer = ask([lab.resolver], lambda r: r.mx(domain))
    assert {host.split(".")[0] for _, host in answer.records} == hosts
    assert [preference for preference, _ in answer.records] == sorted(
        preference for preference, _ in answer.records
    )
    assert not answer.is_null
    assert answer.is_authentic == is_authentic
    assert 0 < answer.ttl <= 60


@pytest.mark.needs(*dnslab.PROGRAMS)
def test_so_many_mx_and_no_more(lab: dnslab.Lab) -> None:
    """The zone has 150, which do not fit into a datagram either."""
    answer = ask([lab.resolver], lambda r: r.mx("large.example"))
    assert len(answer.records) == LIMITS.records
    assert list(answer.records) == sorted(answer.records)


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.rfc(7505, "3")
def test_null_mx(lab: dnslab.Lab) -> None:
    answer = ask([lab.resolver], lambda r: r.mx("nullmx.example"))
    assert answer.is_null
    assert answer.records == ((0, ""),)


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.parametrize(
    ("domain", "error"),
    [
        ("nowhere.example", NoSuchDomain),
        ("dangling.alias.example", NoSuchDomain),
        ("loop.alias.example", DnsTrouble),
        ("bogus.example", DnsTrouble),  # its signature is wrong: SERVFAIL (RFC 4035 §5.5)
        (dnslab.SILENT, DnsTrouble),
        (f"{'x' * 64}.example", NoSuchDomain),
        ("a..example", NoSuchDomain),
    ],
)
def test_no_mx(lab: dnslab.Lab, domain: str, error: type[DnsError]) -> None:
    with pytest.raises(error) as raised:
        ask([lab.resolver], lambda r: r.mx(domain))
    assert type(raised.value) is error
    assert str(raised.value).isprintable()


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.rfc(5321, "5.2")
@pytest.mark.parametrize(
    ("host", "addresses", "is_authentic"),
    [
        ("first.several.example", ("127.0.0.11",), True),
        ("second.several.example", ("::1", "127.0.0.12"), True),
        ("mail.six.example", ("::1",), True),
        ("mail.alias.example", ("127.0.0.31",), False),
    ],
)
def test_addresses(
    lab: dnslab.Lab, host: str, addresses: tuple[str, ...], is_authentic: bool
) -> None:
    answer = ask([lab.resolver], lambda r: r.addresses(host))
    assert answer.addresses == addresses
    assert answer.is_authentic == is_authentic


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("six.example", NoData),
        ("nowhere.example", NoSuchDomain),
        ("192.0.2.1", NoSuchDomain),
        ("mail.bogus.example", DnsTrouble),
    ],
)
def test_no_addresses(lab: dnslab.Lab, host: str, error: type[DnsError]) -> None:
    with pytest.raises(error):
        ask([lab.resolver], lambda r: r.addresses(host))


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.rfc(6840, "5.7")
def test_a_resolver_that_is_not_trusted(lab: dnslab.Lab) -> None:
    answer = ask([lab.resolver], lambda r: r.mx("several.example"), trust_ad=False)
    assert not answer.is_authentic


Answering = Callable[[dns.message.Message, bool], bytes | list[bytes] | None]


class FakeResolver:
    """Answers over UDP and TCP with what *answering* makes of a question; questions: how many there were."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._tcp.getsockname()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(self.address)
        self.questions = 0

    def __enter__(self) -> "FakeResolver":
        for target in (self._over_udp, self._over_tcp):
            threading.Thread(target=target, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._udp.close()
        self._tcp.close()

    def _over_udp(self) -> None:
        while True:
            try:
                wire, peer = self._udp.recvfrom(4096)
                self.questions += 1
                said = self._answering(dns.message.from_wire(wire), False)
                for answer in said if isinstance(said, list) else [said] if said else []:
                    self._udp.sendto(answer, peer)
            except OSError:
                return

    def _over_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
                with connection:
                    wire = connection.recv(4096)[2:]
                    said = self._answering(dns.message.from_wire(wire), True)
                    assert isinstance(said, bytes)
                    connection.sendall(len(said).to_bytes(2, "big") + said)
            except OSError:
                return


def good(query: dns.message.Message, *records: str, ttl: int = 60) -> dns.message.Message:
    """An answer with these MX records."""
    answer = dns.message.make_response(query)
    if records:
        name = query.question[0].name
        answer.answer.append(dns.rrset.from_text(name, ttl, "IN", "MX", *records))
    return answer


def answer_well(query: dns.message.Message, _is_tcp: bool) -> bytes:
    return good(query, "10 mx.example.").to_wire()


def test_who_does_not_answer_is_passed_over() -> None:
    with FakeResolver(lambda _q, _t: None) as silent, FakeResolver(answer_well) as other:
        answer = ask([silent.address, other.address], lambda r: r.mx("a.example"))
    assert answer.records == ((10, "mx.example"),)
    assert (silent.questions, other.questions) == (1, 1)


def test_a_lost_question_is_asked_again() -> None:
    seen: list[int] = []

    def forgetful(query: dns.message.Message, _is_tcp: bool) -> bytes | None:
        seen.append(query.id)
        return answer_well(query, False) if len(seen) > 1 else None

    with FakeResolver(forgetful) as server:
        assert ask([server.address], lambda r: r.mx("a.example")).records
    assert len(set(seen)) == 2  # with a new id


@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_who_cannot_answer_is_passed_over(code: dns.rcode.Rcode) -> None:
    def failing(query: dns.message.Message, _is_tcp: bool) -> bytes:
        answer = good(query)
        answer.set_rcode(code)
        return answer.to_wire()

    with FakeResolver(failing) as broken, FakeResolver(answer_well) as other:
        assert ask([broken.address, other.address], lambda r: r.mx("a.example")).records
        with pytest.raises(DnsTrouble, match=dns.rcode.to_text(code)):
            ask([broken.address], lambda r: r.mx("a.example"))


@pytest.mark.rfc(5452, "9.2")
def test_forged_answers_are_not_heard() -> None:
    def forged(query: dns.message.Message, _is_tcp: bool) -> list[bytes]:
        other = good(query, "1 evil.example.")
        other.id ^= 1
        elsewhere = good(dns.message.make_query("b.example", "MX", id=query.id), "1 evil.example.")
        return [b"", b"\x00" * 12, other.to_wire(), elsewhere.to_wire(), answer_well(query, False)]

    with FakeResolver(forged) as server:
        answer = ask([server.address], lambda r: r.mx("a.example"))
    assert answer.records == ((10, "mx.example"),)


@pytest.mark.rfc(7766, "5")
def test_what_is_cut_comes_over_tcp() -> None:
    many = [f"{n} mail-exchanger-{n}.example." for n in range(90)]

    def cut(query: dns.message.Message, is_tcp: bool) -> bytes:
        answer = good(query, *many) if is_tcp else good(query)
        if not is_tcp:
            answer.flags |= dns.flags.TC
        return answer.to_wire(max_size=65_535)

    with FakeResolver(cut) as server:
        assert len(ask([server.address], lambda r: r.mx("a.example")).records) == 90


@pytest.mark.rfc(6891, "7")
def test_a_resolver_without_edns() -> None:
    def old(query: dns.message.Message, _is_tcp: bool) -> bytes:
        if query.edns < 0:
            return answer_well(query, False)
        answer = dns.message.make_response(query)
        answer.use_edns(False)
        answer.set_rcode(dns.rcode.FORMERR)
        return answer.to_wire()

    with FakeResolver(old) as server:
        assert ask([server.address], lambda r: r.mx("a.example")).records


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    with pytest.raises(DnsTrouble):
        ask([address], lambda r: r.mx("a.example"))


def test_answers_are_remembered_and_shared() -> None:
    async def go(resolver: Resolver) -> None:
        await asyncio.gather(*(resolver.mx("a.example") for _ in range(20)))
        await resolver.mx("A.example.")

    with FakeResolver(answer_well) as server:
        ask([server.address], go)
        assert server.questions == 1


def test_what_is_remembered_is_bounded_and_ends() -> None:
    async def go(resolver: Resolver) -> None:
        for n in range(30):
            await resolver.mx(f"a{n}.example")
        assert len(resolver._cache) == 10
        before = server.questions
        await resolver.mx("a29.example")
        assert server.questions == before
        await asyncio.sleep(0.15)  # longer than cache_longest_s
        await resolver.mx("a29.example")
        assert server.questions == before + 1

    limits = DnsLimits(try_s=1, cache_entries=10, cache_longest_s=0.1)
    with FakeResolver(answer_well) as server:
        ask([server.address], go, limits)


@pytest.mark.rfc(9520, "3.2")
def test_a_failure_is_remembered() -> None:
    async def go(resolver: Resolver) -> None:
        for _ in range(3):
            with pytest.raises(DnsTrouble):
                await resolver.mx("a.example")
        assert server.questions == LIMITS.rounds

    with FakeResolver(lambda _q, _t: None) as server:
        ask([server.address], go)


def test_a_look_up_ends_in_time() -> None:
    limits = DnsLimits(try_s=0.2, rounds=50, total_s=0.5)
    with FakeResolver(lambda _q, _t: None) as server, pytest.raises(DnsTrouble, match=r"0\.5 s"):
        ask([server.address], lambda r: r.mx("a.example"), limits)


@pytest.mark.rfc(2308, "5")
def test_an_absence_without_its_soa_is_believed_for_a_moment() -> None:
    def absent(query: dns.message.Message, _is_tcp: bool) -> bytes:
        return good(query).to_wire()

    with FakeResolver(absent) as server:
        answer = ask([server.address], lambda r: r.mx("a.example"))
    assert answer.records == ()
    assert answer.ttl <= LIMITS.failure_s


def test_the_system_s_resolvers(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "search x.example\nnameserver nonsense\nnameserver 192.0.2.1\nnameserver ::1 # x\n"
    )

    async def go() -> list[tuple[str, bool]]:
        return [
            (server.host, server.is_trusted)
            for server in await Resolver(LIMITS, system=file)._current()
        ]

    assert asyncio.run(go()) == [("192.0.2.1", False), ("::1", True)]
    file.unlink()
    assert asyncio.run(go()) == [("127.0.0.1", True)]
