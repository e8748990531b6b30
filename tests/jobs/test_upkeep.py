"""Jobs on a real store: stray files go, named ones stay, free pages return to the disk."""

import asyncio
import os
import time
from dataclasses import replace

import pytest

from jobs.post_office import a_site
from mailserver.base.limits import TraceLimits
from mailserver.jobs import expunged, upkeep
from mailserver.jobs.cleanup import AGE_S, clean_up
from mailserver.jobs.traces import forget_traces
from mailserver.jobs.upkeep import vacuum
from mailserver.mime.scan import derive
from mailserver.servers.work import Work
from mailserver.store.flags import DELETED
from mailserver.store.spool import body_of
from mailserver.store.store import Store
from mailserver.store.trace_values import Trace
from mailserver.store.traces import TraceLog, find


@pytest.fixture
def on_store(tmp_path):
    """Runs a coroutine function of a Site and its data folder."""

    def run(act):
        async def main():
            loop = asyncio.get_running_loop()
            store = Store(tmp_path, post=loop.call_soon_threadsafe)
            store.open()
            store.start()
            work = Work(store, loop)
            try:
                await act(a_site(work, store, time.time), tmp_path)
            finally:
                work.close()
                await loop.run_in_executor(None, store.close)

        asyncio.run(asyncio.wait_for(main(), 60))

    return run


async def deliver(site, count, size, flags=0):
    """*count* messages of about *size* octets; (account, mailbox)."""
    made = []
    for n in range(count):
        raw = b"Subject: %d\r\n\r\n" % n + os.urandom(size // 2).hex().encode() + b"\r\n"
        prepared = site.store.prepare(body_of(raw), 10_000)

        def job(tx, prepared=prepared, raw=raw):
            if not tx.domains.list():
                tx.domains.add("example.test")
            domain = tx.domains.by_name("example.test")
            account = tx.accounts.by_address("alice", "example.test") or tx.accounts.add(
                domain.id, "alice", "hash"
            )
            inbox = tx.mailboxes.get(account.id, "INBOX")
            blob = tx.blobs.put(prepared)
            tx.messages.add(
                account.id, inbox.id, blob, derive(raw), flags=flags, keywords=(), internal_at=0
            )
            return account.id, inbox.id

        made.append(await site.work.write(job))
    return made[0]


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_stray_files_go_and_named_ones_stay(on_store):
    async def act(site, folder):
        await deliver(site, 2, 40_000)
        named = [path for path in (folder / "blobs").rglob("*") if path.is_file()]
        assert len(named) == 2
        stray = named[0].with_name(named[0].name[:-16] + "0" * 16)
        young = named[1].with_name(named[1].name[:-16] + "1" * 16)
        spooled = folder / "spool" / "in-abcdefgh"
        coming = folder / "spool" / "in-ijklmnop"
        for path in (stray, young, spooled, coming):
            path.write_bytes(b"x")
        for path in (*named, stray, spooled):
            age(path, AGE_S + 60)
        await clean_up(site)
        assert not stray.exists()
        assert not spooled.exists()
        assert young.exists()
        assert coming.exists()
        assert all(path.exists() for path in named)

    on_store(act)


def test_breaking_off_leaves_the_rest_for_the_next_time(on_store):
    async def act(site, folder):
        await deliver(site, 1, 1_000)
        for n in range(2_000):
            path = folder / "spool" / f"in-{n:08}"
            path.write_bytes(b"x")
            age(path, AGE_S + 60)
        task = asyncio.create_task(clean_up(site))
        await asyncio.sleep(0)
        await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)
        left = len(list((folder / "spool").iterdir()))
        await asyncio.sleep(0.1)
        assert len(list((folder / "spool").iterdir())) == left
        await clean_up(site)
        assert list((folder / "spool").iterdir()) == []

    on_store(act)


def test_free_pages_return_to_the_disk(on_store, monkeypatch):
    monkeypatch.setattr(upkeep, "FREE_PAGES", 10)
    monkeypatch.setattr(upkeep, "PAUSE_S", 0.0)
    monkeypatch.setattr(upkeep, "SLICE", 64)

    async def act(site, folder):
        _, inbox = await deliver(site, 300, 8_000, DELETED)
        uids = await site.work.read(lambda tx: list(tx.messages.uids(inbox)))
        await site.work.write(lambda tx: tx.messages.expunge(inbox, uids))
        free = await site.work.read(lambda tx: tx.upkeep.free_pages())
        assert free > 100
        await vacuum(site)
        assert await site.work.read(lambda tx: tx.upkeep.free_pages()) <= 10
        assert await site.work.read(lambda tx: tx.verify.problems()) == []

    on_store(act)


def test_old_traces_go_in_slices(on_store, monkeypatch):
    monkeypatch.setattr("mailserver.jobs.traces.PAUSE_S", 0)
    now_ms = int(time.time() * 1000)

    async def act(site, folder):
        log = TraceLog(folder, TraceLimits())
        log.start()
        for n in range(1_200):
            log.keep(Trace(id=f"{n}", at_ms=now_ms - 40 * 86_400_000, sender="a@b.test"))
        log.keep(Trace(id="new", at_ms=now_ms, sender="a@b.test"))
        log.close()
        await forget_traces(site)
        assert [trace.id for _, trace in find(folder, "a@b.test", limit=5_000)] == ["new"]

    on_store(act)


def test_no_traces_no_work(on_store):
    async def act(site, folder):
        await forget_traces(site)
        assert not (folder / "log.db").exists()

    on_store(act)


def test_expunges_of_long_ago_are_forgotten_in_slices(on_store, monkeypatch):
    """RFC 7162 §5.3: the newest stay; what is left is complete from a modseq on."""
    monkeypatch.setattr(expunged, "MOST", 3)
    monkeypatch.setattr(expunged, "PAUSE_S", 0.0)

    async def act(site, folder):
        _, mailbox = await deliver(site, 12, 20, flags=DELETED)
        for uid in range(1, 11):
            await site.work.write(lambda tx, uid=uid: tx.messages.expunge(mailbox, [uid]))
        limits = replace(site.limits, imap=replace(site.limits.imap, expunged_kept=4))
        await expunged.forget_expunged(replace(site, limits=limits))

        def left(tx):
            now = tx.mailboxes.by_id(mailbox).modseq
            return [tx.messages.expunged_uids(mailbox, now - n) for n in range(7)]

        found = [None if uids is None else list(uids) for uids in await site.work.read(left)]
        assert found == [[], [10], [9, 10], [8, 9, 10], [7, 8, 9, 10], None, None]

    on_store(act)
