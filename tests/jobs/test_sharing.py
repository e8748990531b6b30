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
