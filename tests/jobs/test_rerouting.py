"""Mail that waits follows the routes."""

import asyncio
from dataclasses import replace

from jobs.post_office import post_office
from mailserver.jobs import rerouting
from mailserver.jobs.rerouting import reroute_mail
from mailserver.mailauth.resolver import Trouble
from misbehaving import NextHop


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 40))


def test_a_new_route_takes_what_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(rerouting, "SLICE", 2)
    monkeypatch.setattr(rerouting, "PAUSE_S", 0.0)

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                office.zone.mx_of["e.test"] = Trouble("down")
                for n in range(5):
                    await office.put("smtp:127.0.0.1:9", f"r{n}@e.test", warn_at=2**40)
                await office.put("local", "alice@example.test", release_at=2**40)
                service = asyncio.create_task(reroute_mail(office.site, office.stopping))
                await asyncio.sleep(0.2)

                def route(tx):
                    tx.routes.add("e.test", f"smtp:127.0.0.1:{hop.port}")
                    tx.directory_changed()

                await office.site.work.write(route)
                await asyncio.sleep(0.3)
                await office.hurry()
                await office.until(*["delivered"] * 6)  # hurried: that of ours, too
                office.stopping.set()
                await asyncio.wait_for(service, 5)
        assert len(hop.messages) == 5

    run(main())


def test_a_new_smarthost_takes_what_waits_from_before(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                await office.put("e.test", "a@e.test", sender="", origin="notice")
                await office.until("failed")
                await office.put("e.test", "a@e.test", release_at=2**33)
                office.site = replace(office.site, smarthost=f"smtp:127.0.0.1:{hop.port}")
                service = asyncio.create_task(reroute_mail(office.site, office.stopping))
                await asyncio.sleep(0.3)
                await office.hurry()
                await office.until("failed", "delivered")
                office.stopping.set()
                await asyncio.wait_for(service, 5)

    run(main())


def test_what_goes_nowhere_now_goes_back(tmp_path):
    async def main():
        async with post_office(tmp_path) as office:
            await office.put("reject", "a@e.test", sender="alice@example.test")
            await office.until("failed")
            (notice,) = await office.inbox("alice@example.test")
        assert b"5.7.1" in notice

    run(main())


def test_mail_for_a_domain_that_becomes_ours_is_delivered_here(tmp_path):
    async def main():
        async with post_office(tmp_path) as office:
            office.zone.mx_of["new.test"] = Trouble("down")
            await office.put("new.test", "ann@new.test", warn_at=2**40)
            service = asyncio.create_task(reroute_mail(office.site, office.stopping))
            await office.until("deferred")

            def ours(tx):
                domain = tx.domains.add("new.test")
                tx.accounts.add(domain.id, "ann", "hash")

            await office.site.work.write(ours)
            await asyncio.sleep(0.3)
            await office.hurry()
            await office.until("delivered")
            assert len(await office.inbox("ann@new.test")) == 1
            office.stopping.set()
            await asyncio.wait_for(service, 5)

    run(main())
