"""SPF records: what is read, what is refused, and that text and terms are the same thing."""

import time
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailauth.spf.records import RECORDS
from mailserver.base.errors import PeerError
from mailserver.mailauth.spf.macros import Macro, MacroString
from mailserver.mailauth.spf.record import Directive, Record, is_record, parse


def literal(text: str) -> MacroString:
    return MacroString((text,))


@pytest.mark.rfc(7208, "5", "6", "12")
@pytest.mark.parametrize(
    ("text", "record"),
    [
        (b"v=spf1", Record()),
        (b"V=SPF1   ", Record()),
        (b"v=spf1 -all", Record((Directive("-", "all"),))),
        (
            b"v=spf1 +A/24 ~mx:Mail.example.org//64 ?ptr",
            Record(
                (
                    Directive("+", "a", four=24),
                    Directive("~", "mx", literal("Mail.example.org"), six=64),
                    Directive("?", "ptr"),
                )
            ),
        ),
        (
            b"v=spf1 a:a.example/0//0 ip4:192.0.2.1/31 ip6:2001:DB8::/32 ip6:::",
            Record(
                (
                    Directive("+", "a", literal("a.example"), four=0, six=0),
                    Directive("+", "ip4", None, IPv4Address("192.0.2.1"), four=31),
                    Directive("+", "ip6", None, IPv6Address("2001:db8::"), six=32),
                    Directive("+", "ip6", None, IPv6Address("::")),
                )
            ),
        ),
        (
            b"v=spf1 exists:%{l1r+-}.%{D}%%%_%-.x.example. redirect=%{d} moo=%{s} exp=e.example",
            Record(
                (
                    Directive(
                        "+",
                        "exists",
                        MacroString(
                            (
                                Macro("l", 1, True, "+-"),
                                ".",
                                Macro("d", is_escaped=True),
                                Macro("%"),
                                Macro("_"),
                                Macro("-"),
                                ".x.example.",
                            ),
                            frozenset("ld"),
                        ),
                    ),
                ),
                MacroString((Macro("d"),), frozenset("d")),
                literal("e.example"),
                ("moo=%{s}",),
            ),
        ),
    ],
)
def test_records(text: bytes, record: Record) -> None:
    assert parse(text) == record
    assert parse(str(record).encode()) == record


@pytest.mark.rfc(7208, "4.6", "4.6.1")
@pytest.mark.parametrize(
    "terms",
    [
        "moo", "all:x.example", "all/8", "-all.", "--all", "include", "include:", "include:/24", "exists", "a:", "a/33",
        "a/024", "a/", "a//129", "a/24/64", "a:foo", "a:foo.1", "a:foo.-x", "a:foo.x-", "a:foo.example/24/", "a:a b",
        "ptr/24", "ptr:", "ip4", "ip4:", "ip4:1.2.3", "ip4:01.2.3.4", "ip4:1.2.3.4/33", "ip4:1.2.3.4//8", "ip4:::1",
        "ip4:1.2.3.4/", "ip4:1.2.3.4/08", "ip6:1.2.3.4", "ip6:fe80::1%eth0", "ip6:::/129", "redirect=", "exp=",
        "redirect=a.example redirect=b.example", "exp=a.example exp=a.example", "redirect:a.example", "a:%{d", "a:%{}",
        "a:%{x}", "a:%{c}", "a:%{d0}", "a:%{d1rr}", "a:%(d)", "a:%", "a:x.%{d}com", "moo=%", "moo=%{t}", "=x", "1=x",
        "a:\u00fc.example", "a\rall", "a\x00", "a\tall",
    ],
)  # fmt: skip
def test_what_is_wrong_anywhere_is_wrong(terms: str) -> None:
    with pytest.raises(PeerError) as raised:
        parse(f"v=spf1 ip4:192.0.2.1 {terms} -all".encode())
    assert str(raised.value).isprintable()


@pytest.mark.rfc(7208, "4.5")
@pytest.mark.parametrize(
    ("text", "is_ours"),
    [(b"v=spf1", True), (b"v=sPf1 x", True), (b"v=spf10", False), (b"v=spf1\t", False), (b" v=spf1", False),
     (b"", False), (b"v=spf2.0/pra", False)],
)  # fmt: skip
def test_which_records_are_ours(text: bytes, is_ours: bool) -> None:
    assert is_record(text) == is_ours


@given(RECORDS)
def test_text_and_terms_are_the_same(record: Record) -> None:
    assert parse(str(record).encode()) == record


@given(st.binary(max_size=200))
def test_garbage(text: bytes) -> None:
    for wire in (b"v=spf1 " + text, b"v=spf1 a:" + text, b"v=spf1 redirect=%{" + text):
        try:
            record = parse(wire)
        except PeerError:
            continue
        assert parse(str(record).encode()) == record


@pytest.mark.parametrize(
    "piece", ["a:" + "a" * 60_000, "a:." + "a" * 60_000 + "!", "%{l}" * 15_000, "a:" + "%{d}" * 15_000, "/" * 60_000,
              "a:x.y" + "/1" * 30_000, "a:" + "." * 60_000, "ip4:1.2.3.4 " * 5_000, "x=" + "%" * 60_000,
              "a:%{l" + "9" * 60_000 + "}.x.example"],
)  # fmt: skip
def test_long_records_are_read_in_time(piece: str) -> None:
    start, said = time.thread_time(), ""
    try:
        parse(f"v=spf1 {piece}".encode())
    except PeerError as error:
        said = str(error)
    assert time.thread_time() - start < 2
    assert len(said) < 300
