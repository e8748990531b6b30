"""The player: what it accepts, and above all what it does not let pass."""

import contextlib
import socket
import threading

import pytest

from transcript import Mismatch, SocketFeed, play, read


class Shop:
    """A line server: SAY x answers x, COUNT answers a growing number, DATA reads to ".", QUIT ends."""

    def __init__(self, greeting: bytes = b"") -> None:
        self.waiting = greeting
        self.buffer = b""
        self.count = 0
        self.in_data = False
        self.closed = False
        self.is_tls = False

    def __call__(self, data: bytes) -> bytes:
        out, self.waiting = self.waiting, b""
        self.buffer += data
        while b"\r\n" in self.buffer:
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            out += self.answer(line)
        return out

    def answer(self, line: bytes) -> bytes:
        if self.in_data:
            self.in_data = line != b"."
            return b"" if self.in_data else b"done\r\n"
        word, _, rest = line.partition(b" ")
        match word:
            case b"SAY":
                return rest + b"\r\n"
            case b"RAW":
                return rest
            case b"COUNT":
                self.count += 1
                return b"* (%d) [X %d]\r\nok\r\n" % (self.count, self.count + 70)
            case b"LIST":
                return b"".join(b"* %s\r\n" % x for x in rest.split()) + b"ok\r\n"
            case b"LEN":
                return b"%d\r\n" % len(rest)
            case b"DATA":
                self.in_data = True
            case b"QUIT":
                self.closed = True
                return b"bye\r\n"
        return b""

    def start_tls(self) -> None:
        self.is_tls = True


GOOD = {
    "plain": "C: SAY one two\nS: one two",
    "comment": "# RFC 1 §1\n\nC: SAY a\n# between\nS: a\n",
    "pipelined": "C: SAY a\nC: SAY b\nS: a\nS: b",
    "capture": "C: COUNT\nS: * ({n}) [X {id}]\nS: ok\nC: SAY {id} {n}\nS: {id} {n}\nS: ...",
    "captured twice": "C: SAY 7-7\nS: {x}-{x}",
    "data": "C: DATA\nC: Subject: x\nC:\nC: text\nC: .\nS: done",
    "literal is no name": "C: SAY {5} {5+}\nS: {5} {5+}",
    "backslash": "C: SAY (\\Seen \\Deleted)\nS: (\\Seen \\Deleted)",
    "escape": "C: SAY \\x7bn} \\x00\\xff\nS: \\x7bn} \\x00\\xff",
    "repeat": "C: LEN {3000*ab}\nS: 6000\nC: SAY {3*x}\nS: xxx",
    "no end": "C: SAY on\\\nC: e\nS: one",
    "no end back": "C: RAW abc\nS: abc\\",
    "rest of line": "C: SAY a1 OK done and gone\nS: a1 OK ...",
    "some lines": "C: LIST a b c\nS: ...\nS: * c\nS: ok",
    "no lines": "C: LIST\nS: ...\nS: ok",
    "rest of lines": "C: LIST a b\nS: * a\nS: ...",
    "closed": "C: QUIT\nS: bye\nS: [closed]",
    "utf-8": "C: SAY Grüße\nS: Grüße",
    "silence": "C: DATA",
}

BAD = {
    "wrong": ("C: SAY one\nS: two", ":2: expected\n    two\nbut the server said\n    one"),
    "prefix": ("C: SAY one\nS: on", ":2: expected"),
    "longer": ("C: SAY one\nS: one more", ":2: expected"),
    "silent": ("C: DATA\nS: ok", ":2: expected\n    ok\nbut the server said nothing"),
    "too much": ("C: SAY a\nC: SAY b\nS: a", "at the end the server said more"),
    "too much before": ("C: SAY a\n\nC1: SAY b\nS1: b\nC: SAY c", "before line 5 the server said"),
    "too little": ("C: SAY a\nS: a\nS: b", ":3: expected\n    b\nbut the server said nothing"),
    "order": ("C: LIST a b\nS: * b\nS: * a\nS: ok", ":2: expected"),
    "other token": (
        "C: COUNT\nS: * ({n}) ...\nS: ok\nC: COUNT\nS: * ({n}) ...",
        ":5: expected\n    * ({n}) ...      where {n} = 1\nbut the server said\n    * (2) [X 72]",
    ),
    "token is one word": ("C: SAY a b\nS: {x}", ":2: expected"),
    "token is not empty": ("C: SAY [X ]\nS: [X {x}]", ":2: expected"),
    "skipped past": ("C: LIST a b\nS: ...\nS: * c", ":3: expected"),
    "no CRLF": ("C: RAW abc\nS: abc", "(no CRLF here)"),
    "dot is a dot": ("C: SAY aXb\nS: a.b", ":2: expected"),
    "not closed": ("C: SAY a\nS: a\nS: [closed]", ":3: expected\n    [closed]"),
    "closed too early": ("C: QUIT\nS: [closed]", "before line 2 the server said more"),
}


@pytest.mark.parametrize("chop", [0, 1, 3])
@pytest.mark.parametrize("script", GOOD.values(), ids=GOOD)
def test_right_transcripts_pass(script, chop):
    play(script, Shop(), chop=chop)


@pytest.mark.parametrize("chop", [0, 1])
@pytest.mark.parametrize(("script", "text"), BAD.values(), ids=BAD)
def test_wrong_transcripts_are_caught(script, text, chop):
    with pytest.raises(Mismatch) as caught:
        play(script, {"": Shop(), "1": Shop()}, chop=chop)
    assert text in str(caught.value)


def test_greeting_and_unsolicited_lines():
    shop = Shop(b"hello\r\n")
    play("S: hello\nC: SAY x\nS: x", shop)
    with pytest.raises(Mismatch, match="the server said more"):
        play("C: SAY x\nS: x", {"": Shop(), "2": Shop(b"hello\r\n")})


def test_two_clients_and_what_was_captured():
    known = play(
        "C1: SAY {given}\nC2: COUNT\nS2: * ({n}) [X 71]\nS2: ok\nS1: 25\nC1: SAY {n}\nS1: 1",
        {"1": Shop(), "2": Shop()},
        known={"given": "25"},
    )
    assert known == {"given": "25", "n": "1"}


def test_directives_reach_the_client():
    shop = Shop()
    play("C: SAY a\nS: a\nC: [tls]\nC: SAY b\nS: b", shop)
    assert shop.is_tls


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("C: a\nX: b", r"move.txt:2: neither"),
        ("S:no space", r"move.txt:1: neither"),
        ("oops", r"move.txt:1: neither"),
    ],
)
def test_broken_lines_are_named(script, text):
    with pytest.raises(ValueError, match=text):
        list(read(script, "move.txt"))


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("C: {n}", "has no value yet"),
        ("C9: a", "no client '9'"),
        ("C: [close]", r"has no close\(\)"),
    ],
)
def test_transcripts_that_ask_for_what_is_not_there(script, text):
    with pytest.raises(ValueError, match=text):
        play(script, Shop())


def test_the_same_over_a_socket():
    """Every line that passes or fails in the process does so over a socket."""
    for script in GOOD.values():
        play(script, over_socket())
    with pytest.raises(Mismatch):
        play("C: SAY one\nS: two", over_socket())
    with pytest.raises(Mismatch, match="said nothing"):
        play("C: DATA\nS: ok", over_socket(timeout_s=0.05))
    with pytest.raises(Mismatch, match="said more"):
        play("C: SAY a\nC: SAY b\nS: a", over_socket())


def test_a_client_may_leave():
    feed = over_socket()
    play("C: SAY a\nS: a\nC: [close]", feed)
    assert feed.closed


def over_socket(timeout_s: float = 5.0) -> SocketFeed:
    ours, theirs = socket.socketpair()

    def serve() -> None:
        shop = Shop()
        with theirs, contextlib.suppress(BrokenPipeError):  # the client may have left
            while not shop.closed and (data := theirs.recv(4096)):
                for i in range(0, len(out := shop(data)), 3):
                    theirs.sendall(out[i : i + 3])

    threading.Thread(target=serve, daemon=True).start()
    return SocketFeed(ours, timeout_s)
