"""Section specifications and what they cut out (RFC 3501 §6.4.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import Corrupt, PeerError
from mailserver.base.ids import BlobId
from mailserver.base.limits import ImapLimits
from mailserver.imap.conversation import BlobRange
from mailserver.imap.fetching.fields import choose
from mailserver.imap.fetching.item import cut
from mailserver.imap.fetching.pieces import INLINE_SIZE, Message
from mailserver.imap.fetching.section import (
    TEXTS,
    Partial,
    Section,
    parse_partial,
    parse_section,
)
from mailserver.imap.parser import Parser
from mailserver.mime.headers import pick_fields
from mailserver.mime.layout import unpack
from mailserver.mime.scan import derive

LIMITS = ImapLimits()


def read(wire: bytes) -> tuple[Section, Partial | None]:
    p = Parser(wire, LIMITS)
    value = parse_section(p), parse_partial(p)
    p.end()
    return value


@pytest.mark.rfc(3501, "9")
@pytest.mark.parametrize(
    ("wire", "section", "partial"),
    [
        (b"]", Section(), None),
        (b"]<0.2048>", Section(), Partial(0, 2048)),
        (b"TEXT]", Section(text="TEXT"), None),
        (b"header]<5.1>", Section(text="HEADER"), Partial(5, 1)),
        (b"1]", Section((1,)), None),
        (b"1.2.mime]", Section((1, 2), "MIME"), None),
        (b"4.2.2.1.TEXT]", Section((4, 2, 2, 1), "TEXT"), None),
        (b"HEADER.FIELDS (DATE From)]", Section((), "HEADER.FIELDS", (b"DATE", b"From")), None),
        (b'2.HEADER.FIELDS.NOT ("X Y")]', Section((2,), "HEADER.FIELDS.NOT", (b"X Y",)), None),
        (b"HEADER.FIELDS ({3}\r\na b)]", Section((), "HEADER.FIELDS", (b"a b",)), None),
        (b"]<4294967295.4294967295>", Section(), Partial(4294967295, 4294967295)),
        (b"1." * 150 + b"7]", Section((1,) * 150 + (7,)), None),  # parts may lie deep
    ],
)
def test_parses(wire: bytes, section: Section, partial: Partial | None) -> None:
    assert read(wire) == (section, partial)


@pytest.mark.rfc(3501, "9")
@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"MIME]",  # of what?
        b"0]",
        b"01]",
        b"1.]",
        b"1..2]",
        b".1]",
        b"1.0]",
        b"HEADER.1]",
        b"HEADERS]",
        b"HEADER.FIELDS]",
        b"HEADER.FIELDS ()]",
        b"HEADER.FIELDS (a",
        b"HEADER.FIELDS  (a)]",
        b"1.HEADER.FIELDS.NOT (a) ]",
        b"TEXT",
        b"TEXT ]",
        b"]<0.0>",  # nz-number
        b"]<0>",
        b"]<.5>",
        b"]<1.5",
        b"]<-1.5>",
        b"]<9223372036854775808.1>",
        b"4294967296]",
    ],
)
def test_refuses(wire: bytes) -> None:
    with pytest.raises(PeerError):
        read(wire)


names = st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name)


@st.composite
def sections(draw: st.DrawFn) -> Section:
    numbers = tuple(draw(st.lists(st.integers(1, 2**32 - 1), max_size=6)))
    text = draw(st.sampled_from([t for t in TEXTS if t != "MIME" or numbers]))
    fields = draw(st.lists(names, min_size=1, max_size=4)) if "FIELDS" in text else []
    return Section(numbers, text, tuple(fields))


@given(sections())
def test_what_is_written_reads_back(section: Section) -> None:
    assert read(bytes(section) + b"]") == (section, None)


@given(st.binary(max_size=40))
def test_garbage_is_refused_or_read(wire: bytes) -> None:
    try:
        section, _ = read(wire)
    except PeerError:
        return
    assert section.text in TEXTS


# what a section cuts out

NESTED = b"""From: a@example.org\r
Subject: outer\r
Content-Type: multipart/mixed; boundary=o\r
\r
preamble\r
--o\r
Content-Type: text/plain\r
X-Part: one\r
\r
first\r
--o\r
Content-Type: message/rfc822\r
\r
Subject: inner\r
To: b@example.org\r
Content-Type: multipart/alternative; boundary=i\r
\r
--i\r
Content-Type: text/plain\r
\r
plain\r
--i\r
\r
\r
--i--\r
epilogue\r
--o\r
Content-Type: message/rfc822\r
\r
Subject: simple\r
\r
text\r
--o--\r
"""
SINGLE = b"Subject: x\r\nX: y\r\n\r\nbody\r\n"


def octets_of(raw: bytes, spec: bytes) -> bytes | None:
    """What BODY[*spec* gives, read octet range by octet range."""
    derived = derive(raw)
    message = Message(
        BlobId(7),
        len(raw),
        derived.header_size,
        lambda offset, length: raw[offset:][:length],
        lambda: unpack(derived.layout),
    )
    section, partial = read(spec)
    piece = message.piece(cut(b"", section, partial))
    if isinstance(piece, BlobRange):
        assert piece.blob == 7
        return raw[piece.offset : piece.offset + piece.length]
    return piece


@pytest.mark.rfc(3501, "6.4.5", "7.4.2")
@pytest.mark.parametrize(
    ("raw", "spec", "octets"),
    [
        (SINGLE, b"]", SINGLE),
        (SINGLE, b"HEADER]", b"Subject: x\r\nX: y\r\n\r\n"),
        (SINGLE, b"TEXT]", b"body\r\n"),
        (SINGLE, b"1]", b"body\r\n"),
        (SINGLE, b"1.MIME]", b"Subject: x\r\nX: y\r\n\r\n"),
        (SINGLE, b"2]", None),
        (SINGLE, b"1.1]", None),
        (SINGLE, b"1.TEXT]", None),
        (SINGLE, b"1.HEADER]", None),
        (SINGLE, b"HEADER.FIELDS (x z)]", b"X: y\r\n\r\n"),
        (SINGLE, b"HEADER.FIELDS (z)]", b"\r\n"),
        (SINGLE, b"HEADER.FIELDS.NOT (x)]", b"Subject: x\r\n\r\n"),
        (SINGLE, b"HEADER.FIELDS.NOT (z)]", b"Subject: x\r\nX: y\r\n\r\n"),
        (SINGLE, b"]<0.7>", b"Subject"),
        (SINGLE, b"]<24.100>", b"\r\n"),
        (SINGLE, b"]<26.1>", b""),
        (SINGLE, b"]<4294967295.1>", b""),
        (SINGLE, b"TEXT]<2.2>", b"dy"),
        (SINGLE, b"HEADER.FIELDS (X)]<2.3>", b" y\r"),
        (SINGLE, b"2]<0.5>", None),
        (NESTED, b"1]", b"first"),
        (NESTED, b"1.MIME]", b"Content-Type: text/plain\r\nX-Part: one\r\n\r\n"),
        (NESTED, b"1.1]", None),
        (NESTED, b"1.HEADER]", None),
        (NESTED, b"2.MIME]", b"Content-Type: message/rfc822\r\n\r\n"),
        (
            NESTED,
            b"2.HEADER]",
            b"Subject: inner\r\nTo: b@example.org\r\n"
            b"Content-Type: multipart/alternative; boundary=i\r\n\r\n",
        ),
        (NESTED, b"2.HEADER.FIELDS (to)]", b"To: b@example.org\r\n\r\n"),
        (
            NESTED,
            b"2.TEXT]",
            b"--i\r\nContent-Type: text/plain\r\n\r\nplain\r\n--i\r\n\r\n\r\n--i--\r\nepilogue",
        ),
        (NESTED, b"2.1]", b"plain"),
        (NESTED, b"2.1.MIME]", b"Content-Type: text/plain\r\n\r\n"),
        (NESTED, b"2.2]", b""),
        (NESTED, b"2.3]", None),
        (NESTED, b"3.1]", b"text"),
        (NESTED, b"3.2]", None),
        (NESTED, b"3]", b"Subject: simple\r\n\r\ntext"),
        (NESTED, b"3]<9.6>", b"simple"),
        (NESTED, b"4]", None),
        # the empty line is there only if the message has one
        (b"", b"]", b""),
        (b"", b"HEADER.FIELDS (a)]", b""),
        (b"A: b\r\n", b"HEADER]", b"A: b\r\n"),
        (b"A: b\r\n", b"HEADER.FIELDS (a)]", b"A: b\r\n"),
        (b"A: b\r\n", b"TEXT]", b""),
        (b"A: b", b"HEADER.FIELDS (a)]", b"A: b"),
        (b"\r\nbody", b"HEADER.FIELDS (a)]", b"\r\n"),
        (b"\r\nbody", b"1]", b"body"),
        # bare LF is somebody's octets like any other
        (b"A: b\nC: d\n e\n\nbody\n", b"HEADER.FIELDS (c)]", b"C: d\n e\n\n"),
        (b"A: b\nC: d\n e\n\nbody\n", b"TEXT]", b"body\n"),
        (
            b"A: \xe4\xff\r\nB : c\r\n\r\n\0",
            b"HEADER.FIELDS (A B)]",
            b"A: \xe4\xff\r\nB : c\r\n\r\n",
        ),
        (b"A: \xe4\xff\r\nB : c\r\n\r\n\0", b"TEXT]", b"\0"),
    ],
)
def test_cuts(raw: bytes, spec: bytes, octets: bytes | None) -> None:
    assert octets_of(raw, spec) == octets


def test_long_pieces_are_left_to_the_driver() -> None:
    message = Message(BlobId(3), 200_000, 100, _never, _never_layout)
    assert message.piece(cut(b"", Section(text="TEXT"))) == BlobRange(BlobId(3), 100, 199_900)
    partial = cut(b"", Section(text="TEXT"), Partial(50, INLINE_SIZE + 1))
    assert message.piece(partial) == BlobRange(BlobId(3), 150, INLINE_SIZE + 1)


def test_only_the_range_asked_for_is_read() -> None:
    asked: list[tuple[int, int]] = []

    def octets(offset: int, length: int | None) -> bytes:
        assert length is not None
        asked.append((offset, length))
        return b"x" * length

    message = Message(BlobId(3), 9_000_000, 100, octets, _never_layout)
    message.piece(cut(b"", Section(text="HEADER")))
    message.piece(cut(b"", Section(), Partial(8_999_990, 50)))
    message.piece(cut(b"", Section(), Partial(9_000_000, 50)))
    assert asked == [(0, 100), (8_999_990, 10)]


def test_a_body_that_is_shorter_than_its_row_says_is_damaged() -> None:
    message = Message(BlobId(3), 20, 10, lambda _offset, _length: b"short", _never_layout)
    with pytest.raises(Corrupt):
        message.piece(cut(b"", Section()))


def _never(offset: int, length: int | None) -> bytes:
    raise AssertionError((offset, length))


def _never_layout() -> None:
    raise AssertionError


lines = st.lists(
    st.sampled_from(
        [
            b"From: a\r\n", b"from : b\n", b"FROM:c\r\n", b" folded: to: x\r\n", b"\tTo: y\n",
            b"To: d\r\n", b"garbage\r\n", b":x\r\n", b"X-To: e\r\n", b"To\r\n", b"To: \xff\r",
        ]
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


@given(
    lines,
    st.sets(st.sampled_from([b"From", b"to", b"X-TO", b"", b"a b", b"(", b"x"])),
    st.booleans(),
)
def test_the_fast_choice_of_fields_is_the_slow_one(
    block: bytes, chosen: set[bytes], others: bool
) -> None:
    block += b"X: z\r\n"
    slow = pick_fields(block, {name.lower() for name in chosen}, others=others)
    assert choose(chosen, others=others)(block) == slow
    assert choose(chosen, others=others)(block + b"\r\n") == slow + b"\r\n"


@given(lines, st.booleans())
def test_many_names_choose_as_few_do(block: bytes, others: bool) -> None:
    few = [b"From", b"To"]
    many = few + [b"Never-%d" % n for n in range(100)]
    assert choose(many, others=others)(block) == choose(few, others=others)(block)
