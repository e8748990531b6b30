"""The checks of a message, one by one and as a table."""

from collections.abc import Callable

import pytest

from mailserver.base.limits import Limits, MimeLimits, SmtpLimits
from mailserver.mime.derived import Derived
from mailserver.mime.scan import derive
from mailserver.mta import check
from mailserver.mta.authors import Authors, count, read
from mailserver.mta.check import Message

GOOD = Message(
    derived=derive(b"Received: from a by b; x\r\nFrom: a@b.test\r\n\r\nx\r\n"),
    authors=Authors(1, 0, (), ()),
    first=b"F",
    size=100,
    is_submitted=False,
    foreign=(),
    limits=Limits(),
)


def test_the_table_is_what_was_reviewed(golden: Callable[[str, str], None]) -> None:
    rows = [
        f"{row.stage:7}  {row.order:2}  {row.name:19}  {row.applies_to:9}  {row.text}\n"
        for row in check.table()
    ]
    golden("mta_checks.txt", "".join(rows))


def test_every_verdict_has_a_reason() -> None:
    verdicts = check.run(GOOD)
    assert [v.check for v in verdicts] == [
        "first line",
        "header size",
        "loop",
        "From field",
        "authentication",
    ]
    assert all(v.reason and v.refusal is None for v in verdicts)
    submitted = check.run(GOOD._replace(is_submitted=True))
    assert submitted[-1].check == "author"
    assert submitted[-1].refusal is None


def hops(n: int) -> Derived:
    return derive(b"Received: from a by b; x\r\n" * n + b"From: a@b.test\r\n\r\n")


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"first": b" "}, "550 5.6.0"),
        ({"first": b"\t"}, "550 5.6.0"),
        ({"first": b""}, None),
        ({"limits": Limits(mime=MimeLimits(header_size=42))}, "552 5.3.4"),
        ({"limits": Limits(mime=MimeLimits(header_size=43))}, "552 5.3.4"),
        ({"limits": Limits(mime=MimeLimits(header_size=1000))}, None),
        ({"derived": hops(4), "limits": Limits(smtp=SmtpLimits(hops=3))}, None),
        ({"derived": hops(5), "limits": Limits(smtp=SmtpLimits(hops=3))}, "554 5.4.6"),
        ({"authors": Authors(2, 0, (), ())}, "550 5.7.1"),
        ({"authors": Authors(0, 0, (), ())}, None),
        ({"authors": Authors(0, 0, (), ()), "is_submitted": True}, "550 5.6.0"),
        ({"authors": Authors(1, 2, (), ())}, None),
        ({"authors": Authors(1, 2, (), ()), "is_submitted": True}, "550 5.7.1"),
        ({"authors": Authors(1, 0, (), ("x",)), "is_submitted": True}, "550 5.6.0"),
        ({"foreign": ("boss@b.test",), "is_submitted": True}, "550 5.7.1"),
    ],
)
def test_refusals(change: dict[str, object], refusal: str | None) -> None:
    last = check.run(GOOD._replace(**change))[-1]
    assert str(last.refusal or "")[:9] == (refusal or "")
    assert last.reason


def test_the_first_refusal_ends_the_run() -> None:
    verdicts = check.run(GOOD._replace(first=b" ", authors=Authors(9, 9, (), ())))
    assert [v.check for v in verdicts] == ["first line"]


def test_refusals_name_a_few_addresses_in_printable_form() -> None:
    many = tuple(f"boss{n}\r\n@b.test" for n in range(9))
    last = check.run(GOOD._replace(foreign=many, is_submitted=True))[-1]
    assert last.refusal is not None
    assert last.refusal.text.isprintable()
    assert last.refusal.text.endswith("boss2??@b.test, ...")


def test_names_and_orders_are_unique() -> None:
    assert check.table()
    with pytest.raises(ValueError, match="taken"):
        check.check("loop", order=999)(lambda message: check.Verdict("loop", ""))
    with pytest.raises(ValueError, match="taken"):
        check.check("new", order=30)(lambda message: check.Verdict("new", ""))


@pytest.mark.rfc(5322, "3.6.2")
@pytest.mark.parametrize(
    ("header", "addresses", "broken"),
    [
        (b"From: a@b.test\r\n", ["a@b.test"], 0),
        (
            b"FROM : A <a@b.test>,\r\n\tB <b@b.test>\r\nSender: c@d.test\r\n",
            ["a@b.test", "b@b.test", "c@d.test"],
            0,
        ),
        (b'From: "a@x.test" <b@b.test>\r\n', ["b@b.test"], 0),
        (b'From: "odd one"@b.test\r\n', ['"odd one"@b.test'], 0),
        (b"From: Us: a@b.test, c@b.test;\r\n", ["a@b.test", "c@b.test"], 0),
        (b"From: (a@b.test) c@b.test\r\n", ["c@b.test"], 0),
        (b"From: <@relay.test:a@b.test>\r\n", ["a@b.test"], 0),
        (b"From: a@b.test <c@d.test>\r\n", ["c@d.test"], 0),
        (b"From: <a@b.test> <c@d.test>\r\n", ["a@b.test", "c@d.test"], 0),
        ("From: jürgen@bücher.example\r\n".encode(), ["jürgen@xn--bcher-kva.example"], 0),
        (b"From: a\r\n", [], 1),
        (b"From: a@b_c.test\r\n", [], 1),
        (b"From: a@\xff.test\r\n", [], 1),
        (b"From: a@b@c.test\r\n", ['"a@b"@c.test'], 0),
        (b"From:\r\nTo: x@y.test\r\n", [], 0),
        (b"Resent-From: a@b.test\r\nX-From: c@d.test\r\n", [], 0),
    ],
)
def test_authors(header: bytes, addresses: list[str], broken: int) -> None:
    found = read(header)
    assert [str(a) for a in found.addresses] == addresses
    assert len(found.broken) == broken
    counted = count(header)
    assert (counted.from_fields, counted.sender_fields) == (found.from_fields, found.sender_fields)


def test_endless_authors_are_broken() -> None:
    found = read(b"From: " + b",".join(b"a%d@b.c" % n for n in range(5_000)) + b"\r\n")
    assert len(found.addresses) == 100
    assert found.broken == ("more than 100 addresses or 2000 octets",)


@pytest.mark.parametrize(
    "filler",
    [
        b" w" * 1_000,
        b" w" * 3_000,
        b" (c)" * 900,
        b" (c)" * 2_000,
        b" <" * 900,
        b", <>" * 900,
        b" ," * 2_000,
    ],
)
@pytest.mark.parametrize("last", [b" <boss@b.test>", b", boss@b.test"])
def test_nobody_hides_behind_the_bounds_of_the_parser(filler: bytes, last: bytes) -> None:
    found = read(b"From: alice@b.test" + filler + last + b"\r\n")
    assert found.broken or "boss@b.test" in map(str, found.addresses)
