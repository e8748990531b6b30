"""One accepted connection: bytes in, bytes out, with timeouts, back-pressure, STARTTLS and compression.

Input is held only until the handler takes it: past INPUT_HIGH octets the socket is no longer read, so a peer that
sends faster than it is served fills its own kernel's buffers, not ours.
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, cast

from mailserver.servers.deflate import Deflate

INPUT_HIGH = 262_144  #: octets of untaken input at which reading pauses
OUTPUT_HIGH = 262_144  #: octets of unsent output at which `drain` waits
LINGER_S = 10.0  #: how long a closed connection may take to send what is left
REST_S = 5.0  #: after so much silence the memory for compressing is given back

Handler = Callable[["Stream"], Coroutine[Any, Any, None]]


class Stream(asyncio.Protocol):
    """A connection as its handler sees it.  The handler is a coroutine that owns it; when it ends, the stream closes.

    peer, local: "192.0.2.1" or "2001:db8::1", "" for a unix socket; peer_port 0 there.
    timeout_s:   how long `read`, `ready` and `drain` wait before they raise TimeoutError.
    """

    __slots__ = (
        "_chunks",
        "_closed",
        "_deadline",
        "_deflate",
        "_drained",
        "_eof",
        "_fires_at",
        "_handler",
        "_input",
        "_lingering",
        "_paused",
        "_raw",
        "_size",
        "_task",
        "_timer",
        "_transport",
        "_woken",
        "is_tls",
        "local",
        "local_port",
        "loop",
        "peer",
        "peer_port",
        "timeout_s",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: Handler,
        raw: socket.socket | None = None,
    ) -> None:
        self.loop = loop
        self.peer = self.local = ""
        self.peer_port = self.local_port = 0
        self._raw = raw  # an accepted socket from which nothing is read before `start_tls`
        self.is_tls = False
        self.timeout_s = 300.0
        self._deflate: Deflate | None = None
        self._handler = handler
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._eof = self._closed = self._paused = self._woken = False
        self._input: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None  # for the input; one serves many waits
        self._deadline = self._fires_at = 0.0
        self._lingering: asyncio.TimerHandle | None = None
        self._drained: asyncio.Future[None] | None = None

    # -- what the handler calls

    async def read(self) -> bytes:
        """The input that has come, at least one octet; b"" at its end.  Raises TimeoutError after *timeout_s*."""
        while not self._chunks and not self._is_over:
            await self._waiter()
        return self.take()

    async def read_some(self, most: int) -> bytes:
        """At least one octet of input and at most *most*, also before `start_tls`; b"" at its end.

        Raises TimeoutError after *timeout_s*.
        """
        if self._raw is not None:
            return await asyncio.wait_for(self.loop.sock_recv(self._raw, most), self.timeout_s)
        data = await self.read()
        if len(data) > most:
            self._chunks.insert(0, data[most:])
            self._size += len(data) - most
            if self._size >= INPUT_HIGH and not self._closed:
                self._transport.pause_reading()
        return data[:most]

    async def ready(self) -> bool:
        """True when there is input or its end, False when `wake` was called.  Raises TimeoutError."""
        while not self._chunks and not self._is_over and not self._woken:
            await self._waiter()
        woken, self._woken = self._woken, False
        return not woken or bool(self._chunks) or self._is_over

    def wake(self) -> None:
        """Let the handler's `ready`, now or the next one, return False."""
        self._woken = True
        self._rouse()

    def take(self) -> bytes:
        """The input that is here, without waiting; b"" when there is none."""
        chunks, self._chunks = self._chunks, []
        if self._deflate is not None:
            if self._deflate.has_more:  # others have their turn first
                self.loop.call_soon(self._inflate)
        elif self._size >= INPUT_HIGH and not self._closed:
            self._transport.resume_reading()
        self._size = 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @property
    def has_input(self) -> bool:
        """True when `take` would return something: the peer has pipelined."""
        return bool(self._chunks)

    @property
    def at_end(self) -> bool:
        """True when the peer has ended its side or the connection is gone."""
        return self._eof

    def write(self, data: bytes) -> None:
        """Send *data* as soon as the peer takes it; nothing after the connection is lost."""
        if not self._closed and self._raw is None:
            self._transport.write(data if self._deflate is None else self._deflate.compress(data))

    def writelines(self, chunks: Iterable[bytes]) -> None:
        """Send all *chunks* in one go."""
        if not self._closed:
            data = b"".join(chunks)
            if self._deflate is not None and data:
                data = self._deflate.compress(data)
            self._transport.write(data)

    @property
    def must_drain(self) -> bool:
        """Whether `drain` would wait or raise."""
        return self._paused or self._closed

    async def drain(self) -> None:
        """Returns when the peer has taken enough of the output.  Raises TimeoutError, ConnectionResetError."""
        if self._closed:
            raise ConnectionResetError("connection lost")
        if self._paused:
            self._drained = self.loop.create_future()
            timer = self.loop.call_later(self.timeout_s, _expire, self._drained)
            try:
                await self._drained
            finally:
                timer.cancel()
                self._drained = None

    async def start_tls(self, context: ssl.SSLContext, handshake_s: float) -> None:
        """TLS from the next octet on.  Input that came before is discarded (RFC 3207 §4.2, RFC 9051 §6.2.1).

        Raises ssl.SSLError, ConnectionError, TimeoutError when the handshake fails.
        """
        if self._raw is not None:
            await self._begin_with_tls(context, handshake_s)
            return
        self._chunks.clear()
        self._size = 0
        try:
            transport = await self.loop.start_tls(
                self._transport, self, context, server_side=True, ssl_handshake_timeout=handshake_s
            )
            if transport is None:
                raise ConnectionResetError("connection lost in the TLS handshake")
        except BaseException:
            self.abort()  # neither transport can be written to any more, which nobody tells us
            self._closed = self._eof = True
            raise
        self._transport = transport
        self._transport.set_write_buffer_limits(high=OUTPUT_HIGH)
        self.is_tls = True

    async def _begin_with_tls(self, context: ssl.SSLContext, handshake_s: float) -> None:
        raw, self._raw = self._raw, None
        try:
            await self.loop.connect_accepted_socket(
                lambda: self,
                cast(socket.socket, raw),
                ssl=context,
                ssl_handshake_timeout=handshake_s,
            )
        except BaseException:
            self._closed = self._eof = True
            raise
        self.is_tls = True

    def compress(self, before: bytes = b"") -> None:
        """DEFLATE from the next octet on, in both directions (RFC 4978 §3).

        before: input that was taken, though it came behind the command and so is compressed.
        """
        data = before + self.take()
        self._deflate = Deflate()
        if data:
            self.data_received(data)

    def uncompress(self) -> None:
        """The end of `compress`: we end our stream now, and what comes next is plain (RFC 8437 §4.1)."""
        deflate, self._deflate = self._deflate, None
        if deflate is None:
            return
        if not self._closed:
            self._transport.write(deflate.finish())
        rest = deflate.rest()
        if len(rest) >= INPUT_HIGH and not self._closed:
            self._transport.resume_reading()
        if rest:
            self.data_received(rest)

    @property
    def tls(self) -> ssl.SSLObject | None:
        """Version and cipher of the TLS session."""
        return cast("ssl.SSLObject | None", self._transport.get_extra_info("ssl_object"))

    @property
    def encryption(self) -> str:
        """The same for logs and traces, "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" in clear."""
        tls = self.tls
        cipher = tls.cipher() if tls is not None else None
        return f"{tls.version()} {cipher[0] if cipher else ''}".rstrip() if tls is not None else ""

    def close(self) -> None:
        """End the connection once the output is sent, or after LINGER_S."""
        if self._raw is not None:
            self.abort()
        elif not self._closed:
            self._transport.close()
            if self.is_tls or self._transport.get_write_buffer_size():
                self._lingering = self.loop.call_later(LINGER_S, self.abort)

    def abort(self) -> None:
        """End the connection now."""
        if self._raw is not None:
            self._raw.close()
            self._raw, self._closed, self._eof = None, True, True
        elif not self._closed:
            self._transport.abort()

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The peer is there: start its handler, unless that has brought the connection about itself."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=OUTPUT_HIGH)
        self.peer, self.peer_port = address(transport.get_extra_info("peername"))
        self.local, self.local_port = address(transport.get_extra_info("sockname"))
        self.start()

    def start(self) -> None:
        """Let the handler begin, once."""
        if self._task is None:
            self._task = self.loop.create_task(self._run())

    def data_received(self, data: bytes) -> None:
        """Keep *data* for the handler."""
        if self._deflate is not None:
            before = self._deflate.held
            self._deflate.feed(data)
            if before < INPUT_HIGH <= self._deflate.held:
                self._transport.pause_reading()
            if not self._chunks:
                self._inflate()
            return
        self._chunks.append(data)
        before, self._size = self._size, self._size + len(data)
        if before < INPUT_HIGH <= self._size:
            self._transport.pause_reading()
        self._rouse()

    def _inflate(self) -> None:
        """One step of the input that is compressed, once the last one was taken."""
        deflate = self._deflate
        if deflate is None or self._chunks:
            return
        before = deflate.held
        try:
            data = deflate.take()
        except zlib.error:  # nothing that follows can be read
            self.abort()
            self._eof, self._deflate = True, None
            self._rouse()
            return
        if deflate.held < INPUT_HIGH <= before and not self._closed:
            self._transport.resume_reading()
        if data:
            self._chunks.append(data)
            self._size = len(data)
        elif deflate.has_more:
            self.loop.call_soon(self._inflate)
        if data or self._is_over:
            self._rouse()

    @property
    def _is_over(self) -> bool:
        """No more input will come, and what is compressed has been taken."""
        if self._deflate is None:
            return self._eof
        return self._deflate.is_over or (self._eof and not self._deflate.has_more)

    def eof_received(self) -> bool:
        """The peer sends no more; it may still read, except over TLS, which cannot be half open."""
        self._eof = True
        self._rouse()
        return not self.is_tls

    def pause_writing(self) -> None:
        """Too much output waits."""
        self._paused = True

    def resume_writing(self) -> None:
        """The peer has taken enough."""
        self._paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes or goes."""
        self._closed = self._eof = True
        for timer in (self._timer, self._lingering):
            if timer is not None:
                timer.cancel()
        self._timer = self._lingering = None
        self._rouse()
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ConnectionResetError("connection lost"))

    # -- helpers

    async def _run(self) -> None:
        try:
            await self._handler(self)
        except ConnectionError:
            pass  # the peer went away in the middle; whoever cares has logged it
        finally:
            self.close()

    def _waiter(self) -> Awaitable[None]:
        """What ends when there is something new."""
        self._deadline = self.loop.time() + self.timeout_s
        if self._timer is not None and self._fires_at > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._set_timer()
        self._input = waiter = self.loop.create_future()
        return waiter if self._deflate is None else self._resting(waiter, self._deflate)

    async def _resting(self, waiter: asyncio.Future[None], deflate: Deflate) -> None:
        rest = self.loop.call_later(REST_S, deflate.let_go)
        try:
            await waiter
        finally:
            rest.cancel()

    def _set_timer(self) -> None:
        self._fires_at = self._deadline
        self._timer = self.loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        """Looks whether the deadline has moved, which is cheaper than a timer for each wait."""
        self._timer = None
        if self._input is None or self._input.done() or self._closed:
            return
        if self.loop.time() < self._deadline:
            self._set_timer()
        else:
            _expire(self._input)

    def _rouse(self) -> None:
        waiter, self._input = self._input, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def address(name: Any) -> tuple[str, int]:
    """IP address and port of a socket's name; "" and 0 of a UNIX socket's."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else ("", 0)
