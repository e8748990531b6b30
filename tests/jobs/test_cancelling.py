"""A message that is cancelled or held while it is sent is delivered whole or not at all, and listed as what it is."""

import asyncio

import pytest

from jobs.post_office import post_office
from mailserver.store.queue_filter import QueueFilter
from misbehaving import NextHop, Slow

SMALL = b"Subject: small\r\n\r\nhello\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"".join(b"%070d\r\n" % n for n in range(20_000))


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("raw", "step"), [(SMALL, "MAIL"), (SMALL, "END"), (LARGE, "DATA"), (LARGE, "BODY"), (LARGE, "END")]
)  # fmt: skip
@pytest.mark.parametrize("what", ["cancel", "hold"])
def test_while_it_is_sent(tmp_path, raw, step, what):
    async def main():
        with NextHop({step: Slow(0.3)}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(f"smtp:127.0.0.1:{hop.port}", raw=raw)
                seen = b"DATA" if step in ("BODY", "END") else step.encode()
                await until(lambda: any(line.startswith(seen) for line in hop.commands))
                act = lambda tx: getattr(tx.queue, what)(QueueFilter())  # noqa: E731
                acted = await office.site.work.write(act)
                assert acted.number == 1
                wanted = {"delivered", "cancelled" if what == "cancel" else "held"}
                for _ in range(500):
                    ((state, attempts),) = await office.rows(
                        "SELECT state, attempts FROM queued_recipient"
                    )
                    if attempts and state in wanted:
                        break
                    await asyncio.sleep(0.02)
                assert state in wanted
        assert len(hop.messages) == (state == "delivered")
        assert all(message.content == raw for message in hop.messages)

    asyncio.run(asyncio.wait_for(main(), 40))
