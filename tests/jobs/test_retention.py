"""Finished mail is forgotten after its time, in slices, and nothing else is."""

import asyncio
import time

from jobs.post_office import a_site
from mailserver.base.limits import Limits, QueueLimits
from mailserver.jobs import retention
from mailserver.jobs.retention import forget_finished
from mailserver.servers.work import Work
from mailserver.store.queue_filter import QueueFilter
from mailserver.store.queue_values import NewQueued, NewRecipient
from mailserver.store.spool import body_of
from mailserver.store.store import Store


def add(store, domain):
    raw = domain.encode()
    prepared = store.prepare(body_of(raw), 1_000)

    def job(tx):
        new = NewQueued(
            "t", None, "a@a.test", tx.blobs.put(prepared), 0, b"", len(raw), "submitted", None,
            False, False, False, "", "", "", "", None, None, tx.now + 1000,
        )  # fmt: skip
        return tx.queue.add(new, [NewRecipient(f"x@{domain}", domain, domain)])

    return store.write_now(job)


def test_finished_mail_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "SLICE", 3)
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)
    limits = Limits(queue=QueueLimits(history_s=100.0))

    async def main():
        loop = asyncio.get_running_loop()
        store = Store(tmp_path, post=loop.call_soon_threadsafe)
        store.open()
        store.start()
        work = Work(store, loop)
        for n in range(8):
            add(store, f"d{n}.test")
        store.write_now(lambda tx: tx.queue.cancel(QueueFilter()))
        waiting = add(store, "waits.test")
        store.write_now(lambda tx: tx.suppressions.add("a@b.test", "5.1.1", "", tx.now))
        store.write_now(lambda tx: tx.suppressions.add("b@b.test", "5.1.1", "", None))

        async def left(at):
            await forget_finished(a_site(work, store, lambda: at, limits))
            entries = store.read_now(lambda tx: tx.queue.list(QueueFilter(states=())))
            return [entry.recipient.queued for entry in entries]

        assert len(await left(time.time() + 50)) == 9
        assert await left(time.time() + 200) == [waiting]
        assert [s.address for s in store.read_now(lambda tx: tx.suppressions.list())] == [
            "b@b.test"
        ]
        work.close()
        await loop.run_in_executor(None, store.close)

    asyncio.run(asyncio.wait_for(main(), 60))
