"""The queue alone: what it costs to add, claim and settle, and how long lists take, with much waiting.

    python bench/queueing.py [MESSAGES] [FOLDER]      100,000 messages take about half a minute

A third of the thousand destinations backs off.  Of single operations the CPU time inside a transaction is told: what
the queue adds to a commit that would happen anyway.  Of lists it is the time that somebody waits.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from mailserver.store.queue_filter import QueueFilter
from mailserver.store.queue_values import FINAL, Attempt, NewQueued, NewRecipient, Result
from mailserver.store.spool import body_of
from mailserver.store.store import Store, StoreOptions

DESTINATIONS = 1_000
BATCH = 100  # messages in a transaction
REFUSED = Attempt(0, 120, "mx.example.test", "192.0.2.1", "TLSv1.3", 450, "4.2.1", "not now")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    where = sys.argv[2] if len(sys.argv) > 2 else "."
    with tempfile.TemporaryDirectory(dir=where) as folder:
        store = Store(Path(folder), options=StoreOptions(clock=lambda: 1_000_000.0))
        store.open()
        try:
            fill(store, count)
            store.write_now(rest)
            lists(store)
            store.write_now(run)
            lists(store)
        finally:
            store.close()


def fill(store: Store, count: int) -> None:
    """Adds *count* messages with a recipient each, and says what the first and the last thousand cost."""
    spent: list[float] = []

    def job(tx: Any, first: int) -> None:
        for n in range(first, first + BATCH):
            raw = b"Subject: %d\r\n\r\nhello\r\n" % n
            blob = tx.blobs.put(store.prepare(body_of(raw), 131_072))
            domain = f"d{n * 7919 % DESTINATIONS}.test"
            new = NewQueued(
                f"trace{n}", None, f"sender{n % 50}@example.test", blob, 0, b"", len(raw), "submitted", None,
                False, False, False, "", "", f"<{n}@example.test>", "a subject", None, None, 2_000_000,
            )  # fmt: skip
            to = [NewRecipient(f"r{n}@{domain}", domain, domain)]
            start = time.thread_time()
            tx.queue.add(new, to)
            spent.append(time.thread_time() - start)

    for first in range(0, count, BATCH):
        store.write_now(lambda tx, first=first: job(tx, first))  # type: ignore[misc]
    for name, part in (("first", spent[:1_000]), ("last", spent[-1_000:])):
        say(f"add, {name} thousand", sum(part) / len(part))


def rest(tx: Any) -> None:
    """A third of the destinations cannot be reached."""
    for n in range(0, DESTINATIONS, 3):
        tx.queue.back_off(tx.destinations.find(f"d{n}.test").id, 1_500_000, "no route to host")


def run(tx: Any) -> None:
    """Claims and settles ten thousand messages, as a runner does: twenty of a destination at a time."""
    claimed: list[Any] = []
    busy: set[Any] = set()
    spent = {"due and claim": 0.0, "settle": 0.0}
    for _ in range(500):
        start = time.thread_time()
        due = tx.queue.due(1_000_000, 1, busy)
        if not due:
            break
        claimed += tx.queue.claim([(due[0].destination, 20)])
        busy.add(due[0].destination)
        if len(busy) == 200:
            busy.clear()
        spent["due and claim"] += time.thread_time() - start
    for n in range(0, len(claimed), 20):
        results = [
            Result(r.id, "deferred", 1_100_000, REFUSED) if k % 10 == 0 else Result(r.id, "delivered", None, REFUSED)
            for k, one in enumerate(claimed[n : n + 20])
            for r in one.recipients
        ]  # fmt: skip
        start = time.thread_time()
        tx.queue.settle(results)
        spent["settle"] += time.thread_time() - start
    for name, s in spent.items():
        say(f"{name}, a message", s / len(claimed))


def lists(store: Store) -> None:
    """How long an administrator waits."""
    asked: dict[str, Callable[[Any], object]] = {
        "depth": lambda tx: tx.queue.depth(1_000_000),
        "destinations, the fullest 20": lambda tx: tx.destinations.list(20),
        "list, the first 100": lambda tx: tx.queue.list(QueueFilter()),
        "list of a sender": lambda tx: tx.queue.list(QueueFilter(sender="sender7@*")),
        "list of a sender there is not": lambda tx: tx.queue.list(QueueFilter(sender="x@*")),
        "list of a domain": lambda tx: tx.queue.list(QueueFilter(domain="d77.test")),
        "list of a recipient": lambda tx: tx.queue.list(QueueFilter(recipient="r77@d763.test")),
        "list of a destination": lambda tx: tx.queue.list(QueueFilter(destination="d77.test")),
        "list of what is held": lambda tx: tx.queue.list(QueueFilter(states=("held",))),
        "list of what is finished": lambda tx: tx.queue.list(QueueFilter(states=FINAL)),
        "next_due": lambda tx: tx.queue.next_due(),
    }
    for name, job in asked.items():
        best = 1e9
        for _ in range(3):
            start = time.perf_counter()
            store.read_now(job)
            best = min(best, time.perf_counter() - start)
        say(name, best)


def say(name: str, seconds: float) -> None:
    print(f"{name:40}{seconds * 1e6:12.1f} us", flush=True)


if __name__ == "__main__":
    main()
