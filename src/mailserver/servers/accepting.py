"""Accepting connections: each becomes a stream, those that begin with TLS before anything is read.

Spec: RFC 8314 §3.  Status: complete.
"""

import asyncio
import socket
from typing import Protocol

from mailserver.servers.stream import Handler, Stream, address


class Listener(Protocol):
    """What accepts connections."""

    def close(self) -> None:
        """Accept no more."""
        ...


async def listen(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    handler: Handler,
    *,
    begins_with_tls: bool = False,
) -> Listener:
    """Accepts on the bound socket *sock*: each connection becomes a Stream run by *handler*.

    begins_with_tls: the handler's first act is `start_tls`, so that limits apply before the handshake; until then
    nothing is read.
    """

    def factory() -> Stream:
        return Stream(loop, handler)

    if (
        sock.family != socket.AF_UNIX
    ):  # accepted sockets inherit it; asyncio does not set it on all of them
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if begins_with_tls:
        return _Entrance(loop, sock, handler)
    if sock.family == socket.AF_UNIX:
        return await loop.create_unix_server(factory, sock=sock, backlog=1024)
    return await loop.create_server(factory, sock=sock, backlog=1024)


class _Entrance:
    """Accepts connections and reads nothing from them: the first octets already belong to the handshake.

    A transport would read at once; that uvloop's does so even when it is told to wait loses the ClientHello.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, handler: Handler
    ) -> None:
        self._loop, self._sock, self._handler = loop, sock, handler
        sock.setblocking(False)
        sock.listen(1024)
        loop.add_reader(sock.fileno(), self._accept)

    def close(self) -> None:
        """Accept no more."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _accept(self) -> None:
        for _ in range(100):
            try:
                raw, name = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no file descriptors left: look again when some may have been closed
                self._loop.remove_reader(self._sock.fileno())
                self._loop.call_later(1.0, self._again)
                return
            raw.setblocking(False)
            stream = Stream(self._loop, self._handler, raw)
            stream.peer, stream.peer_port = address(name)
            stream.local, stream.local_port = address(raw.getsockname())
            stream.start()

    def _again(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.add_reader(self._sock.fileno(), self._accept)
