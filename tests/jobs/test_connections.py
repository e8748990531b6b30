"""Connections that are not made, lost, refused or slow, and what is written down of them."""

import asyncio
import socket
import time
from dataclasses import replace

import pytest

from jobs.post_office import QUICK, post_office, run, to
from mailserver.base.limits import OutboundLimits
from misbehaving import DROP, RESET, SILENCE, NextHop, Slow, once


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


# -- trouble with the connection


@pytest.mark.parametrize("how", [DROP, RESET], ids=["drop", "reset"])
@pytest.mark.parametrize(
    "step", ["CONNECT", "GREETING", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "END"]
)
def test_the_connection_is_lost_at_each_step(tmp_path, step, how):
    async def main():
        with NextHop({step: once(how, 1)}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop))
                await office.until("deferred")
                ((_, _, code, status, reply, _),) = await office.attempts()
                await office.hurry()
                await office.until("delivered")
        assert (code, status[:4]) == (0, "4.4.")
        if step != "BODY":  # all of a small message leaves at once
            assert ("may have been taken" in reply) == (step == "END")
        assert len(hop.messages) == 1

    run(main())


def test_what_was_said_before_the_connection_was_lost_counts(tmp_path):
    async def main():
        def rcpt(_, line):
            return "550 5.1.1 No such user" if b"nobody@" in line else None

        with NextHop({"RCPT": rcpt, "END": DROP}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), "nobody@elsewhere.test", "b@elsewhere.test")
                await office.until("failed", "deferred")

    run(main())


def test_a_connection_that_ended_while_it_was_idle_costs_no_attempt(tmp_path):
    async def main():
        with NextHop(
            {
                "MAIL": lambda hop, _: (
                    DROP if len(hop.messages) == 1 and hop.connections == 1 else None
                )
            }
        ) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop))
                await office.until("delivered")
                await office.put(to(hop))
                await office.until("delivered", "delivered")
                assert [a[1] for a in await office.attempts()] == [1, 1]
        assert hop.connections == 2

    run(main())


def test_421_on_a_used_connection_costs_no_attempt(tmp_path):
    async def main():
        def mail(hop, _):
            return (
                "421 4.7.0 Enough for one connection"
                if len(hop.messages) % 3 == 2 and limited(hop)
                else None
            )

        seen = set()

        def limited(hop):
            key = len(hop.messages)
            return key not in seen and not seen.add(key)

        with NextHop({"MAIL": mail}) as hop:
            limits = replace(QUICK, per_destination=1)
            async with post_office(tmp_path, queue=limits, started=False) as office:
                for _ in range(6):
                    await office.put(to(hop))
                office.start()
                await office.until(*["delivered"] * 6)
                assert {a[1] for a in await office.attempts()} == {1}

    run(main())


@pytest.mark.parametrize(
    "greeting", ["421 4.3.2 Too busy", "450 4.7.1 Not now", b"\x00\xff garbage\r\n", SILENCE]
)
def test_who_does_not_greet_is_left_alone_for_a_while(tmp_path, greeting):
    async def main():
        with NextHop({"GREETING": greeting}) as hop:
            limits = OutboundLimits(greeting_s=0.3)
            async with post_office(tmp_path, outbound=limits) as office:
                await office.put(to(hop))
                await office.until("deferred")
                ((rest, failures),) = await office.rows(
                    f"SELECT backoff_until - {int(time.time())}, failures FROM destination"
                )
                assert 50 < rest < 70
                assert failures == 1
                await office.put(to(hop))  # does not wake what rests
                await asyncio.sleep(0.3)
                assert await office.states() == ["deferred", "pending"]
                hop.behaviour.clear()
                await office.hurry()
                await office.until("delivered", "delivered")
                assert await office.rows("SELECT failures, backoff_until FROM destination") == [
                    (0, None)
                ]

    run(main())


def test_nobody_listens(tmp_path):
    async def main():
        async with post_office(tmp_path) as office:
            await office.put(f"smtp:127.0.0.1:{closed_port()}")
            await office.until("deferred")
            ((_, _, code, status, reply, _),) = await office.attempts()
            assert (code, status) == (0, "4.4.1")
            assert "refused" in reply.lower()

    run(main())


@pytest.mark.rfc(5321, "3.1")
def test_a_server_that_takes_no_mail_says_so_in_its_greeting(tmp_path):
    async def main():
        with NextHop({"GREETING": "554 5.3.2 No SMTP service here"}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop))
                await office.put(to(hop))
                await office.until("failed", "failed")

    run(main())


def test_a_bound_on_connections_is_learnt(tmp_path):
    """A server with room for one connection refuses the second: nothing is deferred for it."""

    async def main():
        def greet(hop, _):
            return "421 4.7.0 Too many connections" if hop.connections > 1 else None

        with NextHop({"GREETING": greet, "END": Slow(0.02)}) as hop:
            async with post_office(tmp_path, started=False) as office:
                for _ in range(30):
                    await office.put(to(hop))
                office.start()
                await office.until(*["delivered"] * 30)
                assert {a[1] for a in await office.attempts()} == {1}
        assert hop.connections == 2

    run(main())


def test_who_wants_less_gets_nothing_for_a_while(tmp_path):
    async def main():
        with NextHop({"MAIL": "450 4.7.1 Too much mail from you"}) as hop:
            async with post_office(tmp_path, started=False) as office:
                for _ in range(5):
                    await office.put(to(hop))
                office.start()
                while not await office.rows("SELECT 1 FROM destination WHERE backoff_until > 0"):
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.3)
                ((rest,),) = await office.rows(
                    f"SELECT backoff_until - {int(time.time())} FROM destination"
                )
                assert 50 < rest < 140
        assert sum(line.startswith(b"MAIL") for line in hop.commands) <= 2

    run(main())


# -- nobody delays others


def test_a_hop_that_hangs_delays_nobody(tmp_path):
    async def main():
        with NextHop({"GREETING": SILENCE}) as dead, NextHop() as alive:
            limits = replace(QUICK, connections=2, slow_after_s=0.2)
            async with post_office(tmp_path, queue=limits, started=False) as office:
                for n in range(8):
                    port = dead.port
                    await office.put(f"smtp:127.0.0.{n + 1}:{port}" if n else to(dead))
                await office.put(to(alive))
                office.start()
                begun = time.monotonic()
                while not alive.messages:
                    await asyncio.sleep(0.02)
                    assert time.monotonic() - begun < 8

    run(main())
