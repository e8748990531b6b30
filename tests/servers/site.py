"""A whole server for SMTP on loopback: a store, a loop in a thread, one port for each kind of listener."""

import asyncio
import base64
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailserver.base.limits import Limits
from mailserver.directory import accounts, aliases, domains
from mailserver.directory.addresses import parse
from mailserver.mailauth.reports.values import Seen
from mailserver.mailauth.resolver import Resolver
from mailserver.mta.failure_reports import Failure
from mailserver.mta.rates import Rates
from mailserver.net.tls import ServerTls, self_signed
from mailserver.servers.context import Context
from mailserver.servers.guard import Guard
from mailserver.servers.hub import Hub
from mailserver.servers.limits import Budget
from mailserver.servers.listen import Reception, Service
from mailserver.servers.managesieve import ManageSieve
from mailserver.servers.mechanisms import Offer
from mailserver.servers.smtp import Smtp, turned_away
from mailserver.servers.work import Work
from mailserver.store.store import Store
from mailserver.store.trace_values import Trace
from mailserver.store.tx import Read, Write

HOST = "mail.example.test"
PASSWORD = "correct horse"


def cheap_hash() -> str:
    from argon2 import PasswordHasher

    return PasswordHasher(1, 8, 1).hash(PASSWORD)


def people(tx: Write) -> None:
    """alice, bob, carol (off), full (no room) in example.test; dave in other.test; a few aliases."""
    hashed = cheap_hash()
    for name in ("example.test", "other.test"):
        domains.create(tx, name, {})
    for address in ("alice", "bob", "carol", "müller"):
        accounts.create(tx, parse(f"{address}@example.test"), hashed)
    accounts.create(tx, parse("dave@other.test"), hashed)
    accounts.create(tx, parse("full@example.test"), hashed, quota=10)
    accounts.create(tx, parse("small@example.test"), hashed, quota=2_000)
    tx.accounts.set(accounts.at(tx, parse("carol@example.test")).id, is_active=False)
    for alias, *targets in (
        ("team@example.test", "alice@example.test", "bob@example.test"),
        ("away@example.test", "friend@elsewhere.test"),
    ):
        aliases.create(tx, parse(alias), [parse(t) for t in targets])


class Site:
    """ports: by the name of the listener."""

    def __init__(
        self,
        folder: Path,
        tls: ServerTls,
        limits: Limits,
        cleartext_from: tuple[str, ...],
        proxies: tuple[str, ...],
        hides_clients: bool,
        resolver: Resolver | None = None,
    ) -> None:
        self.folder = folder
        self.limits = limits
        self.tls = tls
        self.networks = tuple(ipaddress.ip_network(n) for n in cleartext_from)
        self.proxies = tuple(ipaddress.ip_network(n) for n in proxies)
        self.hides_clients = hides_clients
        self.resolver = resolver
        self.counted: list[Seen] = []
        self.failures: list[Failure] = []
        self.ports: dict[str, int] = {}
        self.context: Context
        self.store: Store
        self.smtp = Smtp()
        self.traces: list[Trace] = []
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.result(20)

    def stop(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._over.set)
            self._thread.join(20)

    async def _main(self) -> None:
        try:
            self.loop = loop = asyncio.get_running_loop()
            self._over = asyncio.Event()
            hub = Hub()
            self.store = Store(self.folder, post=loop.call_soon_threadsafe, committed=hub.changed)
            self.store.open()
            self.store.write_now(people)
            self.store.start()
            work = Work(self.store, loop)
            self.context = Context(
                hostname=HOST,
                limits=self.limits,
                work=work,
                tls=self.tls,
                cleartext_from=self.networks,
                proxies=self.proxies,
                lmtp_from=self.networks,
                hides_clients=self.hides_clients,
                spool=self.store.spool_folder,
                hub=hub,
                memory=Budget(self.limits.connections.input_memory),
                stopping=asyncio.Event(),
                now=time.time,
                offer=Offer(work, "auto"),
                seals=self.folder,
                resolver=self.resolver,
                count_mail=lambda seen, at: self.counted.append(seen),
                tell_failure=self.failures.append,
                keep_trace=self.traces.append,
                guard=Guard(Rates(self.limits.rates), time.time, self.traces.append),
            )
            self.reception = Reception(self.context)
            for name, handler, is_tls in (
                ("smtp", self.smtp.receive, False),
                ("submission", self.smtp.submit, False),
                ("submissions", self.smtp.submit, True),
                ("lmtp", self.smtp.deliver, False),
                ("managesieve", ManageSieve().serve, False),
            ):
                sock = socket.create_server(("127.0.0.1", 0))
                self.ports[name] = sock.getsockname()[1]
                await self.reception.open(sock, Service(name, handler, is_tls, turned_away(HOST)))
        except BaseException as error:
            self._ready.set_exception(error)
            raise
        self._ready.set_result(None)
        await self._over.wait()
        await self.reception.close(1.0)
        work.close()
        await loop.run_in_executor(None, self.store.close)

    # -- looking inside

    def messages(self, address: str, mailbox: str = "INBOX") -> list[bytes]:
        """The messages of *address*, in order of UID."""

        def job(tx: Read) -> list[bytes]:
            box = tx.mailboxes.get(accounts.at(tx, parse(address)).id, mailbox)
            blobs = [blob for (blob,) in tx.messages.rows(box.id, [(1, 2**32 - 1)], "blob")]
            return [tx.blobs.read(blob) for blob in blobs]

        return self.store.read_now(job)

    def spooled(self) -> list[Path]:
        """Files of messages that are still coming, or were forgotten."""
        return [
            *self.store.spool_folder.iterdir(),
            *(p for p in self.store.blob_folder.rglob("*") if p.is_file()),
        ]

    def connect(self, port: str = "smtp") -> "Wire":
        return Wire(self.ports[port])


class Wire:
    """A client that says exactly what it is told to."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.file = self.socket.makefile("rb")

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self) -> str:
        """One reply, lines joined with "\\n"; "" at the end."""
        lines = []
        while True:
            line = self.file.readline().decode()
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    def ask(self, data: bytes) -> str:
        self.say(data)
        return self.hear()

    def tls(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def certificate(folder: Path) -> ServerTls:
    return ServerTls(self_signed(folder, HOST, datetime.fromtimestamp(time.time(), UTC)))


@contextmanager
def running(
    folder: Path,
    tls: ServerTls,
    limits: Limits | None = None,
    cleartext_from: tuple[str, ...] = ("127.0.0.0/8",),
    proxies: tuple[str, ...] = (),
    hides_clients: bool = False,
    resolver: Resolver | None = None,
) -> Iterator[Site]:
    """resolver: asks the DNS; None: nobody does, and no mail is judged."""
    site = Site(folder, tls, limits or Limits(), cleartext_from, proxies, hides_clients, resolver)
    site.start()
    try:
        yield site
    finally:
        site.stop()


RAW = b"From: a@elsewhere.test\r\nSubject: x\r\n\r\nhello\r\n.leading dot\r\n"


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def greeted(site: Site, port: str = "smtp") -> Wire:
    """A client after EHLO."""
    wire = site.connect(port)
    assert wire.hear().startswith("220 ")
    assert wire.ask(b"EHLO client.example\r\n").startswith("250-")
    return wire


def send(wire: Wire, *recipients: str, raw: bytes = RAW, sender: str = "<a@elsewhere.test>") -> str:
    """The reply to the end of the data, or the first refusal."""
    for command in (f"MAIL FROM:{sender}", *(f"RCPT TO:<{r}>" for r in recipients), "DATA"):
        reply = wire.ask(command.encode() + b"\r\n")
        if reply[0] not in "23":
            return reply
    return wire.ask(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")


def until(claim: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def submit(site: Site, user: str = "alice@example.test") -> Wire:
    """A client that has logged in."""
    wire = greeted(site, "submission")
    token = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
    assert wire.ask(f"AUTH PLAIN {token}\r\n".encode()).startswith("235 2.7.0")
    return wire
