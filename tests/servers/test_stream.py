"""The stream over real loopback sockets: reading, waking, back-pressure, timeouts, the end."""

import asyncio
import socket
import ssl

import pytest

from mailserver.servers.accepting import listen
from mailserver.servers.stream import INPUT_HIGH, Stream


def run(handler, client):
    """Serve *handler* on a free port, run the coroutine *client*(reader, writer), then stop."""

    async def main():
        loop = asyncio.get_running_loop()
        sock = socket.create_server(("127.0.0.1", 0))
        server = await listen(loop, sock, handler)
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        try:
            return await asyncio.wait_for(client(reader, writer), 10)
        finally:
            writer.close()
            server.close()

    return asyncio.run(main())


def test_echo_until_the_end():
    async def echo(stream: Stream):
        while data := await stream.read():
            stream.write(data)

    async def client(reader, writer):
        writer.write(b"hello")
        writer.write_eof()
        return await reader.read()

    assert run(echo, client) == b"hello"


def test_a_silent_peer_times_out():
    async def impatient(stream: Stream):
        stream.timeout_s = 0.05
        with pytest.raises(TimeoutError):
            await stream.read()
        stream.write(b"too late")

    async def client(reader, writer):
        return await reader.read()

    assert run(impatient, client) == b"too late"


def test_wake_is_not_input():
    async def idle(stream: Stream):
        stream.loop.call_later(0.02, stream.wake)
        first = await stream.ready()
        stream.write(b"woken" if not first else b"input")
        second = await stream.ready()
        stream.write(stream.take() if second else b"?")

    async def client(reader, writer):
        assert await reader.read(5) == b"woken"
        writer.write(b"DONE")
        return await reader.read()

    assert run(idle, client) == b"DONE"


def test_untaken_input_is_bounded():
    held = []

    async def slow(stream: Stream):
        await asyncio.sleep(0.3)
        held.append(stream._size)
        while await stream.read():
            pass
        stream.write(b"done")

    async def client(reader, writer):
        writer.write(b"x" * 30_000_000)
        writer.write_eof()
        return await reader.read()

    assert run(slow, client) == b"done"
    assert held[0] < INPUT_HIGH + 1_000_000


def test_a_peer_that_does_not_read_stops_the_writer():
    seen = []

    async def flood(stream: Stream):
        stream.timeout_s = 0.2
        try:
            for _ in range(1_000):
                stream.write(b"x" * 100_000)
                await stream.drain()
        except TimeoutError:
            seen.append("paused")
            stream.abort()

    async def client(reader, writer):
        writer.transport.pause_reading()
        await asyncio.sleep(0.6)

    run(flood, client)
    assert seen == ["paused"]


def test_a_lost_connection_ends_the_handler():
    ended = []

    async def wait(stream: Stream):
        assert await stream.read() == b""
        try:
            for _ in range(500):
                stream.write(b"nobody reads this")
                await stream.drain()
                await asyncio.sleep(0.01)
        except ConnectionResetError:
            ended.append("reset")

    async def client(reader, writer):
        writer.transport.abort()
        while not ended:
            await asyncio.sleep(0.01)

    run(wait, client)
    assert ended == ["reset"]


@pytest.mark.rfc(3207, "4.1")
def test_after_a_failed_handshake_nothing_is_written():
    """A handler may say its last words without knowing; they go nowhere, and raise nothing."""
    seen = []

    async def secure(stream: Stream):
        try:
            await stream.start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), 5.0)
        except (ssl.SSLError, ConnectionError):
            stream.write(b"sorry")
            stream.writelines([b"sorry"])
            seen.append(stream.at_end)

    async def client(reader, writer):
        writer.write(b"no handshake at all\r\n")
        return await reader.read()

    assert b"sorry" not in run(secure, client)
    assert seen == [True]


def test_a_little_is_read_and_the_rest_still_presses_back():
    async def sip(stream: Stream):
        while stream._size < INPUT_HIGH:
            await asyncio.sleep(0.01)
        said = b"".join([await stream.read_some(1) for _ in range(5)])
        assert not stream._transport.is_reading()
        assert stream.has_input
        size = len(said)
        while data := await stream.read():
            size += len(data)
        stream.write(b"%d" % size)

    async def client(reader, writer):
        writer.write(b"x" * 3_000_000)
        writer.write_eof()
        return await reader.read()

    assert run(sip, client) == b"3000000"
