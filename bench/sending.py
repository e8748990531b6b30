"""The queue's runner with much to do: many messages to many domains, of which a third take nothing.

    python bench/sending.py [MESSAGES] [DOMAINS] [FOLDER]      needs Postfix's smtp-sink

Of the domains that are down, half refuse connections and half take them and say nothing.  Told is how long the mail for
the others took, what a message cost, how long one that came in the middle waited, and how much memory was used at most.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from jobs.post_office import Office, post_office  # noqa: E402
from mailserver.base.limits import QueueLimits  # noqa: E402
from mailserver.store.blobs import Prepared  # noqa: E402
from mailserver.store.queue_values import NewQueued, NewRecipient  # noqa: E402
from mailserver.store.spool import body_of  # noqa: E402
from mailserver.store.tx import Write  # noqa: E402

BATCH = 500
LONGEST_S = 900
UP, REFUSES, HANGS = "127.0.0.1", "127.0.0.2", "127.0.0.3"


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    domains = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
    where = sys.argv[3] if len(sys.argv) > 3 else "."
    with socket.create_server((UP, 0)) as probe:
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    sink = subprocess.Popen(["/usr/sbin/smtp-sink", *user, "-m", "2000", f"{UP}:{port}", "1000"])
    threading.Thread(target=silence, args=(port,), daemon=True).start()
    time.sleep(0.5)
    try:
        with tempfile.TemporaryDirectory(dir=where) as folder:
            asyncio.run(run(Path(folder), port, messages, domains))
    finally:
        sink.kill()


def silence(port: int) -> None:
    """Takes connections and says nothing."""
    kept = []
    with socket.create_server((HANGS, port), backlog=1_000) as listening:
        while True:
            kept.append(listening.accept())


async def run(folder: Path, port: int, messages: int, domains: int) -> None:
    async with post_office(folder, port=port, queue=QueueLimits(), started=False) as office:
        for n in range(domains):
            office.zone.hosts[f"d{n}.test"] = [(UP, UP, REFUSES, UP, UP, HANGS)[n % 6]]
        for first in range(0, messages, BATCH):
            await fill(office, first, min(BATCH, messages - first), domains)
        up = await count(office, "1")
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        office.start()
        waited = [await probe_one(office, domains) for _ in range(5)]
        while (
            left := await count(office, "state = 'pending'")
        ) and time.perf_counter() - began < LONGEST_S:
            if not await waits_for_those_who_are_up(office, domains):
                break
            await asyncio.sleep(0.5)
        took = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_SELF)
        done = await count(office, "state = 'delivered'")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{up} messages, {domains} domains, {domains // 3} of them down")
        print(
            f"  {done} delivered in {took:.1f} s: {done / took:.0f}/s, {cpu / done * 1_000:.2f} ms CPU each"
        )
        print(f"  new mail in the middle waited {', '.join(f'{w:.2f}' for w in waited)} s")
        print(
            f"  {left} wait, all for domains that are down; peak memory {after.ru_maxrss // 1_024} MiB"
        )


async def fill(office: Office, first: int, most: int, domains: int) -> None:
    def job(tx: Write) -> None:
        for n in range(first, first + most):
            raw = b"Subject: %d\r\n\r\n" % n + b"A line of text that somebody wrote.\r\n" * 100
            blob = tx.blobs.put(Prepared(body_of(raw), raw, None, None))
            new = NewQueued(
                f"t{n}", None, f"s{n % 50}@example.test", blob, 0, b"", len(raw), "submitted", None,
                False, False, False, "", "", f"<{n}@example.test>", "x", None, None, 2**40,
            )  # fmt: skip
            domain = f"d{n % domains}.test"
            tx.queue.add(new, [NewRecipient(f"r{n}@{domain}", domain, domain)])

    await office.site.work.write(job)


async def probe_one(office: Office, domains: int) -> float:
    """Seconds until a new message for a domain of its own has left."""
    await asyncio.sleep(2.0)
    name = f"new{time.monotonic_ns()}.test"
    office.zone.hosts[name] = [UP]
    began = time.perf_counter()
    await office.put(name, f"x@{name}")
    while not await count(office, f"address = 'x@{name}' AND state = 'delivered'"):
        await asyncio.sleep(0.01)
    return time.perf_counter() - began


async def waits_for_those_who_are_up(office: Office, domains: int) -> bool:
    """Whether something is left that could have been delivered."""
    found = await office.rows(
        "SELECT DISTINCT d.name FROM queued_recipient r JOIN destination d ON d.id = r.destination_id"
        " WHERE r.state IN ('pending', 'claimed')"
    )
    return any(office.zone.hosts[str(name)] == [UP] for (name,) in found)


async def count(office: Office, what: str) -> int:
    ((found,),) = await office.rows(f"SELECT count(*) FROM queued_recipient WHERE {what}")
    return int(str(found))


if __name__ == "__main__":
    main()
