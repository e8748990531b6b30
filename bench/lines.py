"""What is measured, a function a group of lines: each does the same work against any server and yields its figures."""

from __future__ import annotations

import re
import selectors
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from load import Load

from messages import mailbox, text, with_attachment
from outside.meter import Meter, memory
from outside.server import Account, Server
from outside.wire import Imap

IDLERS = 300
ACCOUNTS = 20  #: that mail is sent to


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.  others: cores that foreign programs used meanwhile; above 0.2 times mean little."""

    name: str
    value: float
    unit: str
    more_is_better: bool
    others: float = 0.0
    note: str = ""


def inbound(server: Server, accounts: list[Account], share: float) -> Iterator[Figure]:
    """Mail from outside until it can be read: 4 kB over 10 and 100 connections, 1 MB over 10."""
    kinds = (
        ("4 kB", 10, 6_000, [text(n) for n in range(100)]),
        ("4 kB", 100, 8_000, [text(n) for n in range(100)]),
        ("1 MB", 10, 300, [with_attachment(n, 1_000_000) for n in range(8)]),
    )
    accounts = accounts[:ACCOUNTS]
    for kind, clients, total, messages in kinds:
        before = [exists(server, account) for account in accounts]
        names = [account.address for account in accounts]
        load = Load(
            server.host,
            server.ports["smtp"],
            names,
            messages,
            max(clients, int(total * share)),
            clients,
        )
        with Meter(server.roots()) as meter:
            start = time.perf_counter()
            load.run()
            for account, had in zip(accounts, before, strict=True):
                wait_exists(server, account, had + load.accepted[account.address])
            took = time.perf_counter() - start
        count = load.accepted.total()
        note = f"refused {dict(load.refusals)}" if load.refusals else ""
        name = f"in {kind}, {clients} connections"
        busy = meter.others
        yield Figure(f"{name}: delivered", count / took, "msg/s", True, busy, note)
        yield Figure(f"{name}: p50", statistics.median(load.latencies_s) * 1e3, "ms", False, busy)
        yield Figure(f"{name}: server CPU", meter.cpu_s / count * 1e3, "ms/msg", False, busy)
        yield Figure(f"{name}: peak memory", meter.peak / 1e6, "MB", False, busy)


def idle(server: Server, accounts: list[Account], share: float) -> Iterator[Figure]:
    """300 clients in IDLE on 20 mailboxes: what one costs, and how soon they hear of a delivery."""
    accounts = accounts[:ACCOUNTS]
    for account in accounts:
        Imap(server, account).close()  # the password is known, the mailboxes are open
    before = memory(server.roots())
    clients = []
    for number in range(IDLERS):
        imap = Imap(server, accounts[number % len(accounts)], timeout_s=120)
        imap.select("INBOX")
        imap.wire.send(b"i IDLE\r\n")
        imap.wire.line()
        clients.append(imap)
    time.sleep(1)
    held = (memory(server.roots()) - before) / IDLERS / 1024
    yield Figure(f"memory of a connection in IDLE ({IDLERS})", held, "KiB", False)
    chosen = selectors.DefaultSelector()
    for number, imap in enumerate(clients):
        imap.wire.socket.setblocking(False)
        chosen.register(imap.wire.socket, selectors.EVENT_READ, number)
    latencies: list[float] = []
    missed = 0
    with Meter(server.roots()) as meter:
        for round_ in range(max(5, int(40 * share))):
            heard, lost = _deliver_and_listen(server, accounts, round_, chosen)
            latencies += heard
            missed += lost
            time.sleep(0.05)
    for imap in clients:
        imap.close()
    note = f"{missed} notices missed" if missed else ""
    yield Figure(
        f"250 to EXISTS, {IDLERS} in IDLE: p50",
        statistics.median(latencies) * 1e3,
        "ms",
        False,
        meter.others,
        note,
    )
    yield Figure(
        f"250 to EXISTS, {IDLERS} in IDLE: p99",
        statistics.quantiles(latencies, n=100)[-1] * 1e3,
        "ms",
        False,
        meter.others,
    )


def _deliver_and_listen(
    server: Server, accounts: list[Account], round_: int, chosen: selectors.BaseSelector
) -> tuple[list[float], int]:
    """Seconds from the 250 to the notice of each idler of one mailbox, and how many heard nothing in 3 s."""
    which = round_ % len(accounts)
    waiting = {n for n in range(IDLERS) if n % len(accounts) == which}
    while chosen.select(0):
        for key, _ in chosen.select(0):
            key.fileobj.recv(65536)  # type: ignore[union-attr]  # sockets only
    port = server.ports["smtp"]
    Load(server.host, port, [accounts[which].address], [text(round_)], 1, 1).run()
    told = time.perf_counter()
    heard: list[float] = []
    end = told + 3
    while waiting and (left := end - time.perf_counter()) > 0:
        for key, _ in chosen.select(left):
            data = key.fileobj.recv(65536)  # type: ignore[union-attr]  # sockets only
            if key.data in waiting and b"EXISTS" in data:
                waiting.discard(key.data)
                heard.append(max(0.0, time.perf_counter() - told))
    return heard, len(waiting)


def large_mailbox(server: Server, accounts: list[Account], share: float) -> Iterator[Figure]:
    """A mailbox of 10,000 messages: opened, listed, flagged, copied."""
    imap = Imap(server, accounts[ACCOUNTS], timeout_s=300)
    size = max(2_000, int(10_000 * share))
    for name in ("large", "copies", "small"):
        imap.do(f"CREATE {name}")
    _append_all(imap, "large", mailbox(size))
    with Meter(server.roots()) as meter:
        imap.select("large")
        rounds = 7
        select = [
            (_timed(imap, "SELECT small"), _timed(imap, "SELECT large"))[1] for _ in range(rounds)
        ]
        whole = [
            _timed(imap, "FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)")
            for _ in range(3)
        ]
        flags = [_timed(imap, "FETCH 1:* (FLAGS)") for _ in range(3)]
        middle = f"{size // 2}:{size // 2 + 999}"
        bodies = [_timed(imap, f"FETCH {middle} (BODY.PEEK[])") for _ in range(3)]
        signs = ("+", "-") * 3
        stores = [_timed(imap, f"STORE {middle} {sign}FLAGS.SILENT (\\Flagged)") for sign in signs]
        copies = [_timed(imap, f"COPY {middle} copies") for _ in range(3)]
    imap.close()
    for name, times in (
        (f"SELECT of {size}, warm", select),
        (f"FETCH ENVELOPE BODYSTRUCTURE of {size}", whole),
        (f"FETCH FLAGS of {size}", flags),
        ("FETCH 1000 bodies", bodies),
        ("STORE of 1000", stores),
        ("COPY of 1000", copies),
    ):
        yield Figure(name, statistics.median(times) * 1e3, "ms", False, meter.others)
    yield Figure("these commands: server CPU", meter.cpu_s, "s", False, meter.others)


def _append_all(imap: Imap, mailbox: str, messages: list[bytes]) -> None:
    """Pipelined APPENDs with LITERAL+ (RFC 7888)."""
    for start in range(0, len(messages), 50):
        part = messages[start : start + 50]
        imap.wire.send(
            b"".join(
                b"a%d APPEND %b {%d+}\r\n%b\r\n" % (n, mailbox.encode(), len(raw), raw)
                for n, raw in enumerate(part)
            )
        )
        for n in range(len(part)):
            reply = imap.finish(b"a%d" % n)
            if reply.status != b"OK":
                raise RuntimeError(reply.text.decode())


def _timed(imap: Imap, command: str) -> float:
    """Seconds until the tagged answer; what comes before it is read and not looked at."""
    start = time.perf_counter()
    imap.wire.send(b"z " + command.encode() + b"\r\n")
    tail = b""
    answer = re.compile(rb"(?:^|\r\n)z (OK|NO|BAD)[^\r\n]*\r\n$")
    while not (found := answer.search(tail)):
        data = imap.wire.socket.recv(1 << 20)
        if not data:
            raise RuntimeError(f"closed in {command}")
        tail = (tail + data)[-4096:] if len(data) < 4096 else data[-4096:]
    if found[1] != b"OK":
        raise RuntimeError(f"{command}: {found[0].decode()}")
    return time.perf_counter() - start


def exists(server: Server, account: Account) -> int:
    """Messages in the INBOX now."""
    with Imap(server, account) as imap:
        reply = imap.ok("STATUS INBOX (MESSAGES)")
        found = re.search(rb"MESSAGES (\d+)", b" ".join(reply.untagged))
        assert found is not None
        return int(found[1])


def wait_exists(server: Server, account: Account, count: int, limit_s: float = 120) -> None:
    """Returns once *count* messages are in the INBOX; asks ten times a second.  Raises RuntimeError."""
    end = time.monotonic() + limit_s
    with Imap(server, account) as imap:
        while (have := imap.select("INBOX").number("EXISTS") or 0) < count:
            if time.monotonic() > end:
                raise RuntimeError(f"{account.address}: {have} of {count} arrived")
            time.sleep(0.1)


GROUPS = {"inbound": inbound, "idle": idle, "mailbox": large_mailbox}
