"""Senders are told: of failures at once, of delays after a while, of successes where they asked for it."""

import asyncio
import time
from dataclasses import replace

import pytest

from jobs.post_office import QUICK, post_office
from mailserver.jobs import notices
from mailserver.jobs.late import tell_of_late_mail
from misbehaving import NextHop

ALICE = "alice@example.test"


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 40))


def to(hop):
    return f"smtp:127.0.0.1:{hop.port}"


def rcpt(_, line):
    if b"nobody" in line:
        return "550 5.1.1 No such user"
    return "450 4.2.0 Busy" if b"busy" in line else None


@pytest.mark.rfc(3461, "5.2.3")
def test_one_notice_for_all_who_failed_together(tmp_path):
    async def main():
        with NextHop({"RCPT": rcpt}) as hop:
            async with post_office(tmp_path) as office:
                names = ("nobody1@e.test", "b@e.test", "nobody2@e.test", "busy@e.test")
                await office.put(to(hop), *names, sender=ALICE)
                await office.until("failed", "delivered", "failed", "deferred")
                (notice,) = await office.inbox(ALICE)
        assert b"multipart/report" in notice
        assert notice.count(b"Action: failed") == 2
        for name in (b"nobody1@e.test", b"nobody2@e.test", b"No such user", b"Subject: x"):
            assert name in notice
        assert b"busy@e.test" not in notice

    run(main())


@pytest.mark.rfc(5321, "4.5.5")
@pytest.mark.parametrize(
    "more",
    [{"sender": ""}, {"notices_to": ""}, {"sender": "stranger@e.test", "notices_to": ALICE}],
)
def test_who_gets_the_notice(tmp_path, more):
    async def main():
        with NextHop({"RCPT": rcpt}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), "nobody@e.test", **{"sender": ALICE} | more)
                await office.until("failed")
                assert len(await office.inbox(ALICE)) == (more.get("notices_to") == ALICE)

    run(main())


@pytest.mark.rfc(5321, "4.5.4.1")
def test_what_expires_goes_back(tmp_path):
    async def main():
        with NextHop({"RCPT": rcpt}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), "busy@e.test", sender=ALICE, expires_in=-1)
                await office.until("expired")
                (notice,) = await office.inbox(ALICE)
        assert b"Action: failed" in notice
        assert b"Status: 4.2.0" in notice

    run(main())


@pytest.mark.rfc(3461, "5.2.2")
@pytest.mark.parametrize(
    ("extensions", "count"), [(("PIPELINING",), 1), (("PIPELINING", "DSN"), 0)]
)
def test_a_success_is_told_where_the_next_hop_does_not(tmp_path, extensions, count):
    async def main():
        with NextHop(extensions=extensions) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), sender=ALICE, notify="SUCCESS")
                await office.until("delivered")
                notices = await office.inbox(ALICE)
        assert len(notices) == count
        assert all(b"Action: relayed" in notice for notice in notices)
        assert (b"NOTIFY=SUCCESS" in hop.messages[0].rcpts[0]) == (count == 0)

    run(main())


def test_nobody_is_given_up_without_the_notice(tmp_path, monkeypatch):
    """A bug in a notice defers the recipient; the others of the message are as they are."""

    async def main():
        def broken(*_):
            raise ZeroDivisionError

        with NextHop({"RCPT": rcpt}) as hop:
            async with post_office(tmp_path) as office:
                monkeypatch.setattr(notices.Notices, "make", broken)
                await office.put(to(hop), "nobody@e.test", "b@e.test", sender=ALICE)
                await office.until("deferred", "delivered")
                monkeypatch.undo()
                await office.hurry()
                await office.until("failed", "delivered")
                assert len(await office.inbox(ALICE)) == 1

    run(main())


def test_a_notice_that_cannot_be_filed_takes_its_result_with_it(tmp_path, monkeypatch):
    async def main():
        def broken(*_):
            raise ZeroDivisionError

        with NextHop({"RCPT": rcpt}) as hop:
            async with post_office(tmp_path, started=False) as office:
                monkeypatch.setattr("mailserver.mta.notify.Notice.file", broken)
                await office.put(to(hop), "nobody@e.test", "b@e.test", sender=ALICE)
                await office.put(to(hop), "c@e.test", sender=ALICE)
                office.start()
                await office.until("deferred", "delivered", "delivered")
                assert await office.rows("SELECT count(*) FROM suppression") == [(0,)]

    run(main())


# -- late


def test_a_delay_is_told_once(tmp_path):
    async def main():
        with NextHop({"RCPT": rcpt}) as hop:
            async with post_office(tmp_path) as office:
                now = int(time.time())
                await office.put(to(hop), "busy1@e.test", "b@e.test", sender=ALICE, warn_at=now)
                await office.put(to(hop), "busy2@e.test", sender=ALICE, warn_at=now + 100)
                await office.until("deferred", "delivered", "deferred")
                for _ in range(2):
                    await tell_of_late_mail(office.site)
                    (notice,) = await office.inbox(ALICE)
        assert b"Action: delayed" in notice
        assert b"busy1@e.test" in notice
        assert b"Busy" in notice
        assert b"Will-Retry-Until" in notice

    run(main())


def test_what_no_attempt_is_made_for_is_late_too(tmp_path):
    """A destination that backs off: its mail is told of, and given up, without an attempt of its own."""

    async def main():
        with NextHop({"GREETING": "421 4.3.2 Closed for the week"}) as hop:
            async with post_office(tmp_path) as office:
                now = int(time.time())
                await office.put(to(hop), "first@e.test", sender=ALICE)
                await office.until("deferred")
                await office.put(to(hop), "late@e.test", sender=ALICE, warn_at=now)
                await office.put(to(hop), "over@e.test", sender=ALICE, expires_in=-1)
                await tell_of_late_mail(office.site)
                assert await office.states() == ["deferred", "pending", "expired"]
                delayed, failed = await office.inbox(ALICE)
        assert b"Action: delayed" in delayed
        assert b"late@e.test" in delayed
        assert b"Closed for the week" in delayed
        assert b"Action: failed" in failed
        assert b"over@e.test" in failed
        assert b"Status: 4.4.7" in failed

    run(main())


def test_what_is_held_or_paused_waits_for_the_administrator(tmp_path):
    async def main():
        with NextHop({"GREETING": "421 4.3.2 Closed"}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), "first@e.test", sender=ALICE)
                await office.until("deferred")
                await office.put(to(hop), "over@e.test", sender=ALICE, expires_in=-1)
                await office.site.work.write(lambda tx: tx.destinations.pause(to(hop)))
                await tell_of_late_mail(office.site)
                assert await office.states() == ["deferred", "pending"]
                assert await office.inbox(ALICE) == []

    run(main())


def test_many_late_messages_are_found_in_steps(tmp_path, monkeypatch):
    monkeypatch.setattr("mailserver.store.queue_late.STEP", 3)

    async def main():
        limits = replace(QUICK, connections=1)
        async with post_office(tmp_path, queue=limits, started=False) as office:
            for n in range(10):
                await office.put("smtp:127.0.0.1:9", f"r{n}@e.test", sender=ALICE, warn_at=1)
            await tell_of_late_mail(office.site)
            assert len(await office.inbox(ALICE)) == 10

    run(main())
