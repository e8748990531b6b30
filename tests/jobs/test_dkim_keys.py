"""The job that looks after signing keys: made, seen, used, replaced, forgotten, without anybody's help."""

import asyncio
import time
from dataclasses import replace

from jobs.post_office import post_office, run
from mailauth.zone import Zone
from mailserver.directory import dkim_keys, dkim_life
from mailserver.directory.dkim_life import Life
from mailserver.directory.seal import load_or_make
from mailserver.jobs.dkim import EVERY_S, LOOK_S, look_after_keys
from mailserver.mailauth.resolver import Trouble
from mailserver.store.dkim_keys import ACTIVE, PENDING, RETIRED, RETIRING

DAY = 86_400


class Clock:
    """The job's."""

    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


async def states(site):
    keys = await site.work.read(lambda tx: tx.dkim_keys.all())
    return [(key.algorithm, key.state) for key in keys]


def at(folder, act, life=None):
    async def main():
        async with post_office(folder, started=False) as office:
            clock, zone = Clock(), Zone()
            ways = replace(office.site.ways, resolver=zone)
            site = replace(office.site, seals=folder, dkim=life or Life(), now=clock, ways=ways)
            await act(site, clock, zone)

    run(main())


def publish(zone, keys):
    for key in keys:
        zone.add(f'{key.name} TXT "{dkim_keys.record(key)}"')


def test_a_whole_rotation(tmp_path):
    """Nobody does anything but publish records, and take them away in the end."""

    async def act(site, clock, zone):
        await look_after_keys(site)
        assert await states(site) == [("rsa", ACTIVE), ("ed25519", ACTIVE)]
        first = await site.work.read(lambda tx: tx.dkim_keys.all())
        publish(zone, first)

        clock.now += 91 * DAY  # successors are made
        await look_after_keys(site)
        assert await states(site) == [
            ("rsa", ACTIVE), ("ed25519", ACTIVE), ("rsa", PENDING), ("ed25519", PENDING),
        ]  # fmt: skip
        clock.now += 30 * DAY  # and wait as long as nobody publishes them
        await look_after_keys(site)
        assert (await states(site))[2:] == [("rsa", PENDING), ("ed25519", PENDING)]

        second = (await site.work.read(lambda tx: tx.dkim_keys.all()))[2:]
        publish(zone, second)
        await look_after_keys(site)
        clock.now += 2 * DAY - 10
        await look_after_keys(site)
        assert (await states(site))[2:] == [("rsa", PENDING), ("ed25519", PENDING)]
        clock.now += 10
        await look_after_keys(site)
        assert await states(site) == [
            ("rsa", RETIRING), ("ed25519", RETIRING), ("rsa", ACTIVE), ("ed25519", ACTIVE),
        ]  # fmt: skip

        def long_ago(tx):
            tx.settings._db.run(
                "UPDATE dkim_key SET retiring_at = ? WHERE state = 'retiring'",
                (int(clock.now) - 8 * DAY,),
            )

        await site.work.write(long_ago)
        await look_after_keys(site)
        assert (await states(site))[:2] == [("rsa", RETIRED), ("ed25519", RETIRED)]
        gone = (await site.work.read(lambda tx: tx.dkim_keys.all()))[:2]
        assert [key.sealed for key in gone] == [None, None]

    at(tmp_path, act, Life(publish_s=2 * DAY, overlap_s=7 * DAY, rotate_s=90 * DAY))


def test_a_record_that_vanishes_while_its_key_waits_starts_the_wait_anew(tmp_path):
    async def act(site, clock, zone):
        await look_after_keys(site)
        keys = await site.work.read(lambda tx: tx.dkim_keys.all())
        new = dkim_life.make(
            "example.test", keys, ["rsa"], load_or_make(tmp_path), clock.now, site.dkim
        )
        (key,) = await site.work.write(
            lambda tx: dkim_life.put(tx, tx.domains.by_name("example.test"), new)
        )
        shown = Zone()
        publish(shown, [key])
        there = replace(site, ways=replace(site.ways, resolver=shown))

        async def seen_at():
            return (await site.work.read(lambda tx: tx.dkim_keys.get(key.id))).seen_at

        await look_after_keys(there)
        began = await seen_at()
        assert began == int(clock.now)
        clock.now += 100
        broken = Zone(f"{key.name} TROUBLE")
        await look_after_keys(replace(site, ways=replace(site.ways, resolver=broken)))
        assert await seen_at() == began  # nobody knows: nothing changes
        await look_after_keys(site)  # gone
        assert await seen_at() is None
        clock.now += 1
        await look_after_keys(there)
        assert await seen_at() == int(clock.now)

    at(tmp_path, act)


def test_who_publishes_nothing_is_reminded_once_a_day(tmp_path, caplog):
    async def act(site, clock, zone):
        await look_after_keys(site)
        caplog.clear()
        for _ in range(DAY // EVERY_S):
            await look_after_keys(site)
            clock.now += EVERY_S
        told = [r for r in caplog.records if "dns check example.test" in r.getMessage()]
        assert len(told) == 2  # one for each key

    at(tmp_path, act)


def test_another_key_in_its_place_is_not_it(tmp_path):
    async def act(site, clock, zone):
        await look_after_keys(site)
        keys = await site.work.read(lambda tx: tx.dkim_keys.all())
        other = dkim_keys.generate("rsa").public
        publish(zone, [keys[0]._replace(public=other), keys[1]])
        for _ in range(LOOK_S // EVERY_S):  # each has had its turn
            await look_after_keys(site)
            clock.now += EVERY_S
        keys = await site.work.read(lambda tx: tx.dkim_keys.all())
        assert [key.seen_at is not None for key in keys] == [False, True]

    at(tmp_path, act)


def test_the_first_keys_of_a_domain_are_seen_soon_after_they_are_published(tmp_path):
    async def act(site, clock, zone):
        await look_after_keys(site)
        publish(zone, await site.work.read(lambda tx: tx.dkim_keys.all()))
        clock.now += EVERY_S
        await look_after_keys(site)
        keys = await site.work.read(lambda tx: tx.dkim_keys.all())
        assert [key.seen_at for key in keys] == [int(clock.now)] * 2

    at(tmp_path, act)


def test_trouble_with_one_domain_stops_no_other(tmp_path):
    async def act(site, clock, zone):
        long = ".".join("x" * 60 for _ in range(4))  # no room for a selector before it
        for name in (long, "a.test", "backup.test", "off.test"):
            await site.work.write(lambda tx, n=name: tx.domains.add(n))

        def change(tx):
            tx.domains.set(tx.domains.by_name("backup.test").id, is_backup=True)
            tx.domains.set(tx.domains.by_name("off.test").id, dkim="off")

        await site.work.write(change)

        async def trouble(name):
            raise Trouble("no")

        zone.txt = trouble
        await asyncio.gather(look_after_keys(site), look_after_keys(site))
        keys = await site.work.read(lambda tx: tx.dkim_keys.all())
        assert sorted(key.domain for key in keys) == ["a.test"] * 2 + ["example.test"] * 2

    at(tmp_path, act)
