"""From an address in the configuration to a handler: sockets, admission, implicit TLS, the end of it all.

Spec: RFC 8314 §3 (TLS from the first octet on); RFC 5321 §3.8 and RFC 9051 §7.1.5 (421 and BYE, said by the handlers).
Status: complete.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailserver.base.errors import LimitReached, MailError, PeerError
from mailserver.base.log import Log
from mailserver.mta.check import Asked, ask
from mailserver.mta.rates import Exceeded, Want
from mailserver.net.endpoint import Endpoint
from mailserver.servers.accepting import Listener, listen
from mailserver.servers.context import Context, Handler, within
from mailserver.servers.limits import Connections, Guest
from mailserver.servers.names import ShortNames
from mailserver.servers.proxy import read_header
from mailserver.servers.stream import Stream
from mailserver.store.trace_values import Step, Trace

GONE = (ConnectionError, TimeoutError, ssl.SSLError)  #: what a peer's leaving looks like


@dataclass(frozen=True, slots=True)
class Service:
    """One protocol as one kind of listener offers it.

    name:    the key in the configuration's listeners, "imaps".
    is_tls:  TLS from the first octet on.
    turned_away: what a peer hears that there is no room for, around the reason.
    """

    name: str
    handler: Handler
    is_tls: bool
    turned_away: tuple[bytes, bytes]


def bind(endpoint: Endpoint, *, shared: bool = False) -> list[socket.socket]:
    """Bound sockets for *endpoint*; ":port" gives one for IPv4 and one for IPv6, if the machine has both.

    shared: several sockets may be bound to the address (SO_REUSEPORT), the kernel spreads the connections.
    Raises MailError that names the address and the reason.
    """
    try:
        if endpoint.path is not None:
            return [_bind_unix(endpoint.path)]
        if endpoint.host:
            found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
            return [_bind_inet(family, name, shared) for family, _, _, _, name in found]
        return _bind_any(endpoint.port, shared)
    except OSError as error:
        raise MailError(f"cannot listen on {endpoint}: {error.strerror or error}") from error


def bind_for(endpoint: Endpoint, workers: int) -> list[list[socket.socket]]:
    """For each worker its sockets for *endpoint*.  Raises MailError, also when another program has the address.

    A UNIX socket is one for all.
    """
    if workers == 1 or endpoint.is_unix:
        return [bind(endpoint)] * workers
    for probe in bind(endpoint):  # SO_REUSEPORT alone would let a second server in
        probe.close()
    return [bind(endpoint, shared=True) for _ in range(workers)]


def _bind_any(port: int, shared: bool) -> list[socket.socket]:
    sockets = [_bind_inet(socket.AF_INET, ("0.0.0.0", port), shared)]
    try:
        sockets.append(_bind_inet(socket.AF_INET6, ("::", port), shared))
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # no IPv6 here
            sockets[0].close()
            raise
    return sockets


def _bind_inet(family: int, name: tuple[Any, ...], shared: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(name)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_unix(path: Path) -> socket.socket:
    """A socket at *path*, in place of one that nobody listens on any more."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                try:
                    probe.connect(str(path))
                except ConnectionRefusedError:
                    path.unlink()
        sock.bind(str(path))
        path.chmod(0o660)
    except OSError:
        sock.close()
        raise
    return sock


class Reception:
    """All listeners of one worker, and the connections they let in."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._connections = Connections(context.limits.connections)
        self._servers: list[Listener] = []
        self._live: dict[Stream, asyncio.Task[Any]] = {}
        self._arriving: set[Stream] = set()  # from proxies, whose header has not come yet
        self._empty = asyncio.Event()
        self._log = Log("servers")
        self._name = ShortNames()
        self._turned_away = 0  # since the last line about it
        self._told_at = -1.0

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._live)

    async def open(self, sock: socket.socket, service: Service) -> None:
        """Accept on the bound *sock* and let *service* handle what comes."""

        async def handle(stream: Stream) -> None:
            await self._receive(stream, service)

        loop = asyncio.get_running_loop()
        self._servers.append(await listen(loop, sock, handle, begins_with_tls=service.is_tls))

    async def close(self, grace_s: float) -> None:
        """Accept no more, ask all handlers to finish, and end after *grace_s* those that have not."""
        for server in self._servers:
            server.close()
        self._context.stopping.set()
        for stream in list(self._live):
            stream.wake()
        for stream in list(self._arriving):
            stream.abort()
        if not await self._is_empty_within(grace_s):
            self._log.warning("connections cut off", connections=len(self._live))
            for stream, task in list(self._live.items()):
                stream.abort()
                task.cancel()
            await self._is_empty_within(1.0)

    async def _is_empty_within(self, seconds: float) -> bool:
        self._empty.clear()
        if self._live:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds)
        return not self._live

    async def _receive(self, stream: Stream, service: Service) -> None:
        proxies = self._context.proxies
        if proxies and within(stream.peer, proxies) and not await self._introduce(stream, service):
            stream.abort()
            return
        log = Log(service.name, session=self._name(), peer=stream.peer)
        try:
            guest = self._admit(stream.peer, service, log)
        except LimitReached as reason:
            self._turn_away(stream, service, str(reason))
            return
        task = asyncio.current_task()
        assert task is not None  # a handler runs in a task
        self._live[stream] = task
        try:
            if service.is_tls:
                limits = self._context.limits.connections
                await stream.start_tls(self._context.tls.for_users, limits.tls_handshake_s)
            await service.handler(stream, self._context, guest)
        except GONE as error:
            log.debug("connection lost", reason=str(error) or type(error).__name__)
        except Exception as error:
            log.error("bug", error=error)
        finally:
            guest.leave()
            del self._live[stream]
            if not self._live:
                self._empty.set()

    def _admit(self, peer: str, service: Service, log: Log) -> Guest:
        """Raises LimitReached, with a text for the peer."""
        context = self._context
        if context.stopping.is_set():
            raise LimitReached("The server is stopping, try again later")
        overload = context.load.overload(is_for_users=service.name != "smtp")
        rates, now = context.guard.rates, context.now()
        rate = rates.take((Want(*place, "connections") for place in rates.places(peer)), now)
        crowd, guest = "", None
        if not overload and not isinstance(rate, Exceeded):
            try:
                guest = self._connections.admit(peer, log)
            except LimitReached as reason:
                crowd = str(reason)
        if guest is None:
            exceeded = rate if isinstance(rate, Exceeded) else None
            last = ask("connect", Asked(peer, rate=exceeded, crowd=crowd, overload=overload))[-1]
            assert last.refusal is not None  # one of the three is in the way
            raise LimitReached(last.refusal.text)
        return guest

    async def _introduce(self, stream: Stream, service: Service) -> bool:
        """Whether the proxy has said who its client is; that counts as the peer from now on."""
        limits = self._context.limits.connections
        if len(self._arriving) >= limits.unauthenticated:
            self._note(stream, service, "Too many connections without a PROXY header")
            return False
        self._arriving.add(stream)
        try:
            async with asyncio.timeout(limits.proxy_header_s):
                said = await read_header(stream)
        except (PeerError, OSError) as error:
            self._note(stream, service, str(error) or "no PROXY header in time")
            return False
        finally:
            self._arriving.discard(stream)
        if said is not None:
            stream.peer, stream.peer_port, stream.local, stream.local_port = said
        return True

    def _turn_away(self, stream: Stream, service: Service, reason: str) -> None:
        """Say *reason* in the protocol's words, where it can be said."""
        self._note(stream, service, reason)
        if not service.is_tls:
            before, after = service.turned_away
            stream.write(before + reason.encode() + after)

    def _note(self, stream: Stream, service: Service, reason: str) -> None:
        """A connection was turned away for *reason*; one line a second in the log at most."""
        self._turned_away += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= 1.0:
            self._log.warning(
                "connections turned away",
                count=self._turned_away,
                listener=service.name,
                last_peer=stream.peer,
                reason=reason,
            )
            self._context.keep_trace(
                Trace(
                    at_ms=int(self._context.now() * 1000),
                    listener=service.name,
                    peer=stream.peer,
                    steps=(Step("connect", "turned away", f"{self._turned_away} so far", reason),),
                    reply=reason,
                )
            )
            self._turned_away, self._told_at = 0, now
