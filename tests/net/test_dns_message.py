"""Answers of resolvers: what is read of them, what is not taken for one, and how long it may take."""

import struct
import time
from ipaddress import IPv4Address, IPv6Address

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mailauth.resolver import Caa, Mx, Srv, Tlsa
from mailserver.net.dns_message import Answer, Query, ask, read

QUERY = dns.message.make_query("a.example.", "MX", id=4711)


def asked(message: dns.message.Message) -> Query:
    """The question of *message* as we know it."""
    question = message.question[0]
    return Query(message.id, question.name, question.rdtype, message.to_wire())


ASKED = asked(QUERY)


def respond(
    *answer: dns.rrset.RRset, authority: tuple[dns.rrset.RRset, ...] = (), flags: int = 0
) -> dns.message.Message:
    response = dns.message.make_response(QUERY)
    response.answer.extend(answer)
    response.authority.extend(authority)
    response.flags |= flags
    return response


def rrset(name: str, kind: str, *values: str, ttl: int = 60) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, ttl, "IN", kind, *values)


def reading(message: dns.message.Message, most: int = 100) -> Answer:
    answer = read(message.to_wire(max_size=65_535), ASKED, most)
    assert answer is not None
    return answer


@pytest.mark.rfc(1035, "4.1.1", "4.1.2")
@pytest.mark.rfc(6891, "6.1.2")
@pytest.mark.parametrize(
    "name", [".", "a.example.", "A" * 63 + ".example.", r"\000\.\255 x.example.", "a." * 127]
)
@pytest.mark.parametrize("payload", [None, 1_232])
def test_questions(name: str, payload: int | None) -> None:
    """Octet by octet what dnspython makes of the same."""
    kind, asks = RdataType.TLSA, dns.name.from_text(name)
    message = dns.message.make_query(asks, kind, id=4711, use_edns=payload and 0, payload=payload)
    message.flags |= dns.flags.AD
    assert ask(4711, asks, kind, dns.flags.AD, payload) == asked(message)


@pytest.mark.rfc(1035, "4.1.3")
def test_records_and_their_aliases() -> None:
    answer = reading(
        respond(
            rrset("b.example.", "CNAME", "C.example.", ttl=30),
            rrset("a.example.", "CNAME", "b.example.", ttl=50),
            rrset("c.example.", "MX", "10 mx.c.example.", "5 Mx2.c.example.", "0 ."),
            rrset("other.example.", "MX", "1 evil.example."),
            rrset("c.example.", "TXT", '"x"'),
            flags=dns.flags.AD,
        )
    )
    assert set(answer.values) == {(10, "mx.c.example"), (5, "mx2.c.example"), (0, "")}
    assert answer.ttl == 30
    assert answer.is_authentic
    assert answer.last == dns.name.from_text("c.example.")


@pytest.mark.rfc(2308, "5")
def test_absence() -> None:
    soa = rrset("example.", "SOA", "ns.example. root.example. 1 2 3 4 20", ttl=90)
    answer = reading(respond(authority=(soa,)))
    assert (answer.values, answer.ttl, answer.code) == ((), 20, 0)
    assert reading(respond()).ttl is None
    absent = respond(authority=(soa,))
    absent.set_rcode(dns.rcode.NXDOMAIN)
    assert reading(absent).code == dns.rcode.NXDOMAIN


@pytest.mark.rfc(6891, "6.1.3")
def test_a_code_that_is_larger_than_its_field() -> None:
    response = respond()
    response.use_edns(0)
    response.set_rcode(dns.rcode.BADVERS)
    assert reading(response).code == dns.rcode.BADVERS


@pytest.mark.rfc(2181, "8")
def test_a_time_to_live_with_its_highest_bit() -> None:
    wire = respond(rrset("a.example.", "MX", "1 b.example.", ttl=60)).to_wire()
    longest = wire.replace(b"\x00\x00\x00\x3c", b"\x80\x00\x00\x00")
    assert longest != wire
    answer = read(longest, ASKED, 10)
    assert answer is not None
    assert answer.ttl == 0


def test_what_is_no_answer() -> None:
    good = respond(rrset("a.example.", "MX", "1 b.example."))
    other = dns.message.make_response(dns.message.make_query("b.example.", "MX", id=4711))
    kind = dns.message.make_response(dns.message.make_query("a.example.", "TXT", id=4711))
    number = dns.message.make_response(dns.message.make_query("a.example.", "MX", id=4712))
    for message in (other, kind, number, QUERY):
        assert read(message.to_wire(), ASKED, 10) is None
    wire = good.to_wire()
    for size in range(len(wire)):
        assert read(wire[:size], ASKED, 10) is None
    assert read(wire, ASKED, 10) is not None


def test_aliases_that_go_round() -> None:
    answer = reading(
        respond(
            rrset("a.example.", "CNAME", "b.example."), rrset("b.example.", "CNAME", "a.example.")
        )
    )
    assert answer.values == ()


def test_so_many_records_and_no_more() -> None:
    many = rrset("a.example.", "MX", *[f"{n} m{n}.example." for n in range(200)])
    assert len(reading(respond(many), most=50).values) == 50
    too_many = rrset("a.example.", "MX", *[f"{n} m{n}.example." for n in range(1_001)])
    assert read(respond(too_many).to_wire(max_size=65_535), ASKED, 50) is None


def test_an_answer_made_to_be_slow() -> None:
    """Names of more than a hundred labels, all but the first of them by reference."""
    deep = ".".join(["a"] * 110)
    hard = rrset("a.example.", "MX", *[f"{n} m{n}.{deep}." for n in range(300)])
    wire = respond(hard).to_wire(max_size=65_535)
    start = time.thread_time()
    answer = read(wire, ASKED, 100)
    assert time.thread_time() - start < 2
    assert answer is not None
    assert len(answer.values) == 100


@given(st.binary(max_size=100))
def test_garbage(wire: bytes) -> None:
    read(wire, ASKED, 10)
    read(b"\x12\x67\x81\x80" + wire, ASKED, 10)


@given(st.integers(0, 200), st.integers(0, 255), st.integers(0, 200))
def test_damaged_answers(at: int, octet: int, cut: int) -> None:
    wire = bytearray(
        respond(
            rrset("a.example.", "CNAME", "b.example."),
            rrset("b.example.", "MX", "10 mx.b.example.", "20 mx2.b.example."),
        ).to_wire()
    )
    wire[at % len(wire)] = octet
    read(bytes(wire), ASKED, 10)
    read(bytes(wire[: cut % len(wire)]), ASKED, 10)


RECORDS = {
    "A": (["192.0.2.1"], IPv4Address("192.0.2.1")),
    "AAAA": (["2001:db8::1"], IPv6Address("2001:db8::1")),
    "CAA": (['128 issue "ca.example"'], Caa(128, "issue", "ca.example")),
    "CNAME": (["B.example."], "b.example"),
    "MX": (["10 Mx.example."], Mx(10, "mx.example")),
    "NS": (["ns.example."], "ns.example"),
    "PTR": ([r"a\.b\032c\000.example."], r"a\.b\032c\000.example"),
    "SRV": (["1 2 3 Srv.example."], Srv(1, 2, 3, "srv.example")),
    "TLSA": (["3 1 0 abcd"], Tlsa(3, 1, 0, b"\xab\xcd")),
    "TXT": ([r'"a" "" "\000\255"'], b"a\x00\xff"),
}


def answer_of(kind: str) -> tuple[dns.message.Message, bytes]:
    """A question for *kind*, and the octets of its answer."""
    query = dns.message.make_query("a.example.", kind, id=4711)
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text("a.example.", 60, "IN", kind, *RECORDS[kind][0]))
    return query, response.to_wire()


@pytest.mark.rfc(1035, "3.3")
@pytest.mark.rfc(2782)
@pytest.mark.rfc(3596, "2.2")
@pytest.mark.parametrize("kind", RECORDS)
def test_every_type(kind: str) -> None:
    query, wire = answer_of(kind)
    answer = read(wire, asked(query), 10)
    assert answer is not None
    assert answer.values == (RECORDS[kind][1],)


@given(st.sampled_from(sorted(RECORDS)), st.integers(0, 200), st.integers(0, 255))
def test_damaged_records(kind: str, at: int, octet: int) -> None:
    query, wire = answer_of(kind)
    damaged = bytearray(wire)
    damaged[at % len(wire)] = octet
    read(bytes(damaged), asked(query), 10)
    for size in range(len(wire) - 30, len(wire)):
        assert read(wire[:size], asked(query), 10) is None


@pytest.mark.parametrize("kind", ["A", "AAAA", "CAA", "MX", "SRV", "TLSA", "TXT", "PTR"])
@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x09\x01", b"\xff" * 30, b"\x05abc", b"\xc0\xff", b"\x00\x00\x00"]
)
def test_records_that_are_none_of_their_type(kind: str, data: bytes) -> None:
    """They are no answer; or, where there is no telling, the octets that came."""
    query = dns.message.make_query("a.example.", kind, id=4711)
    response = dns.message.make_response(query).to_wire()
    question = query.question[0]
    record = b"\xc0\x0c" + struct.pack(">HHIH", question.rdtype, 1, 60, len(data)) + data
    wire = response[:6] + b"\x00\x01" + response[8:] + record
    answer = read(wire, asked(query), 10)
    assert answer is None or len(answer.values) == 1


@pytest.mark.rfc(8914, "2")
def test_reasons() -> None:
    response = respond()
    response.use_edns(
        0, options=[dns.edns.EDEOption(6, "x"), dns.edns.EDEOption(22), dns.edns.EDEOption(49_152)]
    )
    assert reading(response).reasons == (6, 22, 49_152)
    response.use_edns(
        0, options=[dns.edns.GenericOption(15, b"\x00")] + [dns.edns.EDEOption(1)] * 30
    )
    assert reading(response).reasons == (1,) * 10
    response.use_edns(0, options=[dns.edns.GenericOption(9, b"\x00\x06")])
    assert reading(response).reasons == ()
