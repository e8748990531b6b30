"""IMAP clients that mean harm: each attack is refused in bounds, and the user next door notices nothing."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from hostile.neighbour import beside, hear, is_alive, pour, raw
from outside.mail import big, message
from outside.meter import memory
from outside.server import Ours
from outside.wire import Gone, Imap, Refused, trusting


class TestLiterals:
    def test_a_literal_that_never_comes(self, server: Ours) -> None:
        before = memory(server.roots())
        with beside(server):
            socks = [raw(server, "imap", f"127.0.3.{n}") for n in range(1, 101)]
            for sock in socks:
                pour(sock, b"a LOGIN {100}\r\n")
            time.sleep(0.5)
            assert memory(server.roots()) - before < 64 * 2**20
            for sock in socks:
                sock.close()


class TestSyntax:
    def test_a_line_without_an_end(self, server: Ours) -> None:
        with beside(server):
            for login in (False, True):
                sock = raw(server, "imap")
                if login:
                    account = server.accounts[1]
                    pour(sock, f'l LOGIN "{account.address}" "{account.password}"\r\n'.encode())
                for _ in range(64):
                    if not pour(sock, b"x" * 1_000_000, 5):
                        break
                sock.close()

    @pytest.mark.parametrize(
        "command",
        [
            "SEARCH " + "(" * 100_000,
            "SEARCH " + "(" * 20_000 + "ALL" + ")" * 20_000,
            "SEARCH " + "NOT " * 50_000 + "ALL",
            "SEARCH " + "OR " * 50_000 + "ALL " * 50_001,
            "SEARCH " + "ALL " * 100_000 + "ALL",
            "SEARCH " + "OR BODY a " * 20_000 + "ALL",
            "SEARCH BODY " + '"' + "a" * 400_000 + '"',
            "SEARCH HEADER X-A " + '"' + "a*" * 100_000 + '"',
            "FETCH 1:* (" + "FLAGS " * 100_000 + "UID)",
            "FETCH 1 (BODY[" + "1." * 100_000 + "1])",
            "FETCH 1 BODY[HEADER.FIELDS (" + "X " * 100_000 + "Y)]",
            "FETCH 1 (" + " ".join(f"BODY.PEEK[]<{n}.1>" for n in range(20_000)) + ")",
            "FETCH " + ",".join(f"{n}:{n + 1}" for n in range(1, 150_000, 2)) + " FLAGS",
            "FETCH " + "1:4294967295," * 50_000 + "1 FLAGS",
            "STORE 1 FLAGS (" + " ".join(f"k{n}" for n in range(50_000)) + ")",
            "LIST " + '""' + " (" * 10_000,
            'LIST "" ' + "*%" * 200_000,
            "STATUS INBOX (" + "MESSAGES " * 100_000 + "UNSEEN)",
            "CREATE " + "a/" * 50_000 + "b",
            "CREATE " + "&" * 100_000,
            "CREATE " + "&AAAA" * 20_000 + "-",
            "AUTHENTICATE PLAIN " + "A" * 500_000,
            "ID (" + '"a" "b" ' * 100_000 + ")",
            "ENABLE " + "X " * 200_000 + "Y",
            "UID EXPUNGE " + "1," * 300_000 + "1",
            "\0" * 1000,
            "NOOP \0",
            "LOGIN \0 \0",
            "é" * 10_000,
        ],
        ids=lambda command: command[:20].replace("\0", "NUL"),
    )
    def test_a_monstrous_command(self, server: Ours, command: str) -> None:
        with beside(server), Imap(server, server.accounts[1]) as imap:
            if not imap.append("INBOX", message("to be searched")):
                raise AssertionError("no UID")
            imap.select("INBOX")
            started = time.monotonic()
            try:
                imap.do(command)
                assert imap.do("NOOP").status == b"OK"
            except (Gone, OSError):
                pass
            assert time.monotonic() - started < 10
        assert is_alive(server)

    def test_patterns_that_would_never_end(self, server: Ours) -> None:
        with Imap(server, server.accounts[2]) as imap:
            for n in range(40):
                imap.do(f"CREATE {'a' * 60}{n}/{'a' * 60}/{'a' * 60}")
            with beside(server):
                for pattern in (
                    "*a" * 40 + "b",
                    "%a" * 40 + "b",
                    "*%" * 60 + "b",
                    "a*" * 60 + "z",
                    "%/%/%/%/%*%*%b",
                ):
                    started = time.monotonic()
                    imap.ok(f'LIST "" "{pattern}"')
                    assert time.monotonic() - started < 3, pattern

    def test_garbage_ends_the_connection(self, server: Ours) -> None:
        with beside(server):
            sock = raw(server, "imap")
            for n in range(2000):
                if not pour(sock, b"t%d \xff\xfe{{{ garbage\r\n" % n, 2):
                    break
            assert b"BAD" in hear(sock, 2)
            sock.close()


class TestFlow:
    def test_a_client_that_never_reads(self, server: Ours) -> None:
        """Asks for 2 GB and takes nothing: what waits for it stays bounded."""
        with Imap(server, server.accounts[3]) as imap:
            imap.append("INBOX", big("large", 5_000_000))
        with beside(server):
            socks = []
            for _ in range(4):
                sock = raw(server, "imap")
                account = server.accounts[3]
                pour(
                    sock,
                    f'l LOGIN "{account.address}" "{account.password}"\r\ns SELECT INBOX\r\n'.encode(),
                )
                pour(sock, b"".join(b"f%d FETCH 1 BODY.PEEK[]\r\n" % n for n in range(100)), 5)
                socks.append(sock)
            time.sleep(3)
            for sock in socks:
                sock.close()

    def test_thousands_of_commands_at_once(
        self, server: Ours, full: Callable[[int, int], int]
    ) -> None:
        count = full(2_000, 10_000)
        with beside(server), Imap(server, server.accounts[1]) as imap:
            imap.select("INBOX")
            imap.wire.send(b"".join(b"n%d NOOP\r\n" % n for n in range(count)))
            answers = [imap.wire.line() for _ in range(count)]
            assert [a.split()[0] for a in answers if not a.startswith(b"*")] == [
                b"n%d" % n for n in range(count)
            ]

    @pytest.mark.parametrize("command", [b"NOOP", b"CAPABILITY", b"ID NIL", b"LOGIN x", b""])
    def test_a_megabyte_of_commands_before_login(self, server: Ours, command: bytes) -> None:
        """Answered one after the other, or cut off; nobody else waits for the last of them."""
        line = b"n " + command + b"\r\n"
        with beside(server):
            sock = raw(server, "imap")
            reader = threading.Thread(target=hear, args=(sock, 20), daemon=True)
            reader.start()
            if pour(sock, line * (1_000_000 // len(line))):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_WR)
            reader.join(20)
            sock.close()

    def test_slow_clients_wait_alone(self, server: Ours) -> None:
        with beside(server):
            socks = [raw(server, "imap", f"127.0.2.{n % 250 + 1}") for n in range(300)]
            for turn in range(6):
                for sock in socks:
                    pour(sock, b"a1 LO"[turn % 5 :][:1], 2)
                time.sleep(0.2)
            for sock in socks:
                sock.close()

    @pytest.mark.rfc(9051, "6.2.3")
    def test_passwords_cannot_be_tried_for_ever(self, server: Ours) -> None:
        with beside(server):
            imap = Imap(server, timeout_s=30)
            tries = 0
            try:
                for _ in range(50):
                    assert imap.do(f"LOGIN {server.accounts[4].address} wrong").status == b"NO"
                    tries += 1
            except (Gone, OSError):
                pass
            imap.close()
            assert tries < 20
        with Imap(server, server.accounts[4]) as again:
            assert again.do("NOOP").status == b"OK"

    def test_connections_by_the_thousand(
        self, server: Ours, full: Callable[[int, int], int]
    ) -> None:
        """Garbage from many addresses, connection after connection; 100,000 of them with MAILSERVER_TESTS=full."""
        kinds = [
            b"",
            b"\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00" + b"\xab" * 512,
            b"EHLO x\r\n",
            b"\0" * 4096,
        ]
        kinds += [
            b"a LOGIN {5}\r\n",
            b"a1 CAPABILITY\r\na2 LOGOUT\r\n",
            bytes(range(256)) * 8,
            b"{99999999999}\r\n",
        ]
        ports = ("imap", "imaps", "smtp", "submission", "submissions")
        with beside(server):
            end = time.monotonic() + full(20, 1800)
            for n in range(full(3_000, 100_000)):
                source = f"127.0.{4 + n // 250 % 200}.{n % 250 + 1}"
                try:
                    sock = raw(server, ports[n % len(ports)], source, 5)
                except OSError:
                    continue
                pour(sock, kinds[n % len(kinds)], 1)
                sock.close()
                if time.monotonic() > end:
                    break
            assert n > full(1_000, 50_000), f"only {n} connections in time"
        assert is_alive(server)


def test_every_refusal_is_an_answer(server: Ours) -> None:
    """After BAD the session goes on, until there were too many of them."""
    with Imap(server, server.accounts[1]) as imap:
        for command in (
            "FOO",
            "SELECT",
            "FETCH 1 FLAGS",
            "UID",
            "SELECT nosuch",
            "STORE 1",
            "SEARCH CHARSET X ALL",
        ):
            with pytest.raises(Refused):
                imap.ok(command)
        assert imap.do("NOOP").status == b"OK"


def test_tls_garbage(server: Ours) -> None:
    """Half a handshake, rubbish as a handshake, plain text as a handshake."""
    with beside(server):
        for data in (
            b"\x16\x03\x01\x02\x00\x01",
            b"\x00" * 10_000,
            b"a LOGIN b c\r\n",
            b"\x80" * 500,
        ):
            sock = raw(server, "imaps")
            pour(sock, data, 2)
            sock.close()
    assert trusting()
    with Imap(server, server.accounts[1], tls=True) as imap:
        assert imap.do("NOOP").status == b"OK"
