"""TLS towards other servers: offered or not, broken or not, asked for or insisted on."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop

from mailserver.base.limits import OutboundLimits
from mailserver.mta.security import OPPORTUNISTIC, Security
from mailserver.net.dialer import Dialer
from mailserver.net.smtp import Hop
from mailserver.net.smtp_tls import ClientTls, TlsFacts
from mailserver.net.tls import Files, ServerTls, self_signed
from mailserver.smtp.outgoing import (
    Answer,
    HopError,
    Login,
    Outgoing,
    Rcpt,
    Stage,
    Tls,
    TlsFailed,
)
from misbehaving import DROP, SILENCE, NextHop

LIMITS = OutboundLimits(command_s=3, tls_handshake_s=1, quit_s=0.2)
CONTENT = b"Subject: x\r\n\r\nhello\r\n"
TO_ONE = Outgoing("a@b.example", (Rcpt("c@d.example"),), len(CONTENT))
CLEAR = Security(Tls.NEVER, (), False, "test")
ENCRYPT = Security(Tls.ENCRYPT, (), False, "test")
VERIFY = Security(Tls.VERIFY, ("hop.example",), False, "test")
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return self_signed(
        tmp_path_factory.mktemp("tls"), "hop.example", datetime.fromtimestamp(time.time(), UTC)
    )


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    return request.param


def deliver(
    loop: Callable[[], asyncio.AbstractEventLoop],
    hop: NextHop,
    security: Security,
    *,
    authorities: Path | None = None,
    login: Login | None = None,
) -> tuple[Answer, TlsFacts | None]:
    """The answer to one message, and how it travelled.  Raises HopError."""

    async def go() -> tuple[Answer, TlsFacts | None]:
        dialer = Dialer("client.example", LIMITS, ClientTls(authorities))
        target = Hop("hop.example", "127.0.0.1", hop.port, is_tls=hop.begins_with_tls, login=login)
        connection = await dialer.connect(target, security)
        (answer,) = await connection.send(TO_ONE, CONTENT)
        connection.close()
        await asyncio.sleep(0.05)
        return answer, connection.tls

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(go())


@pytest.fixture
def context(files: Files) -> ssl.SSLContext:
    return ServerTls(files).context


@pytest.mark.rfc(3207, "4.2")
@pytest.mark.parametrize("security", [OPPORTUNISTIC, ENCRYPT])
def test_tls_where_it_is_offered(loop, context, security: Security) -> None:
    with NextHop(tls=context) as hop:
        answer, tls = deliver(loop, hop, security)
    assert answer.reply.code == 250
    assert tls is not None
    assert (tls.version, tls.is_verified) == ("TLSv1.3", False)
    assert hop.messages[0].is_tls
    assert [line.split()[0] for line in hop.commands[:3]] == [b"EHLO", b"STARTTLS", b"EHLO"]


@pytest.mark.rfc(6125, "6")
def test_a_certificate_that_proves_the_name(loop, context, files: Files) -> None:
    with NextHop(tls=context) as hop:
        answer, tls = deliver(loop, hop, VERIFY, authorities=files.certificate)
    assert answer.reply.code == 250
    assert tls is not None
    assert tls.is_verified


def test_a_certificate_of_nobody_we_know(loop, context) -> None:
    with NextHop(tls=context) as hop, pytest.raises(TlsFailed) as raised:
        deliver(loop, hop, VERIFY)
    answer = raised.value.answer
    assert (answer.stage, answer.reply.status) == (Stage.STARTTLS, "4.7.5")
    assert "self-signed certificate" in answer.reply.text


def test_a_certificate_for_another_name(loop, context, files: Files) -> None:
    security = Security(Tls.VERIFY, ("other.example",), False, "test")
    with NextHop(tls=context) as hop, pytest.raises(TlsFailed, match=r"other\.example"):
        deliver(loop, hop, security, authorities=files.certificate)


def test_nothing_is_asked_when_it_may_not(loop, context) -> None:
    with NextHop(tls=context) as hop:
        answer, tls = deliver(loop, hop, CLEAR)
    assert answer.reply.code == 250
    assert tls is None


@pytest.mark.parametrize("behaviour", [{"STARTTLS": "454 4.7.0 Not now"}, {}])
def test_in_clear_where_there_is_no_tls(loop, context, behaviour: dict[str, str]) -> None:
    with NextHop(behaviour, tls=context if behaviour else None) as hop:
        answer, tls = deliver(loop, hop, OPPORTUNISTIC)
    assert answer.reply.code == 250
    assert tls is None


@pytest.mark.parametrize("behaviour", [{"STARTTLS": "454 4.7.0 Not now"}, {}])
def test_no_mail_in_clear_where_tls_is_a_must(loop, context, behaviour: dict[str, str]) -> None:
    with (
        NextHop(behaviour, tls=context if behaviour else None) as hop,
        pytest.raises(HopError) as raised,
    ):
        deliver(loop, hop, ENCRYPT)
    assert (raised.value.answer.stage, raised.value.answer.reply.status) == (
        Stage.STARTTLS,
        "4.7.4",
    )
    assert not any(line.startswith(b"MAIL") for line in hop.commands)


@pytest.mark.parametrize(
    "handshake", [DROP, SILENCE, b"\x16\x03\x01garbage" * 10, b"421 4.3.0 no\r\n"]
)
def test_a_handshake_that_fails(loop, context, handshake: object) -> None:
    """Reported as what it is, so that a new connection may do without TLS; and that one works."""
    with NextHop({"TLS": handshake}, tls=context) as hop:
        with pytest.raises(TlsFailed) as raised:
            deliver(loop, hop, OPPORTUNISTIC)
        assert raised.value.answer.reply.status == "4.7.5"
        assert raised.value.answer.reply.text.isprintable()
        assert deliver(loop, hop, CLEAR)[0].reply.code == 250


@pytest.mark.rfc(3207, "6")
def test_what_comes_with_the_reply_to_starttls(loop, context) -> None:
    """Octets in clear behind the 220 would be taken for the server's first words inside TLS."""
    injected = b"220 Go\r\n250-hop.example\r\n250 AUTH PLAIN\r\n"
    with NextHop({"STARTTLS": injected}, tls=context) as hop, pytest.raises(HopError) as raised:
        deliver(loop, hop, OPPORTUNISTIC, login=Login("a", "secret"))
    assert raised.value.answer.stage is Stage.STARTTLS
    assert not any(line.startswith(b"AUTH") for line in hop.commands)


@pytest.mark.rfc(8314, "3.3")
def test_tls_from_the_start(loop, context) -> None:
    with NextHop(tls=context, begins_with_tls=True) as hop:
        answer, tls = deliver(loop, hop, ENCRYPT)
    assert answer.reply.code == 250
    assert tls is not None
    assert not any(line == b"STARTTLS" for line in hop.commands)


def test_log_in_at_a_smarthost(loop, context) -> None:
    extensions = ("AUTH PLAIN LOGIN", "PIPELINING")
    with NextHop(tls=context, extensions=extensions) as hop:
        deliver(loop, hop, ENCRYPT, login=Login("us", "secret"))
    assert b"AUTH PLAIN AHVzAHNlY3JldA==" in hop.commands


def test_no_password_in_clear(loop) -> None:
    with NextHop(extensions=("AUTH PLAIN",)) as hop:
        with pytest.raises(HopError, match="not shown in clear"):
            deliver(loop, hop, OPPORTUNISTIC, login=Login("us", "secret"))
        deliver(loop, hop, OPPORTUNISTIC, login=Login("us", "secret", in_clear=True))
    assert hop.messages


def test_a_large_message_over_tls(loop, context) -> None:
    content = b"".join(b".%d a line of text\r\n" % n for n in range(20_000))
    outgoing = Outgoing("", (Rcpt("c@d.example"),), len(content))

    async def go() -> Answer:
        target = Hop("hop.example", "127.0.0.1", hop.port)
        connection = await Dialer("client.example", LIMITS).connect(target, ENCRYPT)
        (answer,) = await connection.send(outgoing, content)
        connection.close()
        await asyncio.sleep(0.05)
        return answer

    with NextHop(tls=context) as hop, asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(go()).reply.code == 250
    assert hop.messages[0].content == content


def test_a_name_that_no_certificate_can_have(context) -> None:
    async def go() -> None:
        target = Hop("\\000..example", "127.0.0.1", hop.port)
        with pytest.raises(HopError):
            await Dialer("client.example", LIMITS).connect(target, ENCRYPT)

    with NextHop(tls=context) as hop:
        asyncio.run(go())


def test_an_address_that_is_none() -> None:
    async def go() -> None:
        with pytest.raises(HopError):
            await Dialer("client.example", LIMITS).connect(
                Hop("x.example", "192.0.2.999", 25), OPPORTUNISTIC
            )

    asyncio.run(go())


def test_the_socket_is_closed_when_the_opening_is_cancelled() -> None:
    async def go(port: int) -> None:
        dialing = asyncio.ensure_future(
            Dialer("client.example", LIMITS).connect(
                Hop("x.example", "127.0.0.1", port), OPPORTUNISTIC
            )
        )
        await asyncio.sleep(0.1)
        dialing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialing
        await asyncio.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as server:
        asyncio.run(go(server.getsockname()[1]))
        connection, _ = server.accept()
        connection.settimeout(2)
        with connection, contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
