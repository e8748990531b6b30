"""A well-behaved user beside every attack, and the memory of the server while it lasts.

Promises: memory is bounded by configuration whatever a client sends (P4); one bad client stops nobody else (P5).
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from outside.meter import memory
from outside.server import Account, Ours
from outside.wire import Gone, Imap, Smtp

MEMORY = 512 * 1024 * 1024  # octets, the whole process tree
LATENCY_S = 3.0  # of any answer, on a machine whose two cores the attacker shares
TYPICAL_S = 0.5  # of the answer in the middle


@dataclass
class Neighbour:
    """What the good user saw. waits: seconds for each round of commands; peak: octets of the server at most."""

    server: Ours
    account: Account
    waits: list[float] = field(default_factory=list)
    peak: int = 0
    trouble: str = ""

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._imap = Imap(self.server, self.account)
        self._imap.select("INBOX")
        self._smtp = Smtp(self.server)
        self._smtp.hello()
        self._threads = [threading.Thread(target=f, daemon=True) for f in (self._work, self._watch)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        try:
            for turn in itertools.count():
                start = time.perf_counter()
                self._imap.ok("NOOP")
                self._imap.ok("STATUS Sent (MESSAGES UNSEEN)")
                if turn % 40 == 39:  # the server bounds commands without a message
                    self._smtp.do("QUIT")
                    self._smtp.close()
                    self._smtp = Smtp(self.server)
                    self._smtp.hello()
                self._smtp.ok("NOOP")
                self.waits.append(time.perf_counter() - start)
                if self._over.wait(0.05):
                    return
        except (OSError, Gone, Exception) as error:
            self.trouble = repr(error)

    def _watch(self) -> None:
        while not self._over.is_set():
            self.peak = max(self.peak, memory(self.server.roots()))
            self._over.wait(0.2)

    def check(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)
        self._imap.close()
        self._smtp.close()
        assert not self.trouble, f"{self.trouble}\n{self.server.tail()}"
        assert self.waits, "the good user heard nothing at all"
        middle = sorted(self.waits)[len(self.waits) // 2]
        assert max(self.waits) < LATENCY_S, f"an answer took {max(self.waits):.1f} s"
        assert middle < TYPICAL_S, f"the usual answer took {middle:.2f} s"
        assert self.peak < MEMORY, f"the server held {self.peak / 2**20:.0f} MiB"


@contextmanager
def beside(server: Ours) -> Iterator[Neighbour]:
    """Run an attack inside: the good user works meanwhile and is checked afterwards."""
    good = Neighbour(server, server.accounts[0])
    yield good
    time.sleep(0.3)
    good.check()


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
