"""The store alone: what group commit, pure jobs and the blob threshold are worth, as ratios of one run.

    python bench/store.py [FOLDER]      about a minute; FOLDER says which disk, the default is the current one

Figures are microseconds of wall time a message; compare ratios, never runs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from mailserver.mime.scan import derive
from mailserver.store.commit import Job
from mailserver.store.spool import body_of
from mailserver.store.store import Store

HEADER = (
    b"From: a@example.test\r\nTo: b@example.test\r\nSubject: %d\r\nMessage-ID: <%d@x.test>\r\n\r\n"
)


class Site:
    """A store with twenty accounts; each delivery has bytes of its own."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.store.open()
        self.inboxes = self.store.write_now(self._accounts)
        self.committer = self.store._committer()
        self.count = 0

    @staticmethod
    def _accounts(tx: Any) -> list[tuple[Any, Any]]:
        domain = tx.domains.add("example.test").id
        accounts = [tx.accounts.add(domain, f"u{n}", "hash").id for n in range(20)]
        return [(account, tx.mailboxes.get(account, "INBOX").id) for account in accounts]

    def message(self, size: int) -> tuple[Any, Any]:
        self.count += 1
        raw = HEADER % (self.count, self.count) + os.urandom(size // 2).hex().encode()
        return body_of(raw), derive(raw)

    def job(self, body: Any, derived: Any, threshold: int, is_pure: bool) -> Job:
        prepared = self.store.prepare(body, threshold)
        account, mailbox = self.inboxes[body.sha256[0] % 20]

        def work(tx: Any) -> None:
            blob = tx.blobs.put(prepared)
            tx.messages.add(account, mailbox, blob, derived, internal_at=0)

        return Job(work, lambda outcome: outcome.result(), is_pure)

    def deliver(self, messages: int, batch: int, size: int, threshold: int, is_pure: bool) -> float:
        """Microseconds a message, from its bytes in memory to the end of its commit."""
        wall = 0.0
        for _ in range(messages // batch):
            waiting = [self.message(size) for _ in range(batch)]
            start = time.perf_counter()
            jobs = [self.job(*message, threshold, is_pure) for message in waiting]
            while jobs:
                jobs = self.committer.run(jobs, list, answer)
            wall += time.perf_counter() - start
        return wall / messages * 1e6


def answer(batch: Any) -> None:
    for done, outcome in batch.outcomes:
        done(outcome)


@contextmanager
def site() -> Iterator[Site]:
    where = sys.argv[1] if len(sys.argv) > 1 else "."
    with tempfile.TemporaryDirectory(dir=where) as folder:
        made = Site(Path(folder))
        yield made
        made.committer.close()
        made.store.close()


def line(name: str, first: float, second: float) -> None:
    print(f"{name:48}{first:9.1f} {second:9.1f} us   {first / second:5.2f}x", flush=True)


def main() -> None:
    with site() as here:
        alone = here.deliver(300, 1, 4_000, 131_072, True)
        for batch in (10, 50):
            line(
                f"4 kB: one in a commit / {batch}",
                alone,
                here.deliver(1_000, batch, 4_000, 131_072, True),
            )
        for batch in (10, 50):
            line(
                f"4 kB, {batch} in a commit: savepoint each / pure",
                here.deliver(1_000, batch, 4_000, 131_072, False),
                here.deliver(1_000, batch, 4_000, 131_072, True),
            )
    for size in (16_000, 64_000, 131_000, 262_000, 1_000_000):
        messages = max(20, min(200, 20_000_000 // size))
        with site() as rows, site() as files:
            line(
                f"{size // 1000} kB, 10 in a commit: file / row",
                files.deliver(messages, 10, size, 0, True),
                rows.deliver(messages, 10, size, 10_000_000, True),
            )
    with site() as here:
        here.deliver(10_000, 200, 2_000, 131_072, True)
        here.store.write_now(_gather(here))
        _reads(here)


def _gather(here: Site) -> Any:
    """Puts a copy of everything into one mailbox."""

    def work(tx: Any) -> None:
        _, inbox = here.inboxes[0]
        for _ in range(20):
            tx.messages.copy(inbox, list(tx.messages.uids(inbox))[:500], inbox)

    return work


def _reads(here: Site) -> None:
    _, inbox = here.inboxes[0]
    columns = ("uid", "flags", "keywords", "internal_at", "size")

    def timed(*more: str) -> float:
        best = 1e9
        for _ in range(5):
            start = time.perf_counter()
            count = here.store.read_now(
                lambda tx: sum(1 for _ in tx.messages.rows(inbox, [(1, 2**32)], *columns, *more))
            )
            best = min(best, (time.perf_counter() - start) / count * 1e6)
        return best

    line(
        "a row of FETCH: with structure / flags and size",
        timed("envelope", "bodystructure"),
        timed(),
    )


if __name__ == "__main__":
    main()
