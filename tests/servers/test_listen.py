"""From an address to a handler: who is let in, who is turned away, and how it all ends."""

import asyncio
import ipaddress
import socket
import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import uvloop

from mailserver.base.errors import MailError
from mailserver.base.limits import ConnectionLimits, Limits
from mailserver.net.endpoint import Endpoint, parse_endpoint
from mailserver.net.tls import ServerTls, self_signed
from mailserver.servers.context import Context
from mailserver.servers.hub import Hub
from mailserver.servers.limits import Budget
from mailserver.servers.listen import Reception, Service, bind, bind_for

TODAY = datetime.fromtimestamp(time.time(), UTC)
TURNED_AWAY = (b"421 4.7.0 mail.example.test ", b"\r\n")


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return ServerTls(self_signed(tmp_path_factory.mktemp("tls"), "mail.example.test", TODAY))


@pytest.fixture
def context(tls, tmp_path):
    return Context(
        hostname="mail.example.test",
        limits=Limits(),
        work=None,
        tls=tls,
        cleartext_from=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
        spool=tmp_path,
        hub=Hub(),
        memory=Budget(1_000),
        stopping=asyncio.Event(),
        now=time.time,
    )


async def echo(stream, context, guest):
    """Says what it hears until the end or the stop."""
    while True:
        if not await stream.ready():
            stream.write(b"bye\r\n")
            return
        if stream.at_end and not stream.has_input:
            return
        data = stream.take()
        if data == b"crash\r\n":
            raise RuntimeError("a bug")
        if data == b"login\r\n":
            guest.authenticated()
        if data == b"stuck\r\n":
            await asyncio.sleep(60)
        stream.write(data)


PLAIN = Service("smtp", echo, False, TURNED_AWAY)
IMPLICIT = Service("submissions", echo, True, TURNED_AWAY)


class Door:
    """A reception on a free port of the loopback interface."""

    def __init__(self, context, service=PLAIN):
        self.reception = Reception(context)
        (self.sock,) = bind(Endpoint("127.0.0.1", free_port()))
        self.name = self.sock.getsockname()
        self.service = service

    async def __aenter__(self):
        await self.reception.open(self.sock, self.service)
        return self

    async def __aexit__(self, *exc):
        await self.reception.close(0.1)

    async def call(self, **options):
        return await asyncio.open_connection(*self.name, **options)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def limited(context, **limits):
    return replace(context, limits=Limits(connections=ConnectionLimits(**limits)))


def test_a_connection_is_handled(context):
    async def main():
        async with Door(context) as door:
            reader, writer = await door.call()
            writer.write(b"hello\r\n")
            assert await reader.readline() == b"hello\r\n"
            assert door.reception.connections == 1
            writer.close()
            while door.reception.connections:
                await asyncio.sleep(0.01)

    run(main())


@pytest.mark.rfc(8314, "3")
def test_implicit_tls_comes_before_the_handler(context, tls):
    async def main():
        async with Door(context, IMPLICIT) as door:
            client = ssl.create_default_context(cafile=tls._files.certificate)
            reader, writer = await door.call(ssl=client, server_hostname="mail.example.test")
            writer.write(b"hello\r\n")
            assert await reader.readline() == b"hello\r\n"
            writer.close()

    run(main())


@pytest.mark.rfc(8314, "3")
@pytest.mark.parametrize("loop_of", ["asyncio", "uvloop"])
def test_a_client_that_is_quick_with_its_hello(context, loop_of):
    """The ClientHello is in the kernel's buffer before anybody looks at the connection."""
    factory = asyncio.new_event_loop if loop_of == "asyncio" else uvloop.new_event_loop

    def shake(port):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port)) as raw, client.wrap_socket(raw) as sock:
            sock.sendall(b"hello\r\n")
            return sock.recv(100)

    async def main():
        async with Door(context, IMPLICIT) as door:
            loop, port = asyncio.get_running_loop(), door.sock.getsockname()[1]
            shakes = [loop.run_in_executor(None, shake, port) for _ in range(40)]
            assert await asyncio.gather(*shakes) == [b"hello\r\n"] * 40

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(main(), 20))


def test_what_is_no_handshake_ends_quietly(context):
    async def main():
        async with Door(context, IMPLICIT) as door:
            reader, writer = await door.call()
            writer.write(b"EHLO me\r\n" * 100)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1_000)
            while door.reception.connections:
                await asyncio.sleep(0.01)
            assert door.reception._connections.total == 0

    run(main())


def test_a_handshake_that_never_comes_is_ended(context):
    async def main():
        async with Door(limited(context, tls_handshake_s=0.2), IMPLICIT) as door:
            reader, _ = await door.call()
            assert await asyncio.wait_for(reader.read(), 5) == b""

    run(main())


def test_the_one_too_many_hears_why(context):
    async def main():
        async with Door(limited(context, total=1)) as door:
            first, writer = await door.call()
            writer.write(b"x\r\n")
            await first.readline()
            second, _ = await door.call()
            assert await second.read() == (
                b"421 4.7.0 mail.example.test Too many connections, try again later\r\n"
            )
            writer.write(b"still there\r\n")
            assert await first.readline() == b"still there\r\n"

    run(main())


def test_over_tls_the_one_too_many_is_just_closed(context):
    async def main():
        async with Door(limited(context, total=0), IMPLICIT) as door:
            reader, _ = await door.call()
            assert await reader.read() == b""

    run(main())


def test_who_logs_in_makes_room_for_a_stranger(context):
    async def main():
        async with Door(limited(context, unauthenticated=1)) as door:
            first, writer = await door.call()
            writer.write(b"login\r\n")
            await first.readline()
            second, other = await door.call()
            other.write(b"hello\r\n")
            assert await second.readline() == b"hello\r\n"
            third, _ = await door.call()
            assert (await third.read()).startswith(b"421")

    run(main())


def test_a_bug_ends_its_own_connection_only(context, caplog):
    async def main():
        async with Door(context) as door:
            reader, writer = await door.call()
            other, other_writer = await door.call()
            writer.write(b"crash\r\n")
            assert await reader.read() == b""
            other_writer.write(b"hello\r\n")
            assert await other.readline() == b"hello\r\n"

    run(main())
    (record,) = [r for r in caplog.records if r.getMessage() == "bug"]
    assert record.mail_fields["peer"] == "127.0.0.1"
    assert len(record.mail_fields["session"]) == 8


def test_stop_lets_handlers_say_goodbye(context):
    async def main():
        async with Door(context) as door:
            reader, writer = await door.call()
            writer.write(b"hello\r\n")
            await reader.readline()
            await door.reception.close(5)
            assert await reader.read() == b"bye\r\n"
            with pytest.raises(ConnectionRefusedError):
                await door.call()

    run(main())


def test_stop_cuts_off_who_does_not_finish(context):
    async def main():
        async with Door(context) as door:
            reader, writer = await door.call()
            writer.write(b"stuck\r\n")
            await asyncio.sleep(0.1)
            begun = time.monotonic()
            await door.reception.close(0.3)
            assert time.monotonic() - begun < 2
            assert await reader.read() == b""
            assert door.reception.connections == 0

    run(main())


def test_a_storm_of_connections_leaves_nothing_behind(context, caplog):
    async def main():
        async with Door(limited(context, unauthenticated=50)) as door:
            reader, writer = await door.call()
            writer.write(b"login\r\n")
            await reader.readline()

            async def strike(n):
                try:
                    _, other = await door.call()
                    other.write(b"\x00garbage" * 10)
                    if n % 2:
                        other.transport.abort()
                    else:
                        await asyncio.sleep(0.05)
                        other.close()
                except ConnectionError:
                    pass

            for _ in range(10):
                await asyncio.gather(*(strike(n) for n in range(150)))
                writer.write(b"still there\r\n")
                assert await reader.readline() == b"still there\r\n"
            while door.reception.connections > 1:
                await asyncio.sleep(0.01)
            counts = door.reception._connections
            assert (counts.total, counts.unauthenticated) == (1, 0)
            assert dict(counts._by_network) == {"127.0.0.1": 1}

    run(main())
    told = [r for r in caplog.records if r.getMessage() == "connections turned away"]
    assert 1 <= len(told) <= 20  # one line a second at most, not one a connection


def test_log_in_without_tls_only_from_some_networks(context):
    async def main():
        peers = []

        async def note(stream, context, guest):
            for peer in ("127.8.8.8", "::1", "::ffff:127.0.0.1", "192.0.2.1", "fe80::1%eth0", ""):
                stream.peer = peer
                peers.append((peer, context.may_log_in(stream)))

        async with Door(context, Service("imap", note, False, TURNED_AWAY)) as door:
            reader, _ = await door.call()
            await reader.read()
        assert peers == [
            ("127.8.8.8", True),
            ("::1", True),
            ("::ffff:127.0.0.1", True),
            ("192.0.2.1", False),
            ("fe80::1%eth0", False),
            ("", True),
        ]

    run(main())


# -- addresses


def test_a_port_alone_is_every_address_of_the_machine():
    sockets = bind(Endpoint("", free_port()))
    names = [sock.getsockname()[0] for sock in sockets]
    assert names == ["0.0.0.0", "::"][: len(names)]
    assert len(names) == 2 or not socket.has_ipv6
    for sock in sockets:
        sock.close()


def test_an_address_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for act in (lambda e: bind(e), lambda e: bind_for(e, 2)):
            with pytest.raises(MailError) as caught:
                act(Endpoint("127.0.0.1", port))
            assert str(caught.value) == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_workers_of_another_server_are_not_joined():
    endpoint = Endpoint("127.0.0.1", free_port())
    ours = [sock for sockets in bind_for(endpoint, 2) for sock in sockets]
    assert len({sock.fileno() for sock in ours}) == 2
    for sock in ours:
        sock.listen()
    with pytest.raises(MailError, match="Address already in use"):
        bind_for(endpoint, 2)
    for sock in ours:
        sock.close()


def test_a_host_that_does_not_exist_is_named():
    with pytest.raises(MailError, match=r"cannot listen on nowhere\.invalid:2525: "):
        bind(Endpoint("nowhere.invalid", 2525))


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(MailError, match="Cannot assign requested address"):
        bind(Endpoint("192.0.2.1", free_port()))


def test_unix_sockets_take_the_place_of_dead_ones_only(tmp_path):
    endpoint = parse_endpoint(f"unix:{tmp_path}/sock")
    (first,) = bind(endpoint)
    first.listen()
    with pytest.raises(MailError, match="Address already in use"):
        bind(endpoint)
    first.close()
    (second,) = bind(endpoint)
    assert (tmp_path / "sock").stat().st_mode & 0o777 == 0o660
    second.close()
    (tmp_path / "file").write_text("precious")
    with pytest.raises(MailError):
        bind(parse_endpoint(f"unix:{tmp_path}/file"))
    assert (tmp_path / "file").read_text() == "precious"
