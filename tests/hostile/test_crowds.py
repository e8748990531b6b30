"""Many connections at once: slow ones, silent ones, too many of them, and clients that take nothing.

Spec: RFC 5321 §3.8, §4.5.3.2; RFC 3501 §5.4.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from hostile.neighbour import beside, besieged, pour, raw
from outside.mail import big
from outside.server import Ours
from outside.wire import Imap

SHORT = (
    "limits:\n"
    "  smtp: {idle_commands: 1000000, idle_timeout_s: 2.0, data_timeout_s: 1.0, data_rate: 10000}\n"
    "  imap: {prelogin_timeout_s: 2.0, write_timeout_s: 2.0}\n"
    "  connections: {total: 300, per_address: 100, unauthenticated: 200, tls_handshake_s: 1.0}\n"
)


@pytest.fixture(scope="module")
def short() -> Iterator[Ours]:
    with besieged(SHORT, count=4) as ours:
        yield ours


def is_cut_off(sock: socket.socket) -> bool:
    """The server has hung up, seen without waiting."""
    sock.setblocking(False)
    try:
        while sock.recv(1 << 18):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@pytest.mark.rfc(5321, "4.5.3.2")
@pytest.mark.parametrize(
    ("which", "begin"),
    [
        ("smtp", b""),
        ("submission", b"EHLO a.test\r\nAUTH LOGIN\r\n"),
        ("smtp", b"EHLO a.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<u02@example.test>\r\nDATA\r\nX: "),
        ("imap", b""),
        ("imap", b"a LOGIN {10}\r\n"),
        ("imaps", b"\x16\x03\x01"),
        ("submissions", b""),
    ],
    ids=["smtp", "auth", "data", "imap", "literal", "imaps", "submissions"],
)  # fmt: skip
def test_one_octet_at_a_time(short: Ours, which: str, begin: bytes) -> None:
    """Each octet keeps a naive timeout away; all the same 90 connections are gone after two of ours, and twice that."""
    with ExitStack() as open_sockets, beside(short):
        crowd = [
            open_sockets.enter_context(raw(short, which, f"127.0.6.{1 + n % 3}")) for n in range(90)
        ]
        for sock in crowd:
            pour(sock, begin)
            sock.setblocking(False)
        end = time.monotonic() + 8
        while crowd and time.monotonic() < end:
            for sock in crowd:
                with suppress(OSError):
                    sock.send(b"x")
            time.sleep(0.2)
            crowd = [sock for sock in crowd if not is_cut_off(sock)]
        assert not crowd, f"{len(crowd)} are still served"


@pytest.mark.rfc(5321, "3.8")
def test_more_connections_than_allowed(short: Ours) -> None:
    """Turned away in the protocol's words; who is inside stays inside, and afterwards there is room again."""
    with ExitStack() as open_sockets, beside(short):
        for which, words in (("smtp", b"421 4.3.2 "), ("imap", b"* BYE [UNAVAILABLE] ")):
            crowd = [open_sockets.enter_context(raw(short, which, "127.0.7.1")) for _ in range(150)]
            greetings = [sock.recv(500) for sock in crowd]
            assert sum(g.startswith(words) for g in greetings) == 50, "one address, 100 connections"
            more = [
                open_sockets.enter_context(raw(short, which, f"127.0.7.{n}")) for n in range(2, 202)
            ]
            turned_away = sum(sock.recv(500).startswith(words) for sock in more)
            assert turned_away >= 100, "200 strangers in all"
            for sock in crowd + more:
                sock.close()
            time.sleep(0.3)


def test_clients_that_take_nothing(short: Ours, full: Callable[[int, int], int]) -> None:
    """100 MB asked for on each of ten connections, nothing read: little of it is held, and the connections end."""
    account = short.accounts[2]
    with Imap(short, account) as imap:
        imap.append("INBOX", big("large", 10_000_000))
    with beside(short, memory=200_000_000), ExitStack() as open_sockets:
        crowd = []
        for _ in range(full(10, 60)):
            sock = open_sockets.enter_context(raw(short, "imap", "127.0.8.1"))
            login = f'l LOGIN "{account.address}" "{account.password}"\r\ns SELECT INBOX\r\n'
            pour(sock, login.encode() + b"f FETCH 1 BODY.PEEK[]\r\n" * 10)
            crowd.append(sock)
        time.sleep(4.0)
        for sock in crowd:
            sock.settimeout(10)
            taken = 0
            with suppress(ConnectionError):
                while data := sock.recv(1 << 18):
                    taken += len(data)
            assert taken < 50_000_000, "cut off long before the end"
