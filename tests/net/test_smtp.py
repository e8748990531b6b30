"""Connections to other servers, over real sockets."""

import asyncio
import getpass
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from conftest import program
from mailserver.base.limits import OutboundLimits
from mailserver.mta.security import OPPORTUNISTIC
from mailserver.net.dialer import Dialer
from mailserver.net.smtp import Content, Hop, OutboundConnection
from mailserver.smtp.outgoing import Answer, HopError, Outgoing, Rcpt, Stage
from misbehaving import DROP, RESET, SILENCE, NextHop, Slow

PATIENT = OutboundLimits(quit_s=0.5)
HURRIED = OutboundLimits(
    connect_s=2, greeting_s=0.8, command_s=0.8, data_s=0.8, block_s=0.8, end_s=0.8, quit_s=0.5
)
CONTENT = b"Subject: x\r\n\r\n.\r\nhello\r\n"
TO_ONE = Outgoing("a@b.example", (Rcpt("c@d.example"),), len(CONTENT))


async def connect(port: int, limits: OutboundLimits = PATIENT) -> OutboundConnection:
    dialer = Dialer("client.example", limits)
    return await dialer.connect(Hop("hop.example", "127.0.0.1", port), OPPORTUNISTIC)


def deliver(
    port: int,
    outgoing: Outgoing = TO_ONE,
    content: Content = CONTENT,
    limits: OutboundLimits = PATIENT,
) -> tuple[Answer, ...]:
    """One message on a connection of its own; the connection's own trouble is the answer for all."""

    async def go() -> tuple[Answer, ...]:
        try:
            connection = await connect(port, limits)
        except HopError as error:
            return (error.answer,) * len(outgoing.recipients)
        try:
            return await connection.send(outgoing, content)
        finally:
            connection.close()
            await asyncio.sleep(0.02)

    return asyncio.run(go())


def test_messages_on_one_connection() -> None:
    async def go(port: int) -> None:
        connection = await connect(port)
        for _ in range(3):
            (answer,) = await connection.send(TO_ONE, CONTENT)
            assert (answer.reply.code, answer.stage) == (250, Stage.END)
            assert connection.is_reusable
        connection.close()
        await asyncio.sleep(0.1)
        assert not connection.is_reusable

    with NextHop() as hop:
        asyncio.run(go(hop.port))
    assert [m.content for m in hop.messages] == [CONTENT] * 3
    assert hop.connections == 1
    assert hop.commands[-1] == b"QUIT"


@pytest.mark.needs("smtp-sink")
def test_smtp_sink(sink: int) -> None:
    assert deliver(sink)[0].reply.code == 250


@pytest.fixture
def sink() -> Iterator[int]:
    """Postfix's smtp-sink."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program("smtp-sink") or "", "-u", getpass.getuser(), f"127.0.0.1:{port}", "100"]
    )
    for _ in range(50):
        time.sleep(0.1)
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            pass
    yield port
    process.terminate()
    process.wait()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (answer,) = deliver(port)
    assert (answer.stage, answer.reply.status, answer.is_ours) == (Stage.CONNECT, "4.4.1", True)
    assert "refused" in answer.reply.text.lower()


STEPS = {
    "GREETING": Stage.GREETING,
    "EHLO": Stage.EHLO,
    "MAIL": Stage.MAIL,
    "RCPT": Stage.RCPT,
    "DATA": Stage.DATA,
    "END": Stage.END,
}


@pytest.mark.rfc(5321, "4.5.3.2")
@pytest.mark.parametrize(
    ("action", "pipelining"),
    [
        (DROP, True),
        (DROP, False),
        (RESET, True),
        (SILENCE, True),
        (SILENCE, False),
        (Slow(0.2, octets=True), True),
    ],
)
@pytest.mark.parametrize("step", STEPS)
def test_trouble_at_each_step(step: str, action: object, pipelining: bool) -> None:
    """Whatever happens when, the answer says at which step, is temporary, and comes in time."""
    extensions = ("PIPELINING",) if pipelining else ()
    with NextHop({step: action}, extensions=extensions) as hop:
        start = time.monotonic()
        (answer,) = deliver(hop.port, limits=HURRIED)
        assert time.monotonic() - start < 5
    if action is not RESET:  # which may overtake the replies before it
        assert answer.stage is STEPS[step]
    assert answer.is_ours
    assert 400 <= answer.reply.code < 500
    assert not hop.messages or step == "END"


@pytest.mark.parametrize("step", STEPS)
def test_garbage_at_each_step(step: str) -> None:
    with NextHop({step: b"\x00\xffwhatever\r\n\r\n250"}) as hop:
        (answer,) = deliver(hop.port)
    assert answer.stage is STEPS[step]
    assert (answer.is_ours, answer.reply.status) == (True, "4.5.0")
    assert answer.reply.text.isprintable()


@pytest.mark.parametrize("step", STEPS)
def test_a_reply_without_end(step: str) -> None:
    with NextHop({step: b"250-and another line\r\n" * 100_000}) as hop:
        (answer,) = deliver(hop.port)
    assert answer.stage is STEPS[step]
    assert answer.is_ours
    assert len(answer.reply.text) <= 1_000


def test_a_large_message_in_pieces() -> None:
    content = b"".join(b".%d a line of text\r\n" % n for n in range(100_000))

    async def piece(offset: int) -> bytes:
        return content[offset : offset + 100_001]

    outgoing = Outgoing("", (Rcpt("c@d.example"),), len(content))
    with NextHop() as hop:
        (answer,) = deliver(hop.port, outgoing, piece)
    assert answer.reply.code == 250
    assert hop.messages[0].content == content


@pytest.mark.rfc(3030, "2")
def test_a_large_message_in_a_chunk() -> None:
    content = b"".join(b".%d a line of text\r\n" % n for n in range(150_000))

    async def piece(offset: int) -> bytes:
        return content[offset : offset + 262_144]

    outgoing = Outgoing("", (Rcpt("c@d.example"),), len(content))
    with NextHop(extensions=("CHUNKING", "PIPELINING")) as hop:
        (answer,) = deliver(hop.port, outgoing, piece)
    assert answer.reply.code == 250
    assert hop.messages[0].content == content
    assert hop.commands[-2] == b"BDAT %d LAST" % len(content)
    assert b"DATA" not in hop.commands


@pytest.mark.rfc(3030, "2")
@pytest.mark.parametrize("wrong", [-1, 1, 500_000, -500_000])
def test_a_chunk_that_is_not_as_long_as_was_said(wrong: int) -> None:
    """The next hop would take a message for complete that is not."""
    content = b"x" * 78 + b"\r\n"
    content *= 40_000

    async def piece(offset: int) -> bytes:
        return content[offset : offset + 262_144]

    outgoing = Outgoing("", (Rcpt("c@d.example"),), len(content) + wrong)
    with NextHop(extensions=("CHUNKING",)) as hop, pytest.raises(ValueError, match="announced"):
        deliver(hop.port, outgoing, piece)
    assert not hop.unanswered


LONG = b"x" * 78 + b"\r\n"
TO_ONE_LONG = Outgoing("", (Rcpt("c@d.example"),), len(LONG) * 400_000)


def test_a_peer_that_takes_nothing_more() -> None:
    with NextHop({"BODY": SILENCE}) as hop:
        (answer,) = deliver(hop.port, TO_ONE_LONG, LONG * 400_000, limits=HURRIED)
    assert (answer.stage, answer.is_ours) == (Stage.DATA, True)
    assert not hop.unanswered


def test_a_refusal_in_the_middle_of_the_content() -> None:
    """What the server said before it went counts, not that it went."""
    with NextHop({"BODY": ("552 5.3.4 Too large for me", Slow(0.1, DROP))}) as hop:
        (answer,) = deliver(hop.port, TO_ONE_LONG, LONG * 400_000)
    if answer.is_ours:  # the reset of the connection may overtake the reply
        assert answer.reply.code == 421
    else:
        assert (answer.stage, answer.reply.status) == (Stage.DATA, "5.3.4")
    assert not hop.unanswered


@pytest.mark.rfc(5321, "6.1")
@pytest.mark.parametrize("last_words", ["", "250 2.0.0 Taken", "554 5.7.1 No"])
def test_a_connection_that_is_lost_before_the_content_leaves(last_words: str) -> None:
    """Nobody has taken it, and no doubt about that is spread; nor is a reply believed that came too early."""

    async def piece(offset: int) -> bytes:
        await asyncio.sleep(0.2)
        return b"" if offset else CONTENT

    said = ("354 Go", last_words, DROP) if last_words else ("354 Go", DROP)
    with NextHop({"DATA": said}) as hop:
        (answer,) = deliver(hop.port, TO_ONE, piece)
    assert answer.stage is Stage.DATA
    told = {"": (True, "4.4.2"), "2": (True, "4.5.0"), "5": (False, "5.7.1")}
    assert (answer.is_ours, answer.reply.status) == told[last_words[:1]]
    assert not hop.unanswered


@pytest.mark.parametrize(
    ("reply", "is_ours", "status"),
    [
        ("421 4.3.2 Goodbye", False, "4.3.2"),
        ("550 5.7.1 No", True, "4.5.0"),
        ("250 Ok", True, "4.5.0"),
    ],
)
def test_a_server_that_speaks_out_of_turn(reply: str, is_ours: bool, status: str) -> None:
    """Its replies would be taken for those to other commands; nothing bounces for that."""

    async def go(port: int) -> Answer:
        connection = await connect(port)
        await asyncio.sleep(0.2)
        (answer,) = await connection.send(TO_ONE, CONTENT)
        assert not connection.is_reusable
        return answer

    with NextHop({"EHLO": (None, Slow(0.1, reply))}) as hop:
        answer = asyncio.run(go(hop.port))
    assert (answer.stage, answer.is_ours, answer.reply.status) == (Stage.MAIL, is_ours, status)
    assert not hop.messages


def test_a_content_that_cannot_be_read() -> None:
    """The message must not look complete to anybody."""

    async def piece(offset: int) -> bytes:
        if offset:
            raise OSError("disk")
        return CONTENT

    with NextHop() as hop, pytest.raises(OSError, match="disk"):
        deliver(hop.port, TO_ONE, piece)
    assert not hop.unanswered
