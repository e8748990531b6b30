"""A well-behaved user beside every attack, and the memory of the server while it lasts.

One bad client stops nobody else, and memory stays bounded whatever a client sends.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from outside.meter import Meter
from outside.server import Account, Ours, running
from outside.wire import Gone, Imap, Smtp

MEMORY = 300_000_000  #: octets, PSS, of all processes of the server
SLOWEST_S = 2.0  #: of any answer, where the attacker and other tests share the cores; TYPICAL_S is the stricter bound
TYPICAL_S = 0.5  #: of the answer in the middle

#: The usual limits, but for a neighbour who says EHLO for ever, and short pauses after wrong passwords and errors.
QUICK = (
    "limits:\n  smtp: {idle_commands: 1000000, error_delay_s: 0.05}\n  imap: {auth_delay_s: 0.05}\n"
)


class Neighbour(threading.Thread):
    """Somebody with one IMAP and one SMTP session who wants short answers, over and over.

    waits: seconds that each answer took.  trouble: what ended it before its time, "" if nothing.
    """

    def __init__(self, server: Ours, account: Account, pause_s: float = 0.02) -> None:
        super().__init__(daemon=True)
        self.waits: list[float] = []
        self.trouble = ""
        self._server, self._pause_s, self._over = server, pause_s, threading.Event()
        self._imap = Imap(server, account)
        self._imap.select("INBOX")
        self._smtp = Smtp(server)

    def run(self) -> None:
        try:
            while not self._over.wait(self._pause_s):
                for act in (
                    lambda: self._imap.ok("NOOP"),
                    self._smtp.hello,
                    lambda: self._imap.ok("STATUS Sent (MESSAGES UNSEEN)"),
                    lambda: self._smtp.ok("RSET"),
                ):
                    start = time.perf_counter()
                    act()
                    self.waits.append(time.perf_counter() - start)
        except Exception as error:
            self.trouble = repr(error)

    def stop(self) -> None:
        self._over.set()
        self.join(60)
        self._imap.close()
        self._smtp.close()


@contextmanager
def beside(
    server: Ours, *, memory: int = MEMORY, slowest_s: float = SLOWEST_S
) -> Iterator[Neighbour]:
    """Run an attack inside: the good user works meanwhile and is checked afterwards; `pytest -rP` shows the figures."""
    good = Neighbour(server, server.accounts[0])
    good.start()
    try:
        with Meter(server.roots(), every_s=0.2) as meter:
            yield good
            while len(good.waits) < 8 and good.is_alive():
                time.sleep(0.01)
    finally:
        good.stop()
    assert not good.trouble, f"{good.trouble}\n{server.tail()}"
    slowest, middle = max(good.waits), sorted(good.waits)[len(good.waits) // 2]
    print(
        f"BESIDE slowest {slowest * 1000:.0f} ms, middle {middle * 1000:.1f} ms of {len(good.waits)} answers;"
        f" peak {meter.peak / 1e6:.0f} MB; {meter.wall_s:.1f} s, server {meter.cpu_s:.1f} CPU s;"
        f" {os.environ.get('PYTEST_CURRENT_TEST', '')}"
    )
    assert slowest < slowest_s, f"an answer took {slowest:.1f} s"
    assert middle < TYPICAL_S, f"the usual answer took {middle:.2f} s"
    assert meter.peak < memory, f"the server held {meter.peak / 1e6:.0f} MB"


@contextmanager
def besieged(settings: str = QUICK, count: int = 16) -> Iterator[Ours]:
    """A server that has to be there afterwards, with a clean log."""
    with running(count=count, settings=settings) as ours:
        yield ours
        assert is_alive(ours)
        lines = ours.log.read_text(errors="replace").splitlines()
    bugs = [line for line in lines if "Traceback" in line or _is_error(line)]
    assert not bugs, "\n".join(line[:3000] for line in bugs[:10])


def _is_error(line: str) -> bool:
    try:
        return json.loads(line).get("level") in ("error", "critical")
    except ValueError:
        return True


def is_alive(server: Ours) -> bool:
    """The server is the process that was started, and logs a user in."""
    with Imap(server, server.accounts[1]) as imap:
        return imap.do("NOOP").status == b"OK" and server.process is not None


def last_words(imap: Imap) -> list[bytes]:
    """The lines that come until the server hangs up.  Raises TimeoutError when it does not."""
    lines: list[bytes] = []
    try:
        while True:
            lines.append(imap.wire.line())
    except Gone:
        return lines


def raw(
    server: Ours, which: str, source: str = "127.0.0.1", timeout_s: float = 10
) -> socket.socket:
    """A bare connection to a listener, from any loopback address."""
    return socket.create_connection(
        (server.host, server.ports[which]), timeout_s, source_address=(source, 0)
    )


def pour(sock: socket.socket, data: bytes, limit_s: float = 20) -> bool:
    """Send everything; False when the server hung up or took nothing more within the time."""
    sock.settimeout(limit_s)
    try:
        sock.sendall(data)
    except OSError:
        return False
    return True


def hear(sock: socket.socket, limit_s: float = 5) -> bytes:
    """Everything the server says until it hangs up or is silent for *limit_s*."""
    sock.settimeout(limit_s)
    heard = bytearray()
    try:
        while data := sock.recv(65536):
            heard += data
            if len(heard) > 1 << 22:
                break
    except OSError:
        pass
    return bytes(heard)
