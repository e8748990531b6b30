"""Messages made to hurt: time and memory stay in proportion, whatever they ask for.

Each is large enough that anything quadratic would take minutes; the bound is loose for slow machines.
"""

import tracemalloc
from time import process_time

import pytest

from mailserver.base.limits import MimeLimits
from mailserver.mime.decode import text
from mailserver.mime.headers import decode_words
from mailserver.mime.layout import unpack
from mailserver.mime.scan import derive
from mime.tree import walk

SECONDS = 3.0
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def nested(count: int) -> bytes:
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i)
        for i in range(count)
    )


def many(unit: bytes, size: int = 400_000) -> bytes:
    return unit * (size // len(unit))


BOMBS = {
    "10,000 nested multiparts": nested(10_000) + b"\r\nx",
    "10,000 nested multiparts, closed": nested(10_000)
    + b"".join(b"\r\n--b%d--" % i for i in reversed(range(10_000))),
    "10,000 nested multiparts with one boundary": (MIXED + b"--b\r\n") * 10_000,
    "10,000 nested messages": b"Content-Type: message/rfc822\r\n\r\n" * 10_000 + b"x",
    "50,000 parts": MIXED + b"--b\r\n\r\nx\r\n" * 50_000 + b"--b--",
    "50,000 parts without an empty line": MIXED + b"--b\r\nA: x\r\n" * 50_000,
    "50,000 parts without a header": MIXED + b"--b\r\nhello\r\n" * 50_000,
    "30,000 multiparts beside each other": MIXED
    + b"".join(
        b"--b\r\nContent-Type: multipart/mixed; boundary=c%d\r\n\r\n--c%d\r\n\r\n--c%d--\r\n"
        % (i, i, i)
        for i in range(30_000)
    ),
    "look-alikes of a boundary": MIXED + b"--b\r\n\r\n" + many(b"\n--c", 4_000_000),
    "nothing but dashes": MIXED + b"--b\r\n" + many(b"\n--", 4_000_000),
    "look-alikes deep inside": nested(90) + b"\r\n" + many(b"\n--bx", 4_000_000),
    "look-alikes in a header deep inside": nested(90) + many(b"\n--bx", 4_000_000),
    "boundaries that begin each other": b"".join(
        b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n" % (b"a" * i, b"a" * i)
        for i in range(80, 1, -1)
    )
    + many(b"\n--ab", 4_000_000),
    "20,000 parameters": b"Content-Type: text/plain" + b"; a=b" * 20_000 + b"\r\n\r\n",
    "20,000 continuations": b"Content-Type: text/plain"
    + b"".join(b"; a*%d*=v" % i for i in range(20_000))
    + b"\r\n\r\n",
    "a line of 50 MB": b"Subject: x\r\n\r\n" + b"a" * 50_000_000,
    "a header line of 50 MB": b"Subject: " + b"a" * 50_000_000,
    "a line of 50 MB and no header": b"a" * 50_000_000,
    "1,000,000 header lines": many(b"X: y\r\n", 6_000_000) + b"\r\nx",
    "1,000,000 Subject lines": many(b"Subject: y\r\n", 12_000_000) + b"\r\nx",
    "1,000,000 folded lines": b"Subject: x\r\n" + many(b" y\r\n", 4_000_000) + b"\r\nx",
    "1,000,000 lines of garbage": many(b"x\n", 2_000_000),
    "20,000,000 empty lines": b"\n" * 20_000_000,
    "9,000 messages with 500 addresses each": MIXED
    + (b"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: " + b"a," * 500 + b"\r\n\r\n") * 9_000,
    "9,000 large part headers": MIXED + (b"--b\r\nX: " + b"a" * 4_000 + b"\r\n\r\n") * 9_000,
}
ADDRESSES = [
    b",", b"a,", b"a@b,", b"<", b">", b"(", b")", b"()", b'"', b'\\"', b"a:", b":", b"@:", b";", b"<@,", b"(,", b"[",
    b"a ", b". ", b"a@", b"@a ", b"<a@b>", b"\\", b"a<", b'"a" ', b"x(y) ", b"(a\\", b"\0", b"\xff",
]  # fmt: skip
PARAMETERS = [
    b"a", b"a ", b'a="', b"(", b"(a;", b'"', b'\\"', b";", b"a=", b"=", b"*", b"a*", b"a*0", b"a*0=b;", b"/", b"%",
    b"a=b(", b"a(;", b"(;a(x))", b"(;)", b";a", b"a;",
]  # fmt: skip
SUBJECTS = [
    b"=?",
    b"=?a?Q?",
    b"=?a?Q?b",
    b"=?utf-8?Q?x?= ",
    b"=?a?Q?   ",
    b"?=",
    b"[a] ",
    b"[",
    b"re: ",
    b"[fwd: ",
    b"(fwd)",
]
REFERENCES = [b"<", b">", b"<a@b> ", b"a ", b"<a "]


def within_bounds(raw: bytes) -> None:
    start = process_time()
    derived = derive(raw)
    assert process_time() - start < SECONDS
    size = min(len(raw), MimeLimits().header_size)
    assert len(derived.envelope) < 2_000_000 + 2 * size
    assert len(derived.bodystructure) < 5_000_000
    assert len(derived.layout) < 5_000_000
    parts = walk(unpack(derived.layout))
    assert len(parts) <= MimeLimits().parts
    assert len(derived.subject) <= 1_000
    assert len(derived.thread_keys) <= 32


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name):
    within_bounds(BOMBS[name])


@pytest.mark.parametrize("unit", ADDRESSES)
def test_address_fields(unit):
    within_bounds(b"From: " + many(unit) + b"\r\n\r\n")
    within_bounds(b"From: a <" + many(unit) + b"\r\n\r\n")
    within_bounds(b"From: " + b"a " * 1_990 + b"@" + many(unit) + b">\r\n\r\n")


@pytest.mark.parametrize("unit", PARAMETERS)
def test_structured_fields(unit):
    value = many(unit)
    within_bounds(b"Content-Type: text/plain" + value + b"\r\n\r\n")
    within_bounds(b'Content-Type: text/plain; a="' + value + b"\r\n\r\n")
    within_bounds(b"Content-Disposition: " + value + b"\r\n\r\n")
    within_bounds(
        b"Content-Language: " + value + b"\r\nContent-Transfer-Encoding: " + value + b"\r\n\r\n"
    )


@pytest.mark.parametrize("unit", SUBJECTS)
def test_text_fields(unit):
    value = many(unit)
    within_bounds(b"Subject: " + value + b"\r\n\r\n")
    start = process_time()
    decode_words(value)
    assert process_time() - start < SECONDS


@pytest.mark.parametrize("unit", REFERENCES)
def test_references(unit):
    value = many(unit)
    within_bounds(
        b"References: "
        + value
        + b"\r\nIn-Reply-To: "
        + value
        + b"\r\nMessage-ID: "
        + value
        + b"\r\n\r\n"
    )


@pytest.mark.parametrize("unit", [b"(", b"1", b" ", b"1 Jan ", b":", b"a"])
def test_dates(unit):
    within_bounds(b"Date: 1" + many(unit) + b"\r\n\r\n")


@pytest.mark.parametrize(
    "name",
    [
        "10,000 nested multiparts",
        "50,000 parts",
        "1,000,000 header lines",
        "a header line of 50 MB",
    ],
)
def test_memory_stays_bounded(name):
    raw = BOMBS[name]
    tracemalloc.start()
    derive(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32_000_000


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable", b"x-uuencode", b"8bit"])
@pytest.mark.parametrize("unit", [b"=", b"\n", b"A", b"=\n", b"\xff", b"begin 1 a\n"])
def test_decoding_a_large_body(encoding, unit):
    raw = b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + many(unit, 2_000_000)
    root = unpack(derive(raw).layout)
    start = process_time()
    assert sum(map(len, text(raw, root))) <= 2_000_000
    assert process_time() - start < SECONDS


def test_limits_can_be_lowered():
    limits = MimeLimits(depth=2, parts=5)
    assert len(walk(unpack(derive(BOMBS["50,000 parts"], limits).layout))) == 5
    deep = unpack(derive(BOMBS["10,000 nested multiparts"], limits).layout)
    assert deep.children[0].type == "multipart"
    assert {p.type for p in deep.children[0].children} == {"text"}


def test_beyond_the_limit_of_parts_the_rest_is_text():
    raw = MIXED + b"".join(b"--b\r\n\r\n%d\r\n" % i for i in range(5)) + b"--b--\r\n"
    root = unpack(derive(raw, MimeLimits(parts=3)).layout)
    assert [raw[p.body_start : p.end] for p in root.children] == [
        b"0",
        b"1\r\n--b\r\n\r\n2\r\n--b\r\n\r\n3\r\n--b\r\n\r\n4",
    ]
