"""A next hop for tests that does what it is told: takes mail, greylists, drops, dawdles, talks nonsense.

    with NextHop({"RCPT": "450 4.2.0 Greylisted"}) as hop: ...       # port: hop.port, what it took: hop.messages
    NextHop({"END": DROP})                                            # closes after the final dot, without reply
    NextHop({"MAIL": once("421 4.3.2 Later")})                        # the first time only
    NextHop({"RCPT": lambda hop, line: "550 5.1.1 No" if b"bad@" in line else None})

A *step* is "CONNECT", "GREETING", a command's verb, "BODY" (while the content comes), "END" (after it) or "TLS"
(instead of the handshake).  An *action* is a reply (str, without CRLF; "\n" separates lines), octets to send as they
are, DROP, RESET, SILENCE, a Slow, a tuple of several, or a function of the hop and the command line that returns one of
these; None: as usual.
"""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

DROP = object()  #: close the connection
RESET = object()  #: end it with a RST
SILENCE = object()  #: say nothing, and keep it open

Action = Any


@dataclass(frozen=True)
class Slow:
    """The *action* after *seconds*; with *octets*, each of them so late."""

    seconds: float
    action: Action = None
    octets: bool = False


def once(action: Action, times: int = 1) -> Callable[["NextHop", bytes], Action]:
    """*action* the first *times* times, then as usual."""
    left = [times]

    def act(_hop: "NextHop", _line: bytes) -> Action:
        left[0] -= 1
        return action if left[0] >= 0 else None

    return act


@dataclass
class Message:
    """What was taken: complete, and answered with 250.  The lines of MAIL and RCPT as they came."""

    mail: bytes
    rcpts: list[bytes]
    content: bytes
    is_tls: bool
    number: int  #: of its connection


@dataclass
class Session:
    """What a connection said."""

    number: int
    is_tls: bool = False
    mail: bytes = b""
    rcpts: list[bytes] = field(default_factory=list)
    chunks: bytes = b""


class NextHop:
    """An SMTP server on 127.0.0.1 (or *address*) in a thread of its own.

    messages: what it took; unanswered: what came to its end, whatever was said then; commands: all lines, in order.
    peers: where its connections came from.
    """

    def __init__(
        self,
        behaviour: Mapping[str, Action] | None = None,
        *,
        extensions: tuple[str, ...] = ("PIPELINING", "SIZE 50000000", "8BITMIME", "DSN"),
        tls: ssl.SSLContext | None = None,
        begins_with_tls: bool = False,
        is_lmtp: bool = False,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.behaviour = dict(behaviour or {})
        self.extensions = extensions
        self.tls = tls
        self.begins_with_tls = begins_with_tls
        self.is_lmtp = is_lmtp
        self.messages: list[Message] = []
        self.unanswered: list[Message] = []
        self.commands: list[bytes] = []
        self.connections = 0
        self.peers: list[str] = []
        self._listening = socket.create_server((address, port), family=_family(address))
        self.address = address
        self.port: int = self._listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_serving = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_serving.wait(10)  # who leaves at once stops a loop that runs
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        async def serve() -> None:
            await asyncio.start_server(self._connected, sock=self._listening, limit=1 << 20)

        self._loop.run_until_complete(serve())
        self._loop.call_soon(self._is_serving.set)
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()
        self._listening.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.peers.append(writer.get_extra_info("peername")[0])
        session = Session(self.connections)
        try:
            await self._serve(_Wire(reader, writer), session)
        except (ConnectionError, asyncio.IncompleteReadError, _Closed, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _serve(self, wire: "_Wire", session: Session) -> None:
        await self._act("CONNECT", b"", wire, None)
        if self.begins_with_tls:
            await self._handshake(wire, session)
        await self._act("GREETING", b"", wire, "220 hop.example ESMTP")
        while line := await wire.line():
            self.commands.append(line)
            verb = line.split(b" ")[0].upper().decode("ascii", "replace")
            handler = _HANDLERS.get(verb)
            if handler is None:
                await self._act(verb, line, wire, "500 5.5.1 No such command")
            else:
                await handler(self, line, wire, session)

    async def _act(self, step: str, line: bytes, wire: "_Wire", usual: str | None) -> bool:
        """Whether the answer was positive, as far as it is one."""
        action = self.behaviour.get(step)
        if callable(action):
            action = action(self, line)
        return await _carry_out(usual if action is None else action, usual, wire)

    async def _ehlo(self, line: bytes, wire: "_Wire", session: Session) -> None:
        offered = [*self.extensions]
        if self.tls and not session.is_tls and not self.begins_with_tls:
            offered.append("STARTTLS")
        await self._act("EHLO", line, wire, "250 " + "\n".join(["hop.example", *offered]))

    async def _helo(self, line: bytes, wire: "_Wire", _session: Session) -> None:
        await self._act("HELO", line, wire, "250 hop.example")

    async def _starttls(self, line: bytes, wire: "_Wire", session: Session) -> None:
        if await self._act("STARTTLS", line, wire, "220 2.0.0 Go"):
            await self._handshake(wire, session)

    async def _handshake(self, wire: "_Wire", session: Session) -> None:
        if "TLS" in self.behaviour:
            await self._act("TLS", b"", wire, None)
            return
        assert self.tls is not None
        try:
            await wire.writer.start_tls(self.tls)
        except (ssl.SSLError, OSError) as error:
            raise _Closed from error
        session.is_tls = True

    async def _mail(self, line: bytes, wire: "_Wire", session: Session) -> None:
        session.mail, session.rcpts, session.chunks = b"", [], b""
        if await self._act("MAIL", line, wire, "250 2.1.0 Ok"):
            session.mail = line

    async def _rcpt(self, line: bytes, wire: "_Wire", session: Session) -> None:
        usual = "250 2.1.5 Ok" if session.mail else "503 5.5.1 MAIL first"
        if await self._act("RCPT", line, wire, usual) and session.mail:
            session.rcpts.append(line)

    async def _data(self, line: bytes, wire: "_Wire", session: Session) -> None:
        usual = "354 Go" if session.rcpts else "554 5.5.1 No recipients"
        if not await self._act("DATA", line, wire, usual):
            return
        content = bytearray()
        while (text := await wire.reader.readuntil(b"\n")) != b".\r\n":
            if not content:
                await self._act("BODY", text, wire, None)
            content += text[1:] if text.startswith(b".") else text
        await self._end(bytes(content), wire, session)

    async def _bdat(self, line: bytes, wire: "_Wire", session: Session) -> None:
        session.chunks += await wire.reader.readexactly(int(line.split()[1]))
        if line.upper().endswith(b" LAST"):
            await self._end(session.chunks, wire, session)
        else:
            await self._act("BDAT", line, wire, "250 2.0.0 Chunk")

    async def _end(self, content: bytes, wire: "_Wire", session: Session) -> None:
        message = Message(session.mail, session.rcpts, content, session.is_tls, session.number)
        self.unanswered.append(message)
        taken = False
        for rcpt in session.rcpts[: None if self.is_lmtp else 1] or [b""]:
            usual = "250 2.0.0 Taken" if session.rcpts else "554 5.5.1 No recipients"
            taken |= await self._act("END", rcpt, wire, usual)
        if taken and session.rcpts:
            self.messages.append(message)
        session.mail, session.rcpts, session.chunks = b"", [], b""

    async def _auth(self, line: bytes, wire: "_Wire", _session: Session) -> None:
        if line.upper() == b"AUTH LOGIN":
            for prompt in ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"):
                wire.writer.write(prompt.encode() + b"\r\n")
                self.commands.append(await wire.line())
        await self._act("AUTH", line, wire, "235 2.7.0 Welcome")

    async def _rset(self, line: bytes, wire: "_Wire", session: Session) -> None:
        session.mail, session.rcpts, session.chunks = b"", [], b""
        await self._act("RSET", line, wire, "250 2.0.0 Ok")

    async def _noop(self, line: bytes, wire: "_Wire", _session: Session) -> None:
        await self._act("NOOP", line, wire, "250 2.0.0 Ok")

    async def _quit(self, line: bytes, wire: "_Wire", _session: Session) -> None:
        await self._act("QUIT", line, wire, "221 2.0.0 Bye")
        raise _Closed


class _Closed(Exception):
    """The hop has ended the connection."""


@dataclass
class _Wire:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def line(self) -> bytes:
        try:
            return (await self.reader.readuntil(b"\r\n"))[:-2]
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return b""


async def _carry_out(action: Action, usual: str | None, wire: _Wire) -> bool:
    if isinstance(action, Slow):
        if not action.octets:
            await asyncio.sleep(action.seconds)
            return await _carry_out(usual if action.action is None else action.action, usual, wire)
        for octet in _wire_form(usual if action.action is None else action.action):
            wire.writer.write(bytes([octet]))
            await asyncio.sleep(action.seconds)
        return True
    if isinstance(action, tuple):  # None stands for what is usual
        each = [usual if one is None else one for one in action]
        return all([await _carry_out(one, usual, wire) for one in each])
    if action is None:
        return True
    if action is SILENCE:
        await asyncio.sleep(3_600)
    if action is RESET:
        raw = wire.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if action is DROP or action is RESET:
        wire.writer.close()
        raise _Closed
    wire.writer.write(_wire_form(action))
    await wire.writer.drain()
    return not isinstance(action, str) or action[:1] in "23"


def _wire_form(action: str | bytes) -> bytes:
    if isinstance(action, bytes):
        return action
    code, _, text = action.partition(" ")
    *more, last = text.split("\n")
    lines = [*(f"{code}-{line}" for line in more), f"{code} {last}"]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


_Handler = Callable[[NextHop, bytes, _Wire, Session], Coroutine[Any, Any, None]]
_HANDLERS: dict[str, _Handler] = {
    "EHLO": NextHop._ehlo,
    "LHLO": NextHop._ehlo,
    "HELO": NextHop._helo,
    "STARTTLS": NextHop._starttls,
    "MAIL": NextHop._mail,
    "RCPT": NextHop._rcpt,
    "DATA": NextHop._data,
    "BDAT": NextHop._bdat,
    "AUTH": NextHop._auth,
    "RSET": NextHop._rset,
    "NOOP": NextHop._noop,
    "QUIT": NextHop._quit,
}
