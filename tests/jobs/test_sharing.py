"""Connections are shared: a destination with much mail does not keep all of them while others wait."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace

from jobs.post_office import QUICK, post_office
from misbehaving import NextHop, Slow


def test_much_mail_for_one_delays_nobody_else(tmp_path):
    limits = replace(QUICK, connections=4, per_destination=4, per_destination_first=4)

    async def main():
        with NextHop({"END": Slow(0.05)}) as large, NextHop() as small:
            async with post_office(tmp_path, queue=limits, started=False) as office:
                for n in range(300):
                    await office.put(f"smtp:127.0.0.1:{large.port}", f"r{n}@large.test")
                office.start()
                while len(large.messages) < 20:
                    await asyncio.sleep(0.01)
                await office.put(f"smtp:127.0.0.1:{small.port}", "r@small.test")
                while not small.messages:
                    await asyncio.sleep(0.01)
                assert len(large.messages) < 60

    asyncio.run(asyncio.wait_for(main(), 40))


def test_a_new_message_does_not_wait_until_others_are_through(tmp_path):
    """Thirty destinations have work for seconds, and there are connections for twenty."""
    limits = replace(QUICK, connections=20, per_destination=1)

    async def main():
        with NextHop({"END": Slow(0.15)}) as hop:
            async with post_office(tmp_path, queue=limits, port=hop.port, started=False) as office:
                domains = [f"d{n}.test" for n in range(30)]
                for domain in domains:
                    office.zone.hosts[domain] = ["127.0.0.1"]
                    for n in range(12):
                        await office.put(domain, f"r{n}@{domain}")
                await office.site.work.write(long_since_due)
                office.start()
                while len(hop.messages) < 20:
                    await asyncio.sleep(0.01)
                office.zone.hosts["new.test"] = ["127.0.0.1"]
                await office.put("new.test", "x@new.test")
                while not any(b"x@new.test" in message.rcpts[0] for message in hop.messages):
                    await asyncio.sleep(0.01)
                assert len(hop.messages) < 150

    def long_since_due(tx):
        tx.settings._db.run("UPDATE queued_recipient SET due_at = due_at - 60")
        tx.settings._db.run("UPDATE destination SET due_at = due_at - 60")

    asyncio.run(asyncio.wait_for(main(), 40))


def test_who_waits_gets_only_what_he_needs(tmp_path):
    """The large destination keeps one connection at least, and has them all again afterwards."""
    limits = replace(QUICK, connections=4, per_destination=4, per_destination_first=4)

    async def main():
        with ExitStack() as hops:
            large, *smalls = (hops.enter_context(NextHop({"END": Slow(0.05)})) for _ in range(6))
            async with post_office(tmp_path, queue=limits, started=False) as office:
                for n in range(200):
                    await office.put(f"smtp:127.0.0.1:{large.port}", f"r{n}@large.test")
                office.start()
                while len(large.messages) < 20:
                    await asyncio.sleep(0.01)
                for small in smalls:
                    for n in range(3):
                        await office.put(f"smtp:127.0.0.1:{small.port}", f"s{n}@small.test")
                while sum(len(small.messages) for small in smalls) < 15:
                    await asyncio.sleep(0.01)
                before = len(large.messages)
                assert 20 < before < 150
                await office.until(*["delivered"] * 215, seconds=30)
        assert large.connections <= 12

    asyncio.run(asyncio.wait_for(main(), 40))
