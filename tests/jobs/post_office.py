"""A queue with its runner inside a test: a store, a way out, and mail put straight into the queue."""

import asyncio
import random  # noqa: TID251 - seeded
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from mailserver.base.ids import QueuedId
from mailserver.base.limits import Limits, OutboundLimits, QueueLimits
from mailserver.directory import accounts, domains
from mailserver.directory.addresses import parse
from mailserver.jobs.queue import send_mail
from mailserver.jobs.registry import Site
from mailserver.jobs.ways import Terms, Ways
from mailserver.mailauth.resolver import Answer, Mx, NoData, NoSuchDomain, Tlsa
from mailserver.net.dialer import Dialer
from mailserver.net.dns import Addresses
from mailserver.net.smtp_tls import ClientTls
from mailserver.servers.hub import Hub
from mailserver.servers.work import Work
from mailserver.store.blobs import Prepared
from mailserver.store.queue_values import NewQueued, NewRecipient
from mailserver.store.spool import body_of
from mailserver.store.store import Store
from mailserver.store.tx import Read, Write
from misbehaving import NextHop

HOST = "mail.example.test"
RAW = b"From: a@example.test\r\nSubject: x\r\n\r\nhello\r\n.dot\r\n"
QUICK = QueueLimits(idle_connection_s=0.5)


@dataclass
class Zone:
    """A DNS for tests.  mx: domain -> records; hosts: name -> addresses.  A value that is an exception is raised."""

    mx_of: dict[str, list[tuple[int, str]] | Exception] = field(default_factory=dict)
    hosts: dict[str, list[str] | Exception] = field(default_factory=dict)
    is_authentic: bool = False
    asked: list[str] = field(default_factory=list)
    tlsa_of: dict[str, list[Tlsa] | Exception] = field(default_factory=dict)

    async def mx(self, domain: str) -> Answer[Mx]:
        self.asked.append(domain)
        found = self.mx_of.get(domain, [])
        if isinstance(found, Exception):
            raise found
        if not found:
            raise NoData(domain, is_authentic=self.is_authentic)
        return Answer(tuple(Mx(*one) for one in found), self.is_authentic, 60)

    async def addresses(self, host: str) -> Addresses:
        found = self.hosts.get(host, NoSuchDomain(host))
        if isinstance(found, Exception):
            raise found
        if not found:
            raise NoData(host)
        return Addresses(tuple(found), self.is_authentic, 60)

    async def tlsa(self, name: str) -> Answer[Tlsa]:
        self.asked.append(name)
        found = self.tlsa_of.get(name, NoData(name, is_authentic=self.is_authentic))
        if isinstance(found, Exception):
            raise found
        return Answer(tuple(found), self.is_authentic, 60)

    async def cname(self, name: str) -> Answer[str]:
        raise NoData(name, is_authentic=self.is_authentic)


def a_site(
    work: Work,
    store: Store,
    now: Callable[[], float] = time.time,
    limits: Limits | None = None,
    hub: Hub | None = None,
    zone: Zone | None = None,
    port: int = 25,
    tls: ClientTls | None = None,
) -> Site:
    """What jobs and services work with, *port* being that of hosts that MX records name."""
    limits = limits or Limits()
    ways = Ways(zone or Zone(), Dialer(HOST, limits.outbound, tls), port, frozenset({HOST}))
    chance = random.Random(1).random
    names = map("n{}".format, count(1))
    return Site(work, store, now, limits, hub or Hub(), HOST, chance, lambda: next(names), ways)


class Office:
    """What a test may do."""

    def __init__(self, site: Site, folder: Path, zone: Zone) -> None:
        self.site = site
        self.zone = zone
        self.folder = folder
        self.stopping = asyncio.Event()
        self.service: asyncio.Task[None] | None = None

    async def put(
        self,
        destination: str,
        *recipients: str,
        raw: bytes = RAW,
        sender: str = "a@example.test",
        prefix: bytes = b"",
        head: bytes = b"Return-Path: <a@example.test>\r\n",
        expires_in: int = 432_000,
        notify: str = "",
        **more: object,
    ) -> QueuedId:
        """A message for all *recipients*, which wait for *destination*."""
        body = body_of(head + raw)

        def add(tx: Write) -> QueuedId:
            blob = tx.blobs.put(Prepared(body, head + raw, None, None))
            new = NewQueued(
                trace="t1",
                account=None,
                sender=sender,
                blob=blob,
                skip=len(head),
                prefix=prefix,
                size=len(prefix) + len(raw),
                origin="submitted",
                notices_to=None,
                is_8bit=False,
                is_utf8=False,
                needs_tls=False,
                ret="",
                envid="",
                message_id="<m@example.test>",
                subject="x",
                release_at=None,
                warn_at=None,
                expires_at=tx.now + expires_in,
            )._replace(**more)  # type: ignore[arg-type]
            to = recipients or ("b@elsewhere.test",)
            return tx.queue.add(
                new, [NewRecipient(r, r.rpartition("@")[2], destination, notify=notify) for r in to]
            )

        return await self.site.work.write(add)

    def start(self) -> None:
        """Begin to send."""
        self.service = asyncio.create_task(send_mail(self.site, self.stopping))

    async def stop(self) -> None:
        """As SIGTERM does it."""
        self.stopping.set()
        if self.service is not None:
            await self.service

    async def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What the database holds."""
        return await self.site.work.read(lambda tx: tx.settings._db.rows(sql))

    async def states(self) -> list[str]:
        """Of all recipients, in the order they came."""
        return [
            str(s) for (s,) in await self.rows("SELECT state FROM queued_recipient ORDER BY id")
        ]

    async def attempts(self) -> list[tuple[object, ...]]:
        """(recipient, number, code, status, reply, outcome) of each attempt."""
        return await self.rows(
            "SELECT recipient_id, number, code, status, reply, outcome FROM attempt ORDER BY 1, 2"
        )

    async def until(self, *states: str, seconds: float = 10.0) -> None:
        """Returns when the recipients are in exactly these *states*."""
        end = time.monotonic() + seconds
        while (found := await self.states()) != list(states):
            assert time.monotonic() < end, (found, await self.attempts())
            await asyncio.sleep(0.01)

    async def inbox(self, address: str) -> list[bytes]:
        """What is in its INBOX."""

        def job(tx: Read) -> list[bytes]:
            box = tx.mailboxes.get(accounts.at(tx, parse(address)).id, "INBOX")
            blobs = [b for (b,) in tx.messages.rows(box.id, [(1, 2**32 - 1)], "blob")]
            return [tx.blobs.read(b) for b in blobs]

        return await self.site.work.read(job)

    async def hurry(self) -> None:
        """Everything that was put off is due now, and no destination rests."""

        def sooner(tx: Write) -> None:
            db = tx.settings._db
            db.run("UPDATE queued_recipient SET due_at = 0 WHERE state IN ('pending', 'deferred')")
            db.run("UPDATE destination SET due_at = 0, backoff_until = NULL")
            tx.journal.queue = True

        await self.site.work.write(sooner)


def _people(tx: Write) -> None:
    """alice@example.test, and postmaster."""
    if not tx.domains.list():
        domains.create(tx, "example.test", {})
        for name in ("alice", "postmaster"):
            accounts.create(tx, parse(f"{name}@example.test"), "hash")


@asynccontextmanager
async def post_office(
    folder: Path,
    *,
    queue: QueueLimits = QUICK,
    outbound: OutboundLimits | None = None,
    port: int = 25,
    is_own: Callable[[str, int], bool] | None = None,
    terms: Callable[[str], Awaitable[Terms]] | None = None,
    started: bool = True,
    tls: ClientTls | None = None,
) -> AsyncIterator[Office]:
    """An office that sends; *port* is that of hosts that MX records name."""
    loop = asyncio.get_running_loop()
    hub, zone = Hub(), Zone()
    limits = replace(Limits(), queue=queue, outbound=outbound or OutboundLimits(connect_s=2.0))
    store = Store(folder, post=loop.call_soon_threadsafe, committed=hub.changed)
    store.open()
    store.write_now(_people)
    store.start()
    work = Work(store, loop)
    site = a_site(work, store, time.time, limits, hub, zone, port, tls)
    if is_own is not None:
        site = replace(site, ways=replace(site.ways, is_own=is_own))
    if terms is not None:
        site = replace(site, ways=replace(site.ways, terms=terms))
    office = Office(site, folder, zone)
    if started:
        office.start()
    try:
        yield office
    finally:
        await office.stop()
        work.close()
        await loop.run_in_executor(None, store.close)


def sent(rcpts: Sequence[bytes]) -> list[str]:
    """The addresses in RCPT lines."""
    return [line.decode().partition("<")[2].partition(">")[0] for line in rcpts]


def run(coroutine: Coroutine[object, object, None]) -> None:
    """A test's main function."""
    asyncio.run(asyncio.wait_for(coroutine, 40))


def to(hop: NextHop) -> str:
    """The destination that a next hop on this machine is."""
    return f"smtp:127.0.0.1:{hop.port}"
