"""Much mail to many domains, a third of them down: the others get theirs in time, within the bounds that are set."""

import asyncio
import socket
import time
from dataclasses import replace

from jobs.post_office import QUICK, post_office
from mailserver.jobs.queue import Runner
from mailserver.jobs.slots import Slots
from misbehaving import NextHop

DOMAINS, EACH = 60, 10


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 90))


def test_a_third_of_all_domains_is_down(tmp_path, monkeypatch):
    """Half of those refuse connections, half take them and say nothing: more of those than there are slots."""
    most = {"taken": 0, "held": 0, "working": 0}
    looks = Runner._look

    async def watched(self, wants, free):
        slots: Slots = self._slots
        most["taken"] = max(most["taken"], len(slots.taken))
        most["working"] = max(most["working"], len(slots.taken) - slots.slow)
        most["held"] = max(most["held"], sum(lane.held for lane in self._lanes.values()))
        return await looks(self, wants, free)

    monkeypatch.setattr(Runner, "_look", watched)
    limits = replace(QUICK, connections=8, slow_connections=40, slow_after_s=0.3, memory=20_000)

    async def main():
        with NextHop() as hop, socket.create_server(("127.0.0.3", hop.port), backlog=100):
            async with post_office(tmp_path, queue=limits, port=hop.port, started=False) as office:
                for n in range(DOMAINS):
                    up = n % 3 < 2
                    where = "127.0.0.1" if up else ("127.0.0.2", "127.0.0.3")[n % 2]
                    office.zone.hosts[f"d{n}.test"] = [where]
                    for m in range(EACH):
                        raw = b"Subject: x\r\n\r\n" + b"text\r\n" * 300
                        await office.put(f"d{n}.test", f"r{m}@d{n}.test", raw=raw)
                office.start()
                begun = time.monotonic()
                wanted = DOMAINS * 2 // 3 * EACH
                while len(hop.messages) < wanted:
                    await asyncio.sleep(0.05)
                    assert time.monotonic() - begun < 60, (len(hop.messages), most)
                office.zone.hosts["new.test"] = ["127.0.0.1"]
                await office.put("new.test", "x@new.test")
                begun = time.monotonic()
                while len(hop.messages) == wanted:
                    await asyncio.sleep(0.01)
                assert time.monotonic() - begun < 5
                states = [
                    state for (state,) in await office.rows("SELECT state FROM queued_recipient")
                ]
        assert len({tuple(m.rcpts) for m in hop.messages}) == wanted + 1, "twice"
        assert states.count("failed") == 0

    run(main())
    assert (
        most["working"] <= limits.connections + 20
    )  # an idle one that is needed again waits for no slot
    assert most["taken"] <= limits.connections + limits.slow_connections
    assert most["held"] <= limits.memory
