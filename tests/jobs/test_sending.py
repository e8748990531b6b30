"""Mail leaves: what goes well, and what is refused."""

import asyncio
import time
from dataclasses import replace

import pytest

from jobs.post_office import QUICK, RAW, post_office, run, sent, to
from misbehaving import NextHop, once

# -- what goes well


def test_a_message_leaves_as_it_is(tmp_path, caplog):
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

    with caplog.at_level("INFO"):
        run(main())
    (line,) = [r.mail_fields for r in caplog.records if r.getMessage() == "mail delivered"]
    assert line["recipients"] == ["b@elsewhere.test"]
    assert line["reply"] == "250 2.0.0 Taken"


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
