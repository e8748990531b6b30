"""What was remembered for a time is forgotten."""

import asyncio
from dataclasses import replace

from jobs.post_office import post_office
from mailserver.jobs import forgetting
from mailserver.store.tx import Read, Write


def test_each_in_its_time(tmp_path, monkeypatch):
    monkeypatch.setattr(forgetting, "MOST", 2)
    monkeypatch.setattr(forgetting, "PAUSE_S", 0.0)

    def fill(tx: Write) -> None:
        for n in range(5):
            tx.callouts.put(f"gone{n}@b.test", is_known=False, reply="550")
            tx.callouts.put(f"there{n}@b.test", is_known=True, reply="250")
            tx.senders.keep(f"T{n}", "a@b.example")

    def left(tx: Read) -> tuple[int, int, int]:
        return (
            sum(tx.callouts.find(f"gone{n}@b.test") is not None for n in range(5)),
            sum(tx.callouts.find(f"there{n}@b.test") is not None for n in range(5)),
            sum(tx.senders.find(f"T{n}") is not None for n in range(5)),
        )

    async def main():
        async with post_office(tmp_path) as office:
            await office.site.work.write(fill)
            real, seen = office.site.now, []
            for days in (0.05, 1, 23, 32):
                now = real() + days * 86_400
                await forgetting.forget(replace(office.site, now=lambda now=now: now))
                seen.append(await office.site.work.read(left))
            assert seen == [(5, 5, 5), (0, 5, 5), (0, 5, 0), (0, 0, 0)]

    asyncio.run(asyncio.wait_for(main(), 40))
