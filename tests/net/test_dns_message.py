"""Answers of resolvers: what is read of them, what is not taken for one, and how long it may take."""

import time

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.net.dns_message import Answer, read

QUERY = dns.message.make_query("a.example.", "MX", id=4711)


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
    answer = read(message.to_wire(max_size=65_535), QUERY, most)
    assert answer is not None
    return answer


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
    answer = read(longest, QUERY, 10)
    assert answer is not None
    assert answer.ttl == 0


def test_what_is_no_answer() -> None:
    good = respond(rrset("a.example.", "MX", "1 b.example."))
    other = dns.message.make_response(dns.message.make_query("b.example.", "MX", id=4711))
    kind = dns.message.make_response(dns.message.make_query("a.example.", "TXT", id=4711))
    number = dns.message.make_response(dns.message.make_query("a.example.", "MX", id=4712))
    for message in (other, kind, number, QUERY):
        assert read(message.to_wire(), QUERY, 10) is None
    wire = good.to_wire()
    for size in range(len(wire)):
        assert read(wire[:size], QUERY, 10) is None
    assert read(wire, QUERY, 10) is not None


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
    assert read(respond(too_many).to_wire(max_size=65_535), QUERY, 50) is None


def test_an_answer_made_to_be_slow() -> None:
    """Names of more than a hundred labels, all but the first of them by reference."""
    deep = ".".join(["a"] * 110)
    hard = rrset("a.example.", "MX", *[f"{n} m{n}.{deep}." for n in range(300)])
    wire = respond(hard).to_wire(max_size=65_535)
    start = time.thread_time()
    answer = read(wire, QUERY, 100)
    assert time.thread_time() - start < 0.2
    assert answer is not None
    assert len(answer.values) == 100


@given(st.binary(max_size=100))
def test_garbage(wire: bytes) -> None:
    read(wire, QUERY, 10)
    read(b"\x12\x67\x81\x80" + wire, QUERY, 10)


@given(st.integers(0, 200), st.integers(0, 255), st.integers(0, 200))
def test_damaged_answers(at: int, octet: int, cut: int) -> None:
    wire = bytearray(
        respond(
            rrset("a.example.", "CNAME", "b.example."),
            rrset("b.example.", "MX", "10 mx.b.example.", "20 mx2.b.example."),
        ).to_wire()
    )
    wire[at % len(wire)] = octet
    read(bytes(wire), QUERY, 10)
    read(bytes(wire[: cut % len(wire)]), QUERY, 10)
