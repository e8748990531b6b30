"""The content of DATA: its end, its dots, its line ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.smtp.data import Content
from smtp.stuffed import stuff

LINES = st.lists(
    st.one_of(st.sampled_from([b"", b".", b"..", b"...", b"QUIT"]), st.binary(max_size=8)).map(
        lambda line: line.replace(b"\r", b"").replace(b"\n", b"")
    ),
    max_size=8,
).map(lambda lines: b"".join(line + b"\r\n" for line in lines))


def read(wire: bytes, chop: int = 0, limit: int = 10_000) -> tuple[bytes, bytes | None, Content]:
    """What the reader makes of *wire*: content, rest, and itself."""
    content = Content(limit)
    got = b""
    step = chop or len(wire) or 1
    for start in range(0, len(wire), step):
        piece, rest = content.feed(wire[start : start + step])
        got += piece
        if rest is not None:
            return got, rest + wire[start + step :], content
    return got, None, content


@pytest.mark.rfc(5321, "4.1.1.4", "4.5.2")
@pytest.mark.parametrize("chop", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("wire", "content", "rest"),
    [
        (b".\r\n", b"", b""),
        (b"a\r\n.\r\n", b"a\r\n", b""),
        (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n"),
        (b"\r\n.\r\n", b"\r\n", b""),
        (b"..\r\n.\r\n", b".\r\n", b""),
        (b".a\r\n.\r\n", b"a\r\n", b""),
        (b"a\r\n..b\r\n...\r\n.\r\n", b"a\r\n.b\r\n..\r\n", b""),
        (b"a.\r\n.\r\n", b"a.\r\n", b""),
        (b"a\r\n.\r\n.\r\n", b"a\r\n", b".\r\n"),
        (b"\x00\x80\xff\r\n.\r\n", b"\x00\x80\xff\r\n", b""),
    ],
)
def test_the_end_and_the_dots(wire: bytes, content: bytes, rest: bytes, chop: int) -> None:
    got, left, reader = read(wire, chop)
    assert (got, left) == (content, rest)
    assert reader.size == len(content)
    assert not reader.is_bare


SMUGGLED = b"MAIL FROM:<evil@example.test>\r\n"
ALMOST = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
    b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\r\n.\r\n\r"[:-5] + b".\r\r\n", b"\r\n.\r\r\n", b"\n\n.\r\n",
    b"\r\n .\r\n", b"\r\n. \r\n", b"\r\n.\x0b\r\n", b"\r\n\x85.\r\n", b"\x0c.\x0c",
]  # fmt: skip


@pytest.mark.rfc(5321, "4.1.1.4")
@pytest.mark.parametrize("chop", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("almost", ALMOST, ids=repr)
def test_nothing_else_ends_a_message(almost: bytes, chop: int) -> None:
    """SMTP smuggling: what looks like an end to others is content to us, and bare CR or LF makes it void."""
    wire = b"a" + almost + SMUGGLED + b"b\r\n.\r\n"
    got, rest, reader = read(wire, chop)
    assert rest == b""
    lone = almost.replace(b"\r\n", b"")
    assert reader.is_bare == (b"\r" in lone or b"\n" in lone)
    if not reader.is_bare:
        assert SMUGGLED in got


@given(LINES, st.integers(0, 9))
def test_round_trip_in_any_pieces(content: bytes, chop: int) -> None:
    got, rest, reader = read(stuff(content) + b"NOOP\r\n", chop)
    assert got == content
    assert rest == b"NOOP\r\n"
    assert reader.size == len(content)


@given(st.text("\r\n.a", max_size=30).map(str.encode), st.integers(1, 7))
def test_pieces_do_not_matter(wire: bytes, chop: int) -> None:
    at_once, rest, one = read(wire)
    in_pieces, left, other = read(wire, chop)
    assert rest == left
    assert one.is_bare == other.is_bare
    assert one.size == other.size
    if rest is None:
        held = len(wire) - one.size
        assert held >= 0
    if not one.is_bare:
        assert at_once == in_pieces


@pytest.mark.rfc(1870, "5", "6.1")
def test_the_limit_counts_octets_without_stuffed_dots() -> None:
    assert not read(b"..\r\n.\r\n", limit=3)[2].is_large
    got, rest, reader = read(b"....\r\n" * 3 + b".\r\nX", chop=4, limit=10)
    assert reader.is_large
    assert rest == b"X"
    assert len(got) <= 10


def test_a_refused_message_is_not_kept() -> None:
    content = Content(1_000_000)
    assert content.feed(b"a\nb\r\nmore") == (b"", None)
    assert content.feed(b"c" * 1000) == (b"", None)
    assert content.feed(b"\r\n.\r\n") == (b"", b"")
