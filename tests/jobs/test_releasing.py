"""Mail of users that waited for its time, and is for ours."""

import asyncio

import pytest

from jobs.post_office import post_office
from mailserver.base.errors import TryLater

ALICE, POSTMASTER = "alice@example.test", "postmaster@example.test"


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 40))


@pytest.mark.rfc(4865, "4")
def test_it_is_filed_when_its_time_has_come(tmp_path):
    async def main():
        async with post_office(tmp_path) as office:
            await office.put("local", POSTMASTER, "nobody@example.test", sender=ALICE)
            await office.until("delivered", "failed")
            (copy,) = await office.inbox(POSTMASTER)
            (notice,) = await office.inbox(ALICE)
            assert await office.rows("SELECT outcome, status FROM attempt ORDER BY 1") == [
                ("delivered", "2.1.5"),
                ("failed", "5.1.1"),
            ]
        assert copy.startswith(b"Return-Path: <a@example.test>\r\nFrom:")
        assert b"Action: failed" in notice
        assert b"Subject: x" in notice

    run(main())


def test_many_are_filed_once_each(tmp_path):
    async def main():
        async with post_office(tmp_path, started=False) as office:
            for n in range(35):
                await office.put("local", ALICE, raw=b"Subject: %d\r\n\r\n" % n)
            office.start()
            await office.until(*["delivered"] * 35)
            assert len(set(await office.inbox(ALICE))) == 35

    run(main())


def test_a_success_is_told(tmp_path):
    async def main():
        async with post_office(tmp_path) as office:
            await office.put("local", POSTMASTER, sender=ALICE, notify="SUCCESS")
            await office.until("delivered")
            (notice,) = await office.inbox(ALICE)
        assert b"Action: delivered" in notice

    run(main())


@pytest.mark.parametrize("error", [TryLater("no room"), ZeroDivisionError()])
def test_what_cannot_be_done_now_is_done_later(tmp_path, monkeypatch, error):
    async def main():
        def fails(*_):
            raise error

        async with post_office(tmp_path) as office:
            monkeypatch.setattr("mailserver.jobs.releasing.release", fails)
            await office.put("local", ALICE, sender=POSTMASTER)
            await office.until("deferred")
            assert await office.inbox(ALICE) == []
            monkeypatch.undo()
            await office.hurry()
            await office.until("delivered")
            assert len(await office.inbox(ALICE)) == 1

    run(main())
