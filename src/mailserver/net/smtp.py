"""Connections to other mail servers: dialled, protected by TLS, driven by the client engine, used again.

Spec: RFC 5321 §4.5.3.2 (a time for each step); RFC 3207 §4, §4.2; RFC 7435 §3 (opportunistic TLS); RFC 7672 §8.1 (the
name in the handshake).  Status: complete.

    connection = await dialer.connect(hop, security)             # raises HopError
    answers = await connection.send(outgoing, content)           # never does
    connection.close()
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar, cast

from mailserver.base.errors import PeerError
from mailserver.base.limits import OutboundLimits
from mailserver.mta.security import Security
from mailserver.net.smtp_tls import ClientTls, TlsFacts, facts, kind_of, proof, why
from mailserver.net.sources import NoSource, Sources
from mailserver.smtp.client import Client
from mailserver.smtp.client_capabilities import Capabilities
from mailserver.smtp.client_replies import Heard
from mailserver.smtp.client_steps import Ask, Fetch, Give, Handshake, Steps
from mailserver.smtp.client_trouble import (
    garbled,
    lost,
    silent,
    sourceless,
    unreached,
    untrusted,
)
from mailserver.smtp.outgoing import (
    Answer,
    HopError,
    Login,
    Outgoing,
    Stage,
    Tls,
)

BLOCK = 65_536  #: octets written before we look whether the peer takes them

#: a whole content, or the function that gives the piece that begins at an offset, b"" at the end
Content = bytes | Callable[[int], Awaitable[bytes]]
T = TypeVar("T")


class Hop(NamedTuple):
    """One address of one server.

    host:        its name: for SNI, certificates and notices; an address literal where it has none.
    address:     IPv4 or IPv6.
    is_lmtp:     LMTP is spoken (RFC 2033).
    is_tls:      TLS begins before the greeting (RFC 8314 §3.3), as on port 465.
    """

    host: str
    address: str
    port: int = 25
    is_lmtp: bool = False
    is_tls: bool = False
    login: Login | None = None


class OutboundConnection(asyncio.Protocol):
    """One connection.  One `send` at a time; `abort` or `close` when it is done with.

    tls: None for a connection in clear.
    """

    __slots__ = (
        "_client",
        "_contexts",
        "_deadline",
        "_fires_at",
        "_is_lost",
        "_is_quitting",
        "_limits",
        "_loop",
        "_offset",
        "_patience",
        "_paused",
        "_security",
        "_sources",
        "_timer",
        "_transport",
        "_waiter",
        "hop",
        "tls",
    )

    def __init__(
        self,
        hop: Hop,
        security: Security,
        client: Client,
        limits: OutboundLimits,
        contexts: ClientTls,
        sources: Sources,
    ) -> None:
        self.hop = hop
        self.tls: TlsFacts | None = None
        self._security = security
        self._client = client
        self._limits = limits
        self._contexts = contexts
        self._sources = sources
        self._loop = asyncio.get_running_loop()
        self._patience = {
            Stage.CONNECT: limits.connect_s,
            Stage.GREETING: limits.greeting_s,
            Stage.DATA: limits.data_s,
            Stage.END: limits.end_s,
        }
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = self._fires_at = 0.0
        self._paused = self._is_lost = self._is_quitting = False
        self._offset = 0

    # -- what the caller uses

    @property
    def our_address(self) -> str:
        """The address it leaves from; "" before it stands."""
        place = self._transport.get_extra_info("sockname") if self._transport is not None else None
        return str(place[0]) if isinstance(place, tuple) else ""

    @property
    def capabilities(self) -> Capabilities:
        """What the server offers."""
        return self._client.capabilities

    @property
    def sent(self) -> int:
        """Transactions on this connection so far."""
        return self._client.sent

    @property
    def is_reusable(self) -> bool:
        """Another `send` may be tried: the connection stands, and the server said nothing that we did not ask for."""
        return not self._is_lost and not self._is_quitting and self._client.is_reusable

    async def send(self, outgoing: Outgoing, content: Content) -> tuple[Answer, ...]:
        """An answer for each recipient, in their order.

        content: lines that end with CRLF.  An exception it raises ends the connection before the message is complete.
        """
        self._offset = 0
        try:
            return await self._run(self._client.send(outgoing), content)
        except BaseException:
            self.abort()
            raise

    async def probe(self, address: str) -> Answer:
        """What the server says of *address* as the recipient of a notice; no message is sent."""
        try:
            return await self._run(self._client.probe(address), b"")
        except BaseException:
            self.abort()
            raise

    def close(self) -> None:
        """Say QUIT and go, without keeping the caller waiting (RFC 5321 §4.1.1.10)."""
        if self._is_lost or self._transport is None or self._is_quitting:
            return
        self._is_quitting = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._limits.quit_s, self.abort)
        if self._client.is_reusable:
            self._transport.write(b"QUIT\r\n")
        else:
            self._transport.close()

    def abort(self) -> None:
        """End the connection now: what was not sent yet never will be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None and not self._is_lost:
            self._transport.abort()
        self._is_lost = True

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=BLOCK)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Keep *data* for the engine, or take it for the answer to QUIT."""
        if self._is_quitting and self._transport is not None:
            self._transport.close()
            return
        self._client.replies.receive(data)
        if len(self._client.replies) > 2 * self._limits.reply_size + BLOCK:
            self.abort()  # nobody asked for so much
        self._rouse()

    def eof_received(self) -> bool:
        """The server sends no more: nothing can be asked of it."""
        self._is_lost = True
        self._rouse()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes or goes."""
        self._is_lost = True
        self._paused = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._rouse()

    def pause_writing(self) -> None:
        """Too much output waits."""
        self._paused = True

    def resume_writing(self) -> None:
        """The peer has taken enough."""
        self._paused = False
        self._rouse()

    # -- carrying out the engine's steps

    async def open(self) -> None:
        """Connect, up to where MAIL may be said.  Raises HopError."""
        is_tls = self.hop.is_tls
        try:
            async with asyncio.timeout(self._limits.connect_s):
                await self._connect()
        except TimeoutError:
            raise silent(Stage.CONNECT, self._limits.connect_s) from None
        except NoSource as error:
            raise sourceless(str(error)) from error
        except OSError as error:
            raise unreached(os.strerror(error.errno) if error.errno else str(error)) from error
        if is_tls:
            await self._handshake()
        await self._run(self._client.open(self._security.tls, self.hop.login), b"")

    async def _connect(self) -> None:
        """Raises OSError, NoSource."""
        address, port = self.hop.address, self.hop.port
        sock = await self._sources.connect(address, port)
        if sock is None:
            await self._loop.create_connection(lambda: self, address, port)
        else:
            await self._loop.create_connection(lambda: self, sock=sock)

    async def _run(self, steps: Steps[T], content: Content) -> T:
        came: Heard | bytes | None = None
        try:
            while True:
                effect = steps.send(came)
                try:
                    if isinstance(effect, Ask):
                        # most replies of a group have come with the first one
                        came = self._heard(effect.stage) if not effect.data else None
                        if came is None:
                            came = await self._ask(effect)
                    elif isinstance(effect, Fetch) and isinstance(content, bytes):
                        came = self._whole(content)
                    else:
                        came = await self._carry_out(effect, content)
                except HopError as error:
                    self.abort()  # what waits in buffers may not leave any more
                    steps.throw(error)
                    raise RuntimeError("no step follows a lost connection") from error
        except StopIteration as done:
            return cast(T, done.value)

    def _ask(self, ask: Ask) -> Coroutine[Any, Any, Heard]:
        """The reply to what *ask* says.  Raises HopError."""
        if len(ask.data) > BLOCK:
            return self._ask_much(ask)
        if ask.data:
            # a content whose last piece was not handed over is not complete, whatever is lost then
            before = Stage.DATA if ask.stage is Stage.END else ask.stage
            self._check(before).write(ask.data)
        return self._reply(ask.stage)

    async def _ask_much(self, ask: Ask) -> Heard:
        await self._give(ask.data)
        return await self._reply(ask.stage)

    async def _carry_out(self, effect: Give | Handshake | Fetch, content: Content) -> bytes | None:
        if isinstance(effect, Give):
            await self._give(effect.data)
            return None
        if isinstance(effect, Handshake):
            await self._handshake()
            return None
        if isinstance(content, bytes):
            return self._whole(content)
        piece = await content(self._offset)
        self._offset += len(piece)
        return piece

    def _whole(self, content: bytes) -> bytes:
        """All of a content that is here, then its end."""
        piece = content if not self._offset else b""
        self._offset += len(piece)
        return piece

    async def _reply(self, stage: Stage) -> Heard:
        """The next reply.  Raises HopError."""
        heard = self._heard(stage)
        if heard is not None:
            return heard
        patience = self._patience.get(stage, self._limits.command_s)
        self._arm(patience)
        while not self._is_lost:
            try:
                await self._something()
            except TimeoutError:
                raise silent(stage, patience) from None
            heard = self._heard(stage)
            if heard is not None:
                return heard
        raise lost(stage)

    def _check(self, stage: Stage) -> asyncio.Transport:
        """What takes octets.  Raises HopError when it takes none any more, or when the server has spoken out of turn.

        A refusal in the middle of the content is an answer to it; so is a 421 at any time (RFC 5321 §3.8).
        """
        heard = self._heard(stage) if self._client.replies else None
        if heard is not None:
            if heard.code == 421 or (stage is Stage.DATA and heard.code >= 400):
                raise HopError(Answer(heard.reply, stage))
            raise garbled(stage, f"A reply that nobody asked for: {heard.reply}"[:1_000])
        if self._transport is None or self._is_lost:
            raise lost(stage)
        return self._transport

    def _heard(self, stage: Stage) -> Heard | None:
        try:
            return self._client.replies.next()
        except PeerError as error:
            raise garbled(stage, str(error)) from None

    async def _give(self, data: bytes) -> None:
        """Sends a large piece of the content, a block at a time.  Raises HopError."""
        for start in range(0, len(data), BLOCK):
            self._check(Stage.DATA).write(data[start : start + BLOCK])
            self._arm(self._limits.block_s)
            while self._paused and not self._is_lost:
                try:
                    await self._something()
                except TimeoutError:
                    raise silent(Stage.DATA, self._limits.block_s) from None

    async def _handshake(self) -> None:
        """TLS from the next octet on.  Raises TlsFailed."""
        security = self._security
        name = self._server_name()
        try:
            if self._transport is None or self._is_lost:
                raise ConnectionResetError("connection lost")
            transport = await self._loop.start_tls(
                self._transport,
                self,
                self._contexts.context(security.tls),
                server_hostname=name,
                ssl_handshake_timeout=self._limits.tls_handshake_s,
            )
            if transport is None:
                raise ConnectionResetError("connection lost")
        except (OSError, ValueError) as error:  # SSLError and TimeoutError among them
            raise untrusted(why(error), kind_of(error)) from error
        self._transport = transport
        self._transport.set_write_buffer_limits(high=BLOCK)
        by, is_verified = security.shown, security.tls in (Tls.VERIFY, Tls.DANE)
        if security.tls is Tls.DANE and security.dane is not None:
            by = proof(transport, security.dane, datetime.fromtimestamp(time.time(), UTC))
        self.tls = facts(transport, is_verified=is_verified, by=by)

    def _server_name(self) -> str:
        """What the handshake asks for: the name that the certificate has to prove, if there is one."""
        security = self._security
        if security.dane is not None:
            return security.dane.base  # RFC 7672 §8.1
        names = security.names
        name = self.hop.host if not names or self.hop.host in names else names[0]
        return self.hop.address if name.startswith("[") else name

    # -- waiting

    def _something(self) -> asyncio.Future[None]:
        """What ends when something happens; TimeoutError at the deadline."""
        if self._timer is None:
            self._set_timer()
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def _rouse(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _arm(self, seconds: float) -> None:
        """A deadline from now.  One timer serves many: when it fires it looks whether the deadline has moved."""
        self._deadline = self._loop.time() + seconds
        if self._timer is not None and self._fires_at > self._deadline:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self._fires_at = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._deadline:
            self._set_timer()
        else:
            self._waiter.set_exception(TimeoutError())
