"""Our client delivers to Debian's Postfix and Dovecot, and to our own server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import uvloop

from mailserver.base.limits import OutboundLimits
from mailserver.mta.security import OPPORTUNISTIC, Security
from mailserver.net.dialer import Dialer
from mailserver.net.smtp import Content, Hop, OutboundConnection
from mailserver.smtp.outgoing import Answer, HopError, Login, Outgoing, Rcpt, Stage, Tls
from outside import debian
from outside.fixtures import IN_CI
from outside.mail import big, message, stored, without_trace
from outside.server import Server

ENCRYPT = Security(Tls.ENCRYPT, (), False, "test")


@pytest.fixture(scope="module")
def peer() -> Iterator[debian.Debian]:
    """Postfix before Dovecot."""
    reason = debian.why_not()
    if reason:
        (pytest.fail if IN_CI else pytest.skip)(f"needs dovecot postfix: {reason}")
    peer = debian.Debian()
    peer.start()
    yield peer
    peer.stop()


async def connect(
    server: Server,
    which: str,
    security: Security = OPPORTUNISTIC,
    login: Login | None = None,
) -> OutboundConnection:
    hop = Hop(
        "localhost",
        "127.0.0.1",
        server.ports[which],
        is_lmtp=which == "lmtp",
        is_tls=which == "submissions",
        login=login,
    )
    return await Dialer("client.example.org", OutboundLimits()).connect(hop, security)


def send(
    connection: OutboundConnection, content: Content, size: int, *to: str, is_8bit: bool = False
) -> asyncio.Future[tuple[Answer, ...]]:
    outgoing = Outgoing(
        "sender@example.org", tuple(map(Rcpt, to)), size, is_8bit=is_8bit, ret="HDRS", envid="x+1"
    )
    return asyncio.ensure_future(connection.send(outgoing, content))


def test_postfix_takes_many_on_one_connection(peer: debian.Debian) -> None:
    """Over TLS, pipelined, some recipients refused; every message arrives as it was, dots and all."""
    account = peer.account()
    texts = [message(f"n{n}", f".\r\n..\r\n.line {n}\r\n") for n in range(20)]

    async def go() -> None:
        connection = await connect(peer, "smtp")
        assert connection.tls is not None
        assert {"PIPELINING", "SIZE", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"} <= set(
            connection.capabilities.words
        )
        for text in texts:
            good, bad = await send(
                connection, text, len(text), account.address, "nobody@example.test"
            )
            assert (good.reply.code, good.stage) == (250, Stage.END)
            assert (bad.reply.code, bad.reply.status, bad.stage) == (550, "5.1.1", Stage.RCPT)
        (bad,) = await send(connection, texts[0], len(texts[0]), "x@elsewhere.example")
        assert (bad.reply.code, bad.reply.status) == (554, "5.7.1")
        (good,) = await send(connection, texts[0], len(texts[0]), account.address)
        assert good.reply.code == 250  # after RSET
        connection.close()
        await asyncio.sleep(0.1)

    uvloop.run(go())
    arrived = stored(peer, account, count=21)
    assert sorted(map(without_trace, arrived.values())) == sorted([*texts, texts[0]])


@pytest.mark.rfc(3030, "2")
def test_postfix_takes_chunks(peer: debian.Debian) -> None:
    account = peer.account()
    text = big("chunks", 3_500_000)

    async def piece(offset: int) -> bytes:
        return text[offset : offset + 262_144]

    async def go() -> None:
        connection = await connect(peer, "smtp")
        (answer,) = await send(connection, piece, len(text), account.address)
        assert answer.reply.code == 250
        connection.close()
        await asyncio.sleep(0.1)

    uvloop.run(go())
    (arrived,) = stored(peer, account, count=1).values()
    assert without_trace(arrived) == text


@pytest.mark.parametrize("which", ["submission", "submissions"])
def test_postfix_as_a_smarthost(peer: debian.Debian, which: str) -> None:
    account = peer.account()
    text = message("submitted")

    async def go() -> None:
        login = Login(account.address, account.password)
        connection = await connect(peer, which, ENCRYPT, login)
        (answer,) = await send(connection, text, len(text), account.address)
        assert answer.reply.code == 250
        connection.close()
        with pytest.raises(HopError) as raised:
            await connect(peer, which, ENCRYPT, Login(account.address, "wrong"))
        assert raised.value.answer.stage is Stage.AUTH
        assert raised.value.answer.reply.code == 454
        await asyncio.sleep(0.1)

    uvloop.run(go())


def test_too_large_for_postfix(peer: debian.Debian) -> None:
    async def go() -> None:
        connection = await connect(peer, "smtp")
        (answer,) = await send(connection, b"", 50_000_001, "alice@example.test")
        assert (answer.reply.status, answer.is_ours) == ("5.3.4", True)
        connection.close()

    uvloop.run(go())


@pytest.mark.rfc(2033, "4.2")
def test_dovecot_answers_for_each_recipient(peer: debian.Debian) -> None:
    one, other = peer.account(), peer.account()
    text = message("lmtp", "Bärlauch\r\n")

    async def go() -> None:
        connection = await connect(peer, "lmtp")
        for _ in range(2):
            first, second, third = await send(
                connection,
                text,
                len(text),
                one.address,
                "nobody@example.net",
                other.address,
                is_8bit=True,
            )
            assert (first.reply.code, first.stage) == (250, Stage.END)
            assert (third.reply.code, third.stage) == (250, Stage.END)
            assert second.stage in (Stage.RCPT, Stage.END)
        connection.close()
        await asyncio.sleep(0.1)

    uvloop.run(go())
    for account in (one, other):
        assert {without_trace(raw) for raw in stored(peer, account, count=2).values()} == {text}


def test_our_own_server(server: Server) -> None:
    account = server.account()
    texts = [message(f"n{n}", f".\r\n.line {n}\r\n") for n in range(5)]

    async def go() -> None:
        connection = await connect(server, "smtp")
        assert connection.tls is not None
        for text in texts:
            good, bad = await send(
                connection, text, len(text), account.address, "nobody@example.test"
            )
            assert (good.reply.code, bad.reply.code) == (250, 550)
        connection.close()
        await asyncio.sleep(0.1)

    uvloop.run(go())
    arrived = stored(server, account, count=5)
    assert sorted(map(without_trace, arrived.values())) == sorted(texts)
