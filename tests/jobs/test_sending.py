"""Mail leaves: one next hop, each of its moods, and what is written down."""

import asyncio
import socket
import time
from dataclasses import replace

import pytest

from jobs.post_office import QUICK, RAW, post_office, sent
from mailserver.base.limits import OutboundLimits
from mailserver.net.dns import DnsTrouble, NoSuchDomain
from mailserver.store.queue_filter import QueueFilter
from misbehaving import DROP, RESET, SILENCE, NextHop, Slow, once


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 40))


def to(hop):
    return f"smtp:127.0.0.1:{hop.port}"


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


# -- what goes well


def test_a_message_leaves_as_it_is(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), prefix=b"Delivered-To: z@example.test\r\n")
                await office.until("delivered")
                ((_, number, code, status, _, outcome),) = await office.attempts()
                ((host, address, tls),) = await office.rows(
                    "SELECT host, address, tls FROM attempt"
                )
                assert await office.rows("SELECT count(*) FROM blob") == [(0,)]
        assert (number, code, status, outcome) == (1, 250, "2.0.0", "delivered")
        assert (host, address, tls) == ("127.0.0.1", "127.0.0.1", "")
        (message,) = hop.messages
        assert message.content == b"Delivered-To: z@example.test\r\n" + RAW
        assert message.mail.startswith(b"MAIL FROM:<a@example.test>")
        assert sent(message.rcpts) == ["b@elsewhere.test"]

    run(main())


def test_a_commit_wakes_the_runner_at_once(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                await asyncio.sleep(0.3)
                await office.put(to(hop))
                begun = time.monotonic()
                await office.until("delivered")
                assert time.monotonic() - begun < 1.0

    run(main())


def test_no_commit_is_overlooked(tmp_path):
    """Mail that is committed while the runner looks is seen by its next look, not when a connection has idled."""

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, queue=replace(QUICK, idle_connection_s=60)) as office:
                for n in range(150):
                    await office.put(to(hop))
                    if n % 10 == 0:
                        await asyncio.sleep(0.005)
                begun = time.monotonic()
                await office.until(*["delivered"] * 150, seconds=20)
                assert time.monotonic() - begun < 8

    run(main())


def test_a_large_message_is_read_in_pieces(tmp_path):
    raw = b"Subject: large\r\n\r\n" + b"".join(b"%070d\r\n" % n for n in range(12_000))

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), raw=raw, prefix=b"X: y\r\n")
                await office.until("delivered")
        assert hop.messages[0].content == b"X: y\r\n" + raw

    run(main())


def test_many_messages_share_few_connections(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, started=False) as office:
                for n in range(60):
                    await office.put(to(hop), f"r{n}@elsewhere.test")
                office.start()
                await office.until(*["delivered"] * 60)
        assert hop.connections <= 20
        assert sorted(sent(m.rcpts)[0] for m in hop.messages) == sorted(
            f"r{n}@elsewhere.test" for n in range(60)
        )

    run(main())


def test_a_connection_carries_so_many_messages_and_no_more(tmp_path):
    async def main():
        with NextHop() as hop:
            limits = replace(QUICK, per_connection=3, per_destination=1)
            async with post_office(tmp_path, queue=limits, started=False) as office:
                for _ in range(7):
                    await office.put(to(hop))
                office.start()
                await office.until(*["delivered"] * 7)
        assert [m.number for m in hop.messages] == [1, 1, 1, 2, 2, 2, 3]

    run(main())


def test_recipients_are_split_and_share_one_content(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, queue=replace(QUICK, recipients=40)) as office:
                await office.put(to(hop), *[f"r{n}@elsewhere.test" for n in range(130)])
                await office.until(*["delivered"] * 130)
        assert sorted(len(m.rcpts) for m in hop.messages) == [20, 30, 40, 40]
        assert len({a for m in hop.messages for a in sent(m.rcpts)}) == 130

    run(main())


# -- refusals


def test_each_recipient_has_its_own_end(tmp_path):
    def rcpt(_, line):
        if b"nobody@" in line:
            return "550 5.1.1 No such user"
        return "450 4.2.0 Mailbox busy" if b"busy@" in line else None

    async def main():
        with NextHop({"RCPT": rcpt}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(
                    to(hop), "nobody@elsewhere.test", "b@elsewhere.test", "busy@elsewhere.test"
                )
                await office.until("failed", "delivered", "deferred")
                suppressed = await office.rows("SELECT address, status FROM suppression")
                ((due_in,),) = await office.rows(
                    f"SELECT due_at - {int(time.time())} FROM queued_recipient WHERE id = 3"
                )
                ((rests,),) = await office.rows("SELECT backoff_until IS NOT NULL FROM destination")
        assert suppressed == [("nobody@elsewhere.test", "5.1.1")]
        assert 260 < due_in < 340
        assert not rests
        assert [sent(m.rcpts) for m in hop.messages] == [["b@elsewhere.test"]]

    run(main())


@pytest.mark.rfc(5321, "4.5.4.1")
def test_who_greylists_gets_it_the_next_time(tmp_path):
    async def main():
        with NextHop({"RCPT": once("450 4.7.1 Greylisted, come back")}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop))
                await office.until("deferred")
                await office.hurry()
                await office.until("delivered")
                attempts = await office.attempts()
        assert [(a[1], a[2], a[5]) for a in attempts] == [
            (1, 450, "deferred"),
            (2, 250, "delivered"),
        ]

    run(main())


@pytest.mark.rfc(5321, "4.5.3.1.10")
def test_too_many_recipients_go_in_another_transaction(tmp_path):
    async def main():
        counts = {}

        def rcpt(hop, line):
            n = counts[len(hop.messages)] = counts.get(len(hop.messages), 0) + 1
            return "452 4.5.3 Too many recipients" if n > 2 else None

        with NextHop({"RCPT": rcpt}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), *[f"r{n}@elsewhere.test" for n in range(5)])
                await office.until(*["delivered"] * 5)
                assert len(await office.attempts()) == 5
        assert [len(m.rcpts) for m in hop.messages] == [2, 2, 1]

    run(main())


@pytest.mark.rfc(5321, "4.2.1")
@pytest.mark.parametrize("step", ["MAIL", "DATA", "END"])
@pytest.mark.parametrize(
    ("reply", "state"), [("451 4.3.5 Later", "deferred"), ("554 5.6.0 No", "failed")]
)
def test_a_reply_for_all(tmp_path, step, reply, state):
    async def main():
        with NextHop({step: reply}) as hop:
            async with post_office(tmp_path) as office:
                await office.put(to(hop), "b@elsewhere.test", "c@elsewhere.test")
                await office.until(state, state)
                for _, _, code, status, text, _ in await office.attempts():
                    assert f"{code} {status} {text}" == reply
        assert hop.messages == []

    run(main())


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


# -- hosts


def two_hops(behaviour):
    first = NextHop(behaviour, address="127.0.0.1")
    second = NextHop(address="127.0.0.2", port=first.port)
    return first, second


@pytest.mark.rfc(5321, "5.1")
@pytest.mark.parametrize(
    "behaviour",
    [
        {"GREETING": "421 4.3.2 Not here"},
        {"GREETING": "554 5.3.2 Never here"},
        {"GREETING": DROP},
        {"MAIL": "452 4.3.1 Disk full"},
        {"DATA": DROP},
        {"END": "451 4.3.0 Cannot store it"},
    ],
    ids=lambda b: "-".join(map(str, b)) if isinstance(b, dict) else b,
)
def test_the_next_host_takes_what_the_first_cannot(tmp_path, behaviour):
    async def main():
        first, second = two_hops(behaviour)
        with first, second:
            async with post_office(tmp_path, port=first.port) as office:
                office.zone.mx_of["elsewhere.test"] = [(10, "mx1.test"), (20, "mx2.test")]
                office.zone.hosts |= {"mx1.test": ["127.0.0.1"], "mx2.test": ["127.0.0.2"]}
                await office.put("elsewhere.test")
                await office.until("delivered")
                assert await office.rows("SELECT host FROM attempt") == [("mx2.test",)]
        assert len(second.messages) == 1

    run(main())


@pytest.mark.parametrize(
    ("behaviour", "state"),
    [
        ({"RCPT": "450 4.2.2 Mailbox full"}, "deferred"),
        ({"RCPT": "550 5.1.1 Nobody"}, "failed"),
        ({"END": DROP}, "deferred"),
        ({"END": "554 5.7.1 Spam"}, "failed"),
    ],
    ids=lambda b: "-".join(map(str, b)) if isinstance(b, dict) else b,
)
def test_the_next_host_is_not_asked_for_another_opinion(tmp_path, behaviour, state):
    async def main():
        first, second = two_hops(behaviour)
        with first, second:
            async with post_office(tmp_path, port=first.port) as office:
                office.zone.mx_of["elsewhere.test"] = [(10, "mx1.test"), (20, "mx2.test")]
                office.zone.hosts |= {"mx1.test": ["127.0.0.1"], "mx2.test": ["127.0.0.2"]}
                await office.put("elsewhere.test")
                await office.until(state)
        assert second.connections == 0

    run(main())


@pytest.mark.rfc(5321, "5.1")
@pytest.mark.rfc(7505, "4.1")
@pytest.mark.parametrize(
    ("mx", "hosts", "state", "status"),
    [
        ([(0, "")], {}, "failed", "5.1.10"),
        (NoSuchDomain("no such domain"), {}, "failed", "5.1.2"),
        (DnsTrouble("SERVFAIL"), {}, "deferred", "4.4.3"),
        ([(10, "mail.example.test")], {}, "failed", "5.4.6"),
        ([(10, "mx.test")], {"mx.test": NoSuchDomain("x")}, "failed", "5.4.4"),
        ([(10, "mx.test")], {"mx.test": []}, "failed", "5.4.4"),
        ([(10, "mx.test")], {"mx.test": DnsTrouble("timeout")}, "deferred", "4.4.3"),
        ([(10, "a.test"), (20, "b.test")], {"b.test": DnsTrouble("x")}, "deferred", "4.4.3"),
        ([], {}, "failed", "5.1.2"),
        ([], {"elsewhere.test": []}, "failed", "5.1.2"),
    ],
)
def test_what_the_dns_says(tmp_path, mx, hosts, state, status):
    async def main():
        async with post_office(tmp_path) as office:
            office.zone.mx_of["elsewhere.test"] = mx
            office.zone.hosts |= hosts
            await office.put("elsewhere.test", "b@elsewhere.test")
            await office.put("elsewhere.test", "c@elsewhere.test")
            await office.until(state, state if state == "failed" else "pending")
            attempts = await office.attempts()
            suppressed = await office.rows("SELECT address FROM suppression ORDER BY 1")
        assert {a[3] for a in attempts} == {status}
        wanted = [("b@elsewhere.test",), ("c@elsewhere.test",)] if status == "5.1.10" else []
        assert suppressed == wanted

    run(main())


@pytest.mark.parametrize("listener", [True, False])
def test_mail_is_never_sent_to_ourselves(tmp_path, listener):
    async def main():
        with NextHop() as hop:
            async with post_office(
                tmp_path,
                port=hop.port,
                is_own=lambda a, p: listener and (a, p) == ("127.0.0.1", hop.port),
            ) as office:
                office.zone.hosts["elsewhere.test"] = ["127.0.0.1"]
                await office.put("elsewhere.test")
                await office.until("failed" if listener else "delivered")
        assert bool(hop.connections) is not listener

    run(main())


def test_address_literals_and_implicit_mx(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, port=hop.port) as office:
                office.zone.hosts["elsewhere.test"] = ["127.0.0.1"]
                await office.put("[127.0.0.1]")
                await office.put("elsewhere.test")
                await office.until("delivered", "delivered")
                assert office.zone.asked == ["elsewhere.test"]

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


# -- our own trouble


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
