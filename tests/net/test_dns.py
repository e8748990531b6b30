"""Look-ups: against Knot and Unbound for what the DNS says, against a resolver of our own for what goes wrong."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, TypeVar

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest
from dns.rdatatype import RdataType

import dnslab
from mailserver.base.limits import DnsLimits
from mailserver.mailauth.resolver import (
    Answer,
    Bogus,
    Caa,
    LookupFailed,
    Mx,
    NoData,
    NoSuchDomain,
    Srv,
    Tlsa,
    Trouble,
)
from mailserver.net.dns import Resolver
from mailserver.net.dns_servers import Servers
from net.answering import FakeResolver, answer_well, good

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
        ("plain.example", {"mail"}, False),
        ("broken.example", {"nowhere", "192"}, False),
    ],
)
def test_mx(lab: dnslab.Lab, domain: str, hosts: set[str], is_authentic: bool) -> None:
    answer = ask([lab.resolver], lambda r: r.mx(domain))
    assert {host.split(".")[0] for _, host in answer.values} == hosts
    assert [preference for preference, _ in answer.values] == sorted(
        preference for preference, _ in answer.values
    )
    assert answer.is_authentic == is_authentic
    assert 0 < answer.ttl <= 60


@pytest.mark.needs(*dnslab.PROGRAMS)
def test_so_many_mx_and_no_more(lab: dnslab.Lab) -> None:
    """The zone has 150, which do not fit into a datagram either."""
    answer = ask([lab.resolver], lambda r: r.mx("large.example"))
    assert len(answer.values) == LIMITS.records
    assert list(answer.values) == sorted(answer.values)


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.rfc(7505, "3")
def test_null_mx(lab: dnslab.Lab) -> None:
    answer = ask([lab.resolver], lambda r: r.mx("nullmx.example"))
    assert answer.values == ((0, ""),)


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.parametrize(
    ("domain", "error"),
    [
        ("implicit.example", NoData),
        ("empty.example", NoData),
        ("nowhere.example", NoSuchDomain),
        ("dangling.alias.example", NoSuchDomain),
        ("loop.alias.example", Trouble),
        ("bogus.example", Bogus),  # its signature is wrong: SERVFAIL (RFC 4035 §5.5)
        (dnslab.SILENT, Trouble),
        (f"{'x' * 64}.example", NoSuchDomain),
        ("a..example", NoSuchDomain),
    ],
)
def test_no_mx(lab: dnslab.Lab, domain: str, error: type[LookupFailed]) -> None:
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
        ("mail.bogus.example", Bogus),
    ],
)
def test_no_addresses(lab: dnslab.Lab, host: str, error: type[LookupFailed]) -> None:
    with pytest.raises(error):
        ask([lab.resolver], lambda r: r.addresses(host))


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.rfc(6840, "5.7")
def test_a_resolver_that_is_not_trusted(lab: dnslab.Lab) -> None:
    answer = ask([lab.resolver], lambda r: r.mx("several.example"), trust_ad=False)
    assert not answer.is_authentic


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.rfc(1035, "3.3")
@pytest.mark.rfc(6698, "2.1")
@pytest.mark.rfc(8659, "4.1")
def test_every_type(lab: dnslab.Lab) -> None:
    async def go(resolver: Resolver) -> list[Answer[Any]]:
        return [
            await resolver.txt("types.example"),
            await resolver.txt("long.types.example"),
            await resolver.a("alias.types.example"),
            await resolver.aaaa("mail.types.example"),
            await resolver.tlsa("_25._tcp.mail.types.example"),
            await resolver.srv("_imaps._tcp.types.example"),
            await resolver.caa("types.example"),
            await resolver.cname("alias.types.example"),
            await resolver.ns("types.example"),
            await resolver.ptr(IPv4Address("127.0.0.71")),
        ]

    answers = ask([lab.resolver], go)
    assert [set(answer.values) for answer in answers] == [
        {b"one and two", b"other"},
        {b"x" * 255 * 30},
        {IPv4Address("127.0.0.71")},
        {IPv6Address("::1")},
        {Tlsa(3, 1, 1, b"\xab" * 32)},
        {Srv(10, 5, 993, "mail.types.example"), Srv(20, 5, 993, "other.types.example")},
        {Caa(128, "issue", "ca.example; a=b")},
        {"mail.types.example"},
        {"ns1.types.example"},
        {"mail.types.example", r"odd\032name\.x.types.example"},
    ]
    assert answers[5].values[0].priority == 10  # the most preferred first
    assert [answer.is_authentic for answer in answers] == [True] * 9 + [False]


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.rfc(2308, "5")
@pytest.mark.parametrize(
    ("name", "error", "is_authentic"),
    [
        ("mail.types.example", NoData, True),
        ("nowhere.types.example", NoSuchDomain, True),
        ("mail.plain.example", NoData, False),
        ("nowhere.plain.example", NoSuchDomain, False),
    ],
)
def test_what_is_not_there_may_be_proved(
    lab: dnslab.Lab, name: str, error: type[LookupFailed], is_authentic: bool
) -> None:
    with pytest.raises(error) as raised:
        ask([lab.resolver], lambda r: r.txt(name))
    assert raised.value.is_authentic == is_authentic


@pytest.mark.needs(*dnslab.PROGRAMS)
@pytest.mark.rfc(4035, "3.2.2")
def test_wrong_signatures_are_told_from_no_answer(lab: dnslab.Lab) -> None:
    """Nobody else is asked, who might not look at them; whose word does not count is not asked further."""
    with FakeResolver(answer_well) as other:
        with pytest.raises(Bogus, match="signatures are wrong"):
            ask([lab.resolver, other.address], lambda r: r.mx("bogus.example"))
        assert not other.questions
        with pytest.raises(Trouble) as raised:
            ask([lab.resolver], lambda r: r.mx("bogus.example"), trust_ad=False)
    assert type(raised.value) is Trouble


@pytest.mark.rfc(8914, "4.7")
@pytest.mark.parametrize(("reason", "error"), [(6, Bogus), (7, Bogus), (22, Trouble), (0, Trouble)])
def test_a_resolver_that_gives_its_reason(reason: int, error: type[Trouble]) -> None:
    def refusing(query: dns.message.Message, _is_tcp: bool) -> bytes:
        answer = dns.message.make_response(query)
        answer.use_edns(0, options=[dns.edns.EDEOption(reason, "because")])
        answer.set_rcode(dns.rcode.SERVFAIL)
        return answer.to_wire()

    with FakeResolver(refusing) as server, pytest.raises(Trouble) as raised:
        ask([server.address], lambda r: r.mx("a.example"))
    assert type(raised.value) is error
    assert (server.questions == 1) == (error is Bogus)


def test_names_are_asked_for_as_they_are() -> None:
    """A backslash is no escape, a letter that is not ASCII no other letter; what no name can be is not asked for."""
    asked: list[tuple[bytes, ...]] = []

    def noting(query: dns.message.Message, _is_tcp: bool) -> bytes:
        asked.append(query.question[0].name.labels)
        return good(query, "10 mx.example.").to_wire()

    async def go(resolver: Resolver) -> None:
        await resolver.mx("A b.\\046c.\u00fc.example.")
        await resolver.mx("")
        for name in ("a..b", ".a", "x" * 64, ".".join(["abcdefg"] * 40), "\ud800", "x" * 1_000_000):
            with pytest.raises(NoSuchDomain):
                await resolver.mx(name)

    with FakeResolver(noting) as server:
        ask([server.address], go)
    assert asked == [(b"a b", b"\\046c", "\u00fc".encode(), b"example", b""), (b"",)]


def test_a_look_up_ends_when_nobody_waits_for_it() -> None:
    """Not when somebody else still does; and its place is free at once."""

    async def go(resolver: Resolver) -> None:
        silent = resolver.mx("silent.example")
        first, second = (
            asyncio.create_task(silent),
            asyncio.create_task(resolver.mx("silent.example")),
        )
        await asyncio.sleep(0.05)
        assert server.questions == 1
        first.cancel()
        await asyncio.sleep(0.05)
        with pytest.raises(Trouble, match="too many"):
            await resolver.mx("a.example")
        assert not second.done()
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        third = asyncio.create_task(resolver.mx("silent.example"))
        await asyncio.sleep(0.05)
        assert server.questions == 2  # asked anew, nothing remembered
        third.cancel()
        await asyncio.gather(third, return_exceptions=True)
        assert (await resolver.mx("a.example")).values
        assert not resolver._asking

    def answering(query: dns.message.Message, is_tcp: bool) -> bytes | None:
        is_silent = query.question[0].name.to_text().startswith("silent")
        return None if is_silent else answer_well(query, is_tcp)

    with FakeResolver(answering) as server:
        ask([server.address], go, DnsLimits(try_s=2, waiting=1))


@pytest.mark.parametrize("said", [b"", b"\x00", b"\x12\x34\x81\x80" + bytes(8), b"\xff" * 600])
def test_what_is_no_answer_over_tcp(said: bytes) -> None:
    def cut(query: dns.message.Message, is_tcp: bool) -> bytes:
        answer = good(query)
        answer.flags |= dns.flags.TC
        return said if is_tcp else answer.to_wire()

    with FakeResolver(cut) as server, pytest.raises(Trouble):
        ask([server.address], lambda r: r.mx("a.example"), DnsLimits(try_s=0.5, rounds=1))


def test_so_many_questions_wait_and_no_more() -> None:
    async def go(resolver: Resolver) -> list[BaseException | Answer[Mx]]:
        return await asyncio.gather(
            *(resolver.mx(f"a{n}.example") for n in range(30)), return_exceptions=True
        )

    limits = DnsLimits(try_s=2, questions=3, waiting=10)
    with FakeResolver(answer_well) as server:
        results = ask([server.address], go, limits)
    assert [isinstance(result, Trouble) for result in results] == [False] * 10 + [True] * 20


def test_who_is_believed_is_asked_first_whatever_happens() -> None:
    """A stranger can make any resolver fail, and must not decide whom we believe next."""
    names = [("192.0.2.1", 53), ("127.0.0.1", 53), ("192.0.2.2", 53)]
    servers = Servers(names, None, Path("/nowhere"), rest_s=10)
    assert [server.host for server in servers.current(0)] == ["127.0.0.1", "192.0.2.1", "192.0.2.2"]
    trusted, first, second = servers.current(0)
    servers.failed(trusted, 0)
    servers.failed(first, 0)
    assert servers.current(9) == [trusted, second, first]
    assert servers.current(10) == [trusted, first, second]
    servers.failed(first, 10)
    servers.answered(first)
    assert servers.current(11) == [trusted, first, second]


def test_who_failed_is_asked_last_for_a_while() -> None:
    async def go(resolver: Resolver) -> None:
        for n in range(5):
            await resolver.mx(f"a{n}.example")

    with FakeResolver(lambda _q, _t: None) as silent, FakeResolver(answer_well) as other:
        ask([silent.address, other.address], go)
    assert (silent.questions, other.questions) == (1, 5)


def test_who_does_not_answer_is_passed_over() -> None:
    with FakeResolver(lambda _q, _t: None) as silent, FakeResolver(answer_well) as other:
        answer = ask([silent.address, other.address], lambda r: r.mx("a.example"))
    assert answer.values == ((10, "mx.example"),)
    assert (silent.questions, other.questions) == (1, 1)


def test_a_lost_question_is_asked_again() -> None:
    seen: list[int] = []

    def forgetful(query: dns.message.Message, _is_tcp: bool) -> bytes | None:
        seen.append(query.id)
        return answer_well(query, False) if len(seen) > 1 else None

    with FakeResolver(forgetful) as server:
        assert ask([server.address], lambda r: r.mx("a.example")).values
    assert len(set(seen)) == 2  # with a new id


@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_who_cannot_answer_is_passed_over(code: dns.rcode.Rcode) -> None:
    def failing(query: dns.message.Message, _is_tcp: bool) -> bytes:
        answer = good(query)
        answer.set_rcode(code)
        return answer.to_wire()

    with FakeResolver(failing) as broken, FakeResolver(answer_well) as other:
        assert ask([broken.address, other.address], lambda r: r.mx("a.example")).values
        with pytest.raises(Trouble, match=dns.rcode.to_text(code)):
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
    assert answer.values == ((10, "mx.example"),)


@pytest.mark.rfc(7766, "5")
def test_what_is_cut_comes_over_tcp() -> None:
    many = [f"{n} mail-exchanger-{n}.example." for n in range(90)]

    def cut(query: dns.message.Message, is_tcp: bool) -> bytes:
        answer = good(query, *many) if is_tcp else good(query)
        if not is_tcp:
            answer.flags |= dns.flags.TC
        return answer.to_wire(max_size=65_535)

    with FakeResolver(cut) as server:
        assert len(ask([server.address], lambda r: r.mx("a.example")).values) == 90


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
        assert ask([server.address], lambda r: r.mx("a.example")).values


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    with pytest.raises(Trouble):
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
            with pytest.raises(Trouble):
                await resolver.mx("a.example")
        assert server.questions == LIMITS.rounds

    with FakeResolver(lambda _q, _t: None) as server:
        ask([server.address], go)


def test_a_look_up_ends_in_time() -> None:
    limits = DnsLimits(try_s=0.2, rounds=50, total_s=0.5)
    with FakeResolver(lambda _q, _t: None) as server, pytest.raises(Trouble, match=r"0\.5 s"):
        ask([server.address], lambda r: r.mx("a.example"), limits)


@pytest.mark.rfc(2308, "5")
def test_an_absence_without_its_soa_is_believed_for_a_moment() -> None:
    def absent(query: dns.message.Message, _is_tcp: bool) -> bytes:
        return good(query).to_wire()

    async def go(resolver: Resolver) -> float:
        with pytest.raises(NoData):
            await resolver.mx("a.example")
        return resolver._cache._known["a.example", RdataType.MX].ttl

    with FakeResolver(absent) as server:
        assert ask([server.address], go) == LIMITS.failure_s


def test_the_system_s_resolvers(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "search x.example\nnameserver nonsense\nnameserver 192.0.2.1\nnameserver ::1 # x\n"
    )

    async def go() -> list[tuple[str, bool]]:
        return [
            (server.host, server.is_trusted) for server in Resolver(LIMITS, system=file).servers()
        ]

    assert asyncio.run(go()) == [("::1", True), ("192.0.2.1", False)]
    file.unlink()
    assert asyncio.run(go()) == [("127.0.0.1", True)]
