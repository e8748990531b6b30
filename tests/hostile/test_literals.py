"""IMAP literals that announce more than anybody could store.

Spec: RFC 3501 §4.3; RFC 7888 §4; RFC 4469 §4.1 (TOOBIG).
"""

import pytest

from hostile.neighbour import beside, last_words
from outside.server import Ours
from outside.wire import Gone, Imap

HUGE = 10 * 1024**3

BEFORE_LOGIN = [
    "LOGIN {%d%s}",
    "LOGIN alice {%d%s}",
    "APPEND INBOX {%d%s}",
    "SEARCH SUBJECT {%d%s}",
    "ID ({%d%s}",
]
AFTER_LOGIN = [
    "APPEND INBOX {%d%s}",
    "APPEND {%d%s}",
    r'APPEND INBOX (\Seen) "17-Jul-1996 02:44:25 -0700" {%d%s}',
    "APPEND nowhere {%d%s}",
    "SEARCH SUBJECT {%d%s}",
    "UID SEARCH CHARSET UTF-8 OR TEXT {3+}\r\nabc TEXT {%d%s}",
    "SELECT {%d%s}",
    "LIST {%d%s}",
    "FETCH 1 BODY[HEADER.FIELDS ({%d%s}",
    "NONSENSE {%d%s}",
    "{%d%s}",
]


def sessions(server: Ours, commands: list[str], size: int, *, logged_in: bool) -> None:
    account = server.accounts[1] if logged_in else None
    with Imap(server, account) as imap:
        if logged_in:
            imap.select("INBOX")
        for command in commands:  # refused before a single octet is asked for; the session goes on
            reply = imap.do(command % (size, ""))
            assert reply.status in {b"NO", b"BAD"}, command
            assert imap.do("NOOP").status == b"OK"
    for (
        command
    ) in commands:  # its octets are on their way, all of them: there is no session after that
        with Imap(server, account) as imap:
            if logged_in:
                imap.select("INBOX")
            imap.start(command % (size, "+"))
            assert any(line.startswith(b"* BYE") for line in last_words(imap)), command


@pytest.mark.rfc(7888, "4")
@pytest.mark.rfc(3501, "4.3")
@pytest.mark.parametrize("size", [HUGE, 99_999_999_999_999_999_999, 2**64])
def test_a_literal_of_10_gigabytes_is_announced(server: Ours, size: int) -> None:
    with beside(server):
        sessions(server, BEFORE_LOGIN, size, logged_in=False)
        sessions(server, AFTER_LOGIN, size, logged_in=True)


def test_a_number_that_is_no_number_announces_nothing(server: Ours) -> None:
    with beside(server), Imap(server, server.accounts[1]) as imap:
        for size in (
            "-1",
            "+5",
            "1e9",
            "9" * 21,
            "9" * 1000,
            "",
            " 5",
            "0x10",
            "5++",
            "5-+",
            "5 +",
        ):
            reply = imap.do("APPEND INBOX {" + size + "}")
            assert reply.status == b"BAD", size
            assert imap.do("NOOP").status == b"OK"


def test_octets_that_never_stop_after_a_literal_was_refused(server: Ours) -> None:
    """A client that does not wait for "+" and sends its 40 MB all the same: they are lines, and many errors end it."""
    with beside(server), Imap(server, server.accounts[1]) as imap:
        imap.start(f"APPEND INBOX {{{HUGE}}}")
        try:
            for _ in range(640):
                imap.wire.send(b"From: x\r\n" * 7_281)
        except OSError:
            pass
        assert last_words(imap)


def test_thousands_of_small_literals_before_log_in(server: Ours) -> None:
    """Each is small; together they are one command, and that has a bound (RFC 7888 §4)."""
    with beside(server):
        for literal in (b"{1+}\r\nx ", b"{0+}\r\n ", b"{1+}\r\nx"):
            with Imap(server) as imap:
                said = b""
                try:
                    imap.wire.send(b"a LOGIN " + literal * 50_000)
                    imap.wire.send(b"\r\nb NOOP\r\n")
                    while not said.startswith(b"b OK"):
                        said = imap.wire.line()
                        assert said.startswith((b"a BAD", b"* BYE", b"b OK", b"* BAD")), said
                except (Gone, OSError):
                    pass
        with Imap(server) as imap:  # synchronising ones: the server asks for each
            imap.wire.send(b"a LOGIN {1}\r\n")
            lines = []
            for _ in range(10_000):
                lines.append(imap.wire.line())
                if not lines[-1].startswith(b"+"):
                    break
                imap.wire.send(b"x {1}\r\n")
            assert lines[-1].startswith((b"a BAD", b"* BYE")), lines[-1]
            assert len(lines) < 10_000
