"""A running IMAP server on loopback sockets, in a thread of its own, for tests that speak to it as clients do."""

import asyncio
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailserver.base.limits import Limits
from mailserver.directory.passwords import hash_password
from mailserver.mime.scan import derive
from mailserver.mta.rates import Rates
from mailserver.net.tls import ServerTls, self_signed
from mailserver.servers.context import Context
from mailserver.servers.guard import Guard
from mailserver.servers.hub import Hub
from mailserver.servers.imap import TURNED_AWAY, Imap
from mailserver.servers.limits import Budget
from mailserver.servers.listen import Reception, Service
from mailserver.servers.mechanisms import Offer
from mailserver.servers.work import Work
from mailserver.store.spool import body_of
from mailserver.store.store import Store, StoreOptions
from mailserver.store.tx import Write

PASSWORD = "secret"
_HASH = hash_password(PASSWORD)


class Bench:
    """One worker process's worth of server: alice and bob, IMAP and IMAPS."""

    def __init__(
        self, folder: Path, limits: Limits | None = None, *, cleartext: bool = True
    ) -> None:
        self.folder, self.limits = folder, limits or Limits()
        self.cleartext = (ipaddress.ip_network("127.0.0.0/8"),) if cleartext else ()
        self.ports: dict[str, int] = {}
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self) -> None:
        self.loop = loop = asyncio.get_running_loop()
        hub = Hub()
        self.store = Store(
            self.folder,
            options=StoreOptions(limits=self.limits.imap),
            post=loop.call_soon_threadsafe,
            committed=hub.changed,
        )
        self.store.open()
        self.accounts = self.store.write_now(_people)
        self.store.start()
        work = Work(self.store, loop)
        today = datetime.fromtimestamp(time.time(), UTC)
        self.context = Context(
            hostname="mail.example.test",
            limits=self.limits,
            work=work,
            tls=ServerTls(self_signed(self.folder / "tls", "mail.example.test", today)),
            cleartext_from=self.cleartext,
            spool=self.store.spool_folder,
            hub=hub,
            memory=Budget(self.limits.connections.input_memory),
            stopping=asyncio.Event(),
            now=time.time,
            offer=Offer(work, "auto"),
            seals=self.folder,
            guard=Guard(Rates(self.limits.rates), time.time),
        )
        self.reception = Reception(self.context)
        self.face = Imap()
        for name, is_tls in (("imap", False), ("imaps", True)):
            sock = socket.create_server(("127.0.0.1", 0))
            self.ports[name] = sock.getsockname()[1]
            await self.reception.open(sock, Service(name, self.face.serve, is_tls, TURNED_AWAY))
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        await self.reception.close(5.0)
        work.close()
        await loop.run_in_executor(None, self.store.close)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(15)
        assert not self._thread.is_alive()

    def call(self, act: Callable[[], Any]) -> Any:
        """What *act* returns, called in the loop's thread."""
        done: list[Any] = []
        event = threading.Event()

        def run() -> None:
            done.append(act())
            event.set()

        self.loop.call_soon_threadsafe(run)
        assert event.wait(5)
        return done[0]

    def connect(self, name: str = "imap", *, timeout_s: float = 10.0) -> "Wire":
        sock = socket.create_connection(("127.0.0.1", self.ports[name]), timeout_s)
        if name == "imaps":
            sock = tls(sock)
        return Wire(sock)

    def log_in(self, user: str = "alice", select: str = "") -> "Wire":
        wire = self.connect()
        assert wire.line().startswith(b"* OK")
        assert wire.command(f"LOGIN {user}@example.test {PASSWORD}")[-1].startswith(b"x OK")
        if select:
            assert wire.command(f"SELECT {select}")[-1].startswith(b"x OK")
        return wire

    def deliver(self, raw: bytes = b"Subject: hi\r\n\r\nhello\r\n", mailbox: str = "INBOX") -> None:
        """A message as SMTP would bring it; returns once it is committed."""
        prepared = self.store.prepare(body_of(raw), 131_072)
        owner = self.accounts["alice"]

        def job(tx: Write) -> None:
            target = tx.mailboxes.get(owner, mailbox).id
            blob = tx.blobs.put(prepared)
            tx.messages.add(owner, target, blob, derive(raw), internal_at=tx.now)

        done = threading.Event()
        self.store.write(job, lambda outcome: done.set())
        assert done.wait(5)


def _people(tx: Write) -> dict[str, Any]:
    domain = tx.domains.add("example.test")
    return {name: tx.accounts.add(domain.id, name, _HASH).id for name in ("alice", "bob")}


def tls(sock: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)


class Wire:
    """A raw client."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._unread = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self, timeout_s: float = 10.0) -> bytes:
        """The next line without CRLF; b"" at the end of the connection."""
        self.sock.settimeout(timeout_s)
        while b"\r\n" not in self._unread:
            try:
                data = self.sock.recv(65_536)
            except ConnectionResetError:
                data = b""
            if not data:
                return b""
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line

    def octets(self, size: int) -> bytes:
        """Exactly so many octets."""
        while len(self._unread) < size:
            data = self.sock.recv(1 << 20)
            assert data
            self._unread += data
        out, self._unread = self._unread[:size], self._unread[size:]
        return out

    def until(self, start: bytes, timeout_s: float = 10.0) -> list[bytes]:
        """Lines up to one that begins with *start*."""
        out = []
        while True:
            line = self.line(timeout_s)
            assert line, out[-5:]
            out.append(line)
            if line.startswith(start):
                return out

    def command(self, text: str) -> list[bytes]:
        """All lines of the answer; the tag is x."""
        self.send(b"x " + text.encode() + b"\r\n")
        return self.until(b"x ")

    def is_closed(self, timeout_s: float = 5.0) -> bool:
        """The server ends the connection, saying nothing more."""
        return self.line(timeout_s) == b"" and not self._unread

    def close(self) -> None:
        self.sock.close()


@contextmanager
def running(folder: Path, limits: Limits | None = None, **options: Any) -> Iterator[Bench]:
    bench = Bench(folder, limits, **options)
    try:
        yield bench
    finally:
        bench.stop()
