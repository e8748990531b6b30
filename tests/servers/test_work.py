"""Awaiting the store: values, refusals, and what happens when nobody waits any more."""

import asyncio

import pytest

from mailserver.base.errors import Cannot
from mailserver.servers.work import Work
from mailserver.store.commit import Job
from mailserver.store.store import Store


def run(tmp_path, use):
    async def main():
        loop = asyncio.get_running_loop()
        store = Store(tmp_path, post=loop.call_soon_threadsafe)
        store.open()
        store.start()
        work = Work(store, loop)
        try:
            return await asyncio.wait_for(use(work), 20)
        finally:
            await loop.run_in_executor(None, store.close)
            work.close()

    return asyncio.run(main())


def test_what_was_written_can_be_read(tmp_path):
    async def use(work):
        await work.write(lambda tx: tx.settings.set("colour", "green"))
        return await work.read(lambda tx: tx.settings.get("colour"))

    assert run(tmp_path, use) == "green"


def test_a_refusal_reaches_who_asked_and_undoes_the_job(tmp_path):
    def job(tx):
        tx.settings.set("colour", "red")
        raise Cannot("no red")

    async def use(work):
        with pytest.raises(Cannot, match="no red"):
            await work.write(job)
        return await work.read(lambda tx: tx.settings.get("colour"))

    assert run(tmp_path, use) is None


def test_a_handler_that_left_does_not_undo_its_work(tmp_path):
    async def use(work):
        task = asyncio.ensure_future(work.write(lambda tx: tx.settings.set("colour", "blue")))
        await asyncio.sleep(0)
        task.cancel()
        await work.write(lambda tx: None)
        return await work.read(lambda tx: tx.settings.get("colour"))

    assert run(tmp_path, use) == "blue"


def test_heavy_work_leaves_the_loop_free(tmp_path):
    async def use(work):
        return await work.thread(lambda: sum(range(1000)))

    assert run(tmp_path, use) == 499_500


def test_what_no_client_waits_for_is_written_with_the_next_that_one_does(tmp_path):
    """In the same transaction, behind it; by itself if there is no other."""
    seen = []

    async def use(work):
        done = asyncio.Event()
        work.add_soon(Job(lambda tx: seen.append(tx.settings.get("colour")), lambda _: done.set()))
        await work.write(lambda tx: tx.settings.set("colour", "green"))
        assert done.is_set(), "they were answered together"
        later = asyncio.Event()
        work.add_soon(Job(lambda tx: seen.append("alone"), lambda _: later.set()))
        await later.wait()

    run(tmp_path, use)
    assert seen == ["green", "alone"]


def test_there_is_time_while_a_transaction_is_put_on_disk(tmp_path):
    told = []

    async def use(work):
        work.at_commit(lambda: told.append("commit"))
        await asyncio.sleep(0.01)
        assert not told, "nothing is written"
        with pytest.raises(Cannot):
            await work.write(refuse)
        await work.write(lambda tx: tx.settings.set("colour", "red"))
        told.append("answer")
        await work.write(lambda tx: tx.settings.set("colour", "blue"))

    def refuse(tx):
        raise Cannot("no")

    run(tmp_path, use)
    assert told == ["commit", "answer"]
