"""Trouble of our own: what cannot be read, the end of the process, claims of another, a full disk."""

import asyncio
import time
from dataclasses import replace

import pytest

from jobs.post_office import QUICK, post_office, run, to
from mailserver.base.errors import TryLater
from mailserver.mailauth.resolver import NoSuchDomain
from mailserver.store.queue import Queue
from mailserver.store.queue_filter import QueueFilter
from misbehaving import SILENCE, NextHop, Slow


def test_a_message_that_cannot_be_read_stops_nobody(tmp_path, caplog):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, started=False) as office:
                await office.put(to(hop), raw=b"Subject: damaged\r\n\r\nx\r\n")
                await office.put(to(hop))
                await office.site.work.write(
                    lambda tx: tx.settings._db.run(
                        "UPDATE blob SET data = x'00' WHERE id = (SELECT blob_id FROM queued WHERE id = 1)"
                    )
                )
                office.start()
                await office.until("deferred", "delivered")
                (first, *_) = await office.attempts()
        assert first[3] == "4.3.0"
        assert len(hop.messages) == 1

    run(main())
    assert "a message could not be sent" in [r.getMessage() for r in caplog.records]


def test_a_large_message_that_is_damaged_never_arrives(tmp_path):
    raw = b"Subject: large\r\n\r\n" + b"".join(b"%070d\r\n" % n for n in range(10_000))

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, started=False) as office:
                await office.put(to(hop), raw=raw)
                await office.site.work.write(
                    lambda tx: tx.settings._db.run(
                        "UPDATE blob SET data = zeroblob(length(data)), path = path"
                    )
                )
                office.start()
                await office.until("deferred")
        assert hop.messages == []

    run(main())


def test_a_sender_that_is_no_address_stops_nobody(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), sender="a\r\nRCPT TO:<x@y>")
                await office.put(to(hop))
                await office.until("failed", "delivered")

    run(main())


def test_a_destination_that_means_nothing_stops_nobody(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, started=False) as office:
                await office.put("[nonsense]", "a@[nonsense]", sender="alice@example.test")
                await office.put("smtp:x:y", "a@b.test")
                await office.put(to(hop))
                office.start()
                await office.until("failed", "failed", "delivered")
                assert len(await office.inbox("alice@example.test")) == 1

    run(main())


def test_much_mail_for_a_domain_that_is_gone_is_refused_in_one_go(tmp_path):
    async def main():
        async with post_office(tmp_path, started=False) as office:
            for n in range(120):
                await office.put("gone.test", f"r{n}@gone.test")
            office.zone.mx_of["gone.test"] = NoSuchDomain("gone")
            office.start()
            await office.until(*["failed"] * 120)
            assert len(office.zone.asked) < 10

    run(main())


def test_claims_of_a_dead_process_are_given_back(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, started=False) as office:
                await office.put(to(hop))
                claimed = await office.site.work.write(
                    lambda tx: tx.queue.claim([(d.destination, 9) for d in tx.queue.due(tx.now, 9)])
                )
                assert len(claimed) == 1
                assert await office.states() == ["claimed"]
                office.start()
                await office.until("delivered")

    run(main())


def test_stopping_finishes_what_has_begun_and_gives_back_the_rest(tmp_path):
    async def main():
        with NextHop({"END": Slow(0.5)}) as hop:
            limits = replace(QUICK, per_destination=1)
            async with post_office(tmp_path, queue=limits, started=False) as office:
                for _ in range(12):
                    await office.put(to(hop))
                office.start()
                while not hop.unanswered:
                    await asyncio.sleep(0.01)
                begun = time.monotonic()
                await office.stop()
                assert time.monotonic() - begun < 2
                states = await office.states()
                assert states.count("delivered") == len(hop.messages) >= 1
                assert (
                    states.count("delivered") + states.count("deferred") + states.count("pending")
                    == 12
                )
                assert len(await office.attempts()) == len(hop.messages)

    run(main())


def test_stopping_does_not_wait_for_a_connection_that_is_being_made(tmp_path):
    async def main():
        with NextHop({"GREETING": SILENCE}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop))
                while not hop.connections:
                    await asyncio.sleep(0.01)
                begun = time.monotonic()
                await office.stop()
                assert time.monotonic() - begun < 2
                assert await office.states() == ["deferred"]
                assert await office.attempts() == []

    run(main())


@pytest.mark.parametrize("act", ["cancel", "hold", "pause"])
def test_what_was_claimed_ahead_can_still_be_recalled(tmp_path, act):
    async def main():
        with NextHop({"END": Slow(1.5)}) as hop:
            limits = replace(QUICK, per_destination=1)
            async with post_office(tmp_path, queue=limits, started=False) as office:
                for _ in range(6):
                    await office.put(to(hop))
                office.start()
                while not hop.unanswered:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)
                if act == "pause":
                    await office.site.work.write(lambda tx: tx.destinations.pause(to(hop)))
                else:
                    which = QueueFilter()
                    await office.site.work.write(lambda tx: getattr(tx.queue, act)(which))
                await asyncio.sleep(2.5)
                states = await office.states()
        assert len(hop.unanswered) == 1
        assert states[0] == "delivered"
        rest = {"cancel": {"cancelled"}, "hold": {"held"}, "pause": {"deferred", "pending"}}[act]
        assert set(states[1:]) <= rest

    run(main())


def test_what_is_over_is_tried_once_more_and_given_up(tmp_path):
    async def main():
        with NextHop({"RCPT": "450 4.2.0 Busy"}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), expires_in=-10)
                await office.until("expired")
                assert len(await office.attempts()) == 1

    run(main())


@pytest.mark.rfc(2033, "4.2")
def test_over_lmtp_each_recipient_has_its_own_answer(tmp_path):
    def end(_, rcpt):
        return "552 5.2.2 Over quota" if b"full@" in rcpt else None

    async def main():
        with NextHop({"END": end}, is_lmtp=True) as hop:
            async with post_office(tmp_path) as office:
                where = f"lmtp:127.0.0.1:{hop.port}"
                await office.put(where, "a@e.test", "full@e.test", sender="alice@example.test")
                await office.until("delivered", "failed")
                (notice,) = await office.inbox("alice@example.test")
        assert b"full@e.test" in notice
        assert any(line.startswith(b"LHLO") for line in hop.commands)

    run(main())


def test_the_storage_is_in_trouble_for_a_moment(tmp_path, monkeypatch):
    """What a next hop has taken is written down as soon as that can be; it is not sent again."""

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                trouble = [2]
                settle = Queue.settle

                def fails(self, results):
                    if trouble[0]:
                        trouble[0] -= 1
                        raise TryLater("disk full")
                    return settle(self, results)

                monkeypatch.setattr(Queue, "settle", fails)
                for _ in range(3):
                    await office.put(to(hop))
                await office.until(*["delivered"] * 3)
        assert len(hop.unanswered) == 3

    run(main())
