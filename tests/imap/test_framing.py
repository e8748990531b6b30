"""Octets to commands (RFC 3501 §2.2.1, §4.3; RFC 7888)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.base.limits import ImapLimits
from mailserver.imap.framing import Command, Frame, Framer, GoOn, Refusal

LIMITS = ImapLimits(command_size=200, literal_size=50, prelogin_command_size=60, append_size=100)


def carries_message(line: bytes) -> bool:
    return re.match(rb"\S+ APPEND (?!\{\d+\+?\}\Z)", line) is not None


def framer(*, is_open: bool = True) -> Framer:
    f = Framer(LIMITS, carries_message)
    if is_open:
        f.log_in()
    return f


def frames(f: Framer, *pieces: bytes) -> list[Frame]:
    out: list[Frame] = []
    for piece in pieces:
        f.feed(piece)
        while (frame := f.next()) is not None:
            out.append(frame)
            if isinstance(frame, Refusal) and frame.is_fatal:
                return out
    return out


@pytest.mark.rfc(3501, "4.3")
@pytest.mark.rfc(7888, "3", "4")
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a NOOP\r\n", [Command(b"a NOOP")]),
        (b"a NOOP\n", [Command(b"a NOOP")]),
        (b"\r\n", [Command(b"")]),
        (b"a NOOP\r\nb NOOP\r\nc", [Command(b"a NOOP"), Command(b"b NOOP")]),
        (b"a LOGIN {5}\r\nalice pw\r\n", [GoOn(), Command(b"a LOGIN {5}\r\nalice pw")]),
        (b"a LOGIN {5+}\r\nalice pw\r\n", [Command(b"a LOGIN {5+}\r\nalice pw")]),
        (
            b"a LOGIN {5}\r\nalice {2}\r\npw\r\n",
            [GoOn(), GoOn(), Command(b"a LOGIN {5}\r\nalice {2}\r\npw")],
        ),
        (b"a X {3+}\r\n\r\n\n\r\n", [Command(b"a X {3+}\r\n\r\n\n")]),
        (b"a X {4+}\r\n{9}\n\r\n", [Command(b"a X {4+}\r\n{9}\n")]),
        (b"a X {0}\r\n\r\n", [GoOn(), Command(b"a X {0}\r\n")]),
        (
            b"a X {51}\r\nb NOOP\r\n",
            [Refusal(b"a", "TOOBIG", "Literal too large"), Command(b"b NOOP")],
        ),
        (b"a X {51+}\r\n", [Refusal(b"a", "TOOBIG", "Literal too large", is_fatal=True)]),
        (b"a X {99999999999}\r\n", [Refusal(b"a", "TOOBIG", "Literal too large")]),
        (b"a APPEND b (x) {5}\r\n", [Command(b"a APPEND b (x) {5}", has_message=True)]),
        (b"a APPEND b {10737418240}\r\n", [Command(b"a APPEND b {10737418240}", has_message=True)]),
        (
            b"a APPEND b {10737418240+}\r\n",
            [Refusal(b"a", "TOOBIG", "Literal too large", is_fatal=True)],
        ),
        # a message that comes, and that nobody asked for, is read and forgotten
        (
            b"a APPEND b {9+}\r\na NOOP\r\n\n\r\nc NOOP\r\n",
            [Command(b"a APPEND b {9+}", has_message=True), Command(b"c NOOP")],
        ),
        (
            b"a APPEND b {1+}\r\nx {2+}\r\nyy {0+}\r\n\r\nc NOOP\r\n",
            [Command(b"a APPEND b {1+}", has_message=True), Command(b"c NOOP")],
        ),
        (
            b"a APPEND b {1+}\r\nx {101+}\r\n",
            [
                Command(b"a APPEND b {1+}", has_message=True),
                Refusal(b"*", "TOOBIG", "Literal too large", is_fatal=True),
            ],
        ),
        (b"a APPEND {1+}\r\nb {5}\r\n", [Command(b"a APPEND {1+}\r\nb {5}", has_message=True)]),
        (
            b"a " + b"x" * 300 + b"\r\nb NOOP\r\n",
            [Refusal(b"a", "TOOBIG", "Command too long"), Command(b"b NOOP")],
        ),
        (
            b"x" * 300 + b" {3+}\r\n\r\n.\r\nb NOOP\r\n",
            [Refusal(b"*", "TOOBIG", "Command too long"), Command(b"b NOOP")],
        ),
    ],
)
def test_frames(data: bytes, said: list[Frame]) -> None:
    assert frames(framer(), data) == said
    assert frames(framer(), *(data[i : i + 1] for i in range(len(data)))) == said


def test_limits_are_narrow_before_login() -> None:
    f = framer(is_open=False)
    assert frames(f, b"a LOGIN {61}\r\n") == [Refusal(b"a", "TOOBIG", "Literal too large")]
    assert frames(f, b"a LOGIN {40+}\r\n" + b"x" * 40 + b"y" * 40 + b"\r\n") == [
        Refusal(b"a", "TOOBIG", "Command too long")
    ]
    assert frames(f, b"a APPEND b {100+}\r\n")[0] == Refusal(
        b"a", "TOOBIG", "Literal too large", is_fatal=True
    )
    f = framer(is_open=False)
    f.log_in()
    assert frames(f, b"a " + b"x" * 150 + b"\r\n") == [Command(b"a " + b"x" * 150)]


def test_message_is_taken_in_pieces() -> None:
    f = framer()
    f.feed(b"a APPEND b {10+}\r\n01234")
    assert f.next() == Command(b"a APPEND b {10+}", has_message=True)
    f.message()
    assert f.take(10) == b"01234"
    assert f.take(5) == b""
    f.feed(b"56789\r\nb NOOP\r\n")
    assert f.take(5) == b"56789"
    assert f.line() == b""
    assert f.next() == Command(b"b NOOP")


@pytest.mark.rfc(3501, "7.5")
def test_continued_lines() -> None:
    f = framer()
    f.feed(b"DO")
    assert f.line() is None
    f.feed(b"NE\r\n*\r\n")
    assert f.line() == b"DONE"
    assert f.line() == b"*"
    f.feed(b"x" * 20_000)
    with pytest.raises(PeerError):
        f.line()
    f.feed(b"x\r\nnext\r\n")
    assert f.line() == b"next"
    f.feed(b"x" * 20_000 + b"\r\nb NOOP\r\n")
    with pytest.raises(PeerError):
        f.line()
    assert f.next() == Command(b"b NOOP")


@pytest.mark.rfc(3501, "6.2.1")
def test_clear_forgets_everything() -> None:
    f = framer()
    f.feed(b"a APPEND b {10+}\r\nxx")
    f.next()
    f.clear()
    assert f.held == 0
    assert frames(f, b"b NOOP\r\n") == [Command(b"b NOOP")]


def test_many_empty_literals_in_what_is_skipped() -> None:
    f = framer()
    assert frames(f, b"a APPEND b {1+}\r\nx" + b"{0+}\r\n" * 100_000) == [
        Command(b"a APPEND b {1+}", has_message=True)
    ]
    assert f.held < 100


WORDS = st.sampled_from(
    [
        *(
            b"a ",
            b"LOGIN ",
            b"APPEND ",
            b"b ",
            b"{3}\r\n",
            b"{3+}\r\n",
            b"{60+}\r\n",
            b"{60}\r\n",
            b"{7",
        ),
        *(
            b"+}",
            b"\r\n",
            b"\n",
            b"\r",
            b"x",
            b" ",
            b"abc",
            b'"',
            b"y" * 90,
            b"{200+}\r\n",
            b"{0}\r\n",
            b"\x00",
        ),
    ]
)


@given(st.lists(WORDS, max_size=30).map(b"".join), st.booleans(), st.integers(1, 7))
def test_byte_by_byte_equals_at_once(data: bytes, is_open: bool, step: int) -> None:
    at_once = frames(framer(is_open=is_open), data)
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    assert frames(framer(is_open=is_open), *pieces) == at_once


@given(st.lists(st.binary(), max_size=10))
def test_garbage_is_bounded(pieces: list[bytes]) -> None:
    f = framer()
    for piece in pieces:
        frames(f, piece)
        assert f.held <= LIMITS.command_size + 64


@pytest.mark.rfc(3502, "2")
def test_what_follows_a_message() -> None:
    """It may announce the next one, which is skipped unless somebody wants it."""
    f = framer()
    f.feed(b"a APPEND b {1+}\r\nx (\\Seen) {3")
    assert f.next() == Command(b"a APPEND b {1+}", has_message=True)
    f.message()
    assert f.take(1) == b"x"
    assert f.rest() is None
    f.feed(b"+}\r\nyyy {2+}\r\nzz\r\nb NOOP\r\n")
    assert f.rest() == b" (\\Seen) {3+}"
    f.message()
    assert f.take(3) == b"yyy"
    assert f.rest() == b" {2+}"
    assert f.next() == Command(b"b NOOP")


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_what_follows_a_message_may_be_too_long(step: int) -> None:
    f = framer()
    f.feed(b"a APPEND b {1+}\r\nx")
    f.next()
    f.message()
    f.take(1)
    data = b" " * 300 + b"{5+}\r\nz\r\nyy\r\nb NOOP\r\n"
    said = None
    for start in range(0, len(data), step):
        f.feed(data[start : start + step])
        if said is None:
            try:
                assert f.rest() is None
            except PeerError as error:
                said = str(error)
    assert said == "command too long"
    assert frames(f, b"") == [Command(b"b NOOP")]
