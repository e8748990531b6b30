"""One IMAP connection: octets of a stream into the engine, its effects carried out, its octets back.

Spec: RFC 3501 §2.2, §5.4, §7.1.5, §7.5; RFC 7888 §4.  Status: complete.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Generator, Sequence
from typing import Any, Final, NoReturn, TypeVar

from mailserver.base.errors import AuthFailed, LimitReached
from mailserver.imap import capabilities, response
from mailserver.imap.appending import carries_message
from mailserver.imap.conversation import (
    Accept,
    Assemble,
    Authenticate,
    BlobDecoded,
    BlobRange,
    Chunk,
    Compress,
    Continue,
    Effect,
    InputOrChanges,
    LineOrChanges,
    Literal,
    LookUp,
    Prepare,
    Read,
    RestOfLine,
    Send,
    SendAndRead,
    StartTls,
    Thread,
    Unauthenticate,
    Write,
)
from mailserver.imap.dispatch import answer
from mailserver.imap.elsewhere import State as Elsewhere
from mailserver.imap.framing import Command, Framer, GoOn, Refusal
from mailserver.imap.guests import as_guest
from mailserver.imap.listening import listen
from mailserver.imap.registry import State
from mailserver.imap.session import Gone, Server, Session
from mailserver.sasl.mechanism import Credentials, Proof
from mailserver.servers.context import Context
from mailserver.servers.entry import Entry
from mailserver.servers.imap_content import assemble, send_blob, take_literal
from mailserver.servers.imap_observe import write_noted
from mailserver.servers.imap_watch import News, Watch
from mailserver.servers.limits import Guest
from mailserver.servers.stream import Stream
from mailserver.store.values import Account

T = TypeVar("T")

JOINED: Final = 65_536  #: octets of responses that are joined before they are written
TURN: Final = 32  #: commands of one client that are answered before others have their turn
PAUSE_S: Final = 0.001  #: how long; beside a loop that never rests no thread gets far
FREE: Final = 16_384  #: octets of unfinished input that every connection may hold, outside of the common budget


class _Over(Exception):
    """The connection ends now; whatever had to be said was said."""


class Connection:
    """Drives one session; `run` is the whole life of it."""

    __slots__ = (
        "_context",
        "_deadline",
        "_elsewhere",
        "_entry",
        "_expelled",
        "_framer",
        "_guest",
        "_held",
        "_is_waiting",
        "_news",
        "_out",
        "_out_size",
        "_stream",
        "_watch",
        "session",
    )

    def __init__(
        self, stream: Stream, context: Context, guest: Guest, server: Server, watch: Watch
    ) -> None:
        self._stream, self._context, self._guest, self._watch = stream, context, guest, watch
        may_log_in = context.may_log_in(stream)
        self.session = Session(server, guest.log, is_tls=stream.is_tls, cleartext=may_log_in)
        self.session.channel = context.channel(stream)
        self._entry = Entry(context, stream.peer, guest.log)
        self._framer = Framer(server.limits, carries_message)
        self._deadline = stream.loop.time() + server.limits.prelogin_timeout_s
        self._news: News | None = None
        self._elsewhere: Elsewhere | None = None
        self._is_waiting = False
        self._expelled = ""
        self._held = 0  # octets taken from the budget of all connections
        self._out: list[bytes] = []  # responses that leave together, before anything is waited for
        self._out_size = 0

    # what others call

    def hear(self, news: News) -> None:
        """*news* of the selected mailbox; later ones from the same modseq on include earlier ones."""
        if self._is_waiting:
            self._news = news
            self._stream.wake()

    def hear_elsewhere(self, state: Elsewhere) -> None:
        """*state* is how all mailboxes are now; a later one says all that an earlier one did."""
        if self._is_waiting:
            self._elsewhere = state
            self._stream.wake()
        elif self.session.observer is not None:
            self.session.observer.is_stale = True

    def expel(self, reason: str) -> None:
        """Say BYE as soon as no command is running."""
        self._expelled = reason
        self._stream.wake()

    # the life of a connection

    async def run(self) -> None:
        """From the greeting to the end."""
        session = self.session
        try:
            code, hostname = capabilities.code(session), session.server.hostname
            self._say(response.ok(code, f"{hostname} IMAP server ready"))
            taken = 0
            while not session.is_over:
                frame = self._framer.next()
                taken += 1
                if taken % TURN == 0:  # whoever pipelines does not stop the others
                    await asyncio.sleep(PAUSE_S)
                if frame is None:
                    if session.observer is None or self._framer.held:
                        await self._more()
                    else:
                        await self._converse(as_guest(session, listen(session)))
                elif isinstance(frame, Command):
                    await self._converse(answer(session, frame.line))
                elif isinstance(frame, GoOn):
                    self._say(response.continuation(b"Ready"))
                else:
                    self._refuse(frame)
        except _Over:
            pass
        finally:
            self._stream.writelines(self._out)
            self._watch.leave(self)
            if session.state is not State.NOT_AUTHENTICATED:
                session.log.info("logged out")
            session.unselect()
            self._hold(0)

    async def _more(self) -> None:
        """Wait for input, with nothing going on or in the middle of a command.  Raises _Over if there will be none."""
        self._leave_if_told()
        await self._flush()
        self._hold(self._framer.held)
        self._await_patiently()
        try:
            has_input = await self._stream.ready()
        except TimeoutError:
            self._bye("Idle for too long")
        if has_input:
            self._take()

    def _await_patiently(self) -> None:
        """Set how long the client may be silent (RFC 3501 §5.4); strangers have one deadline for everything.

        Raises _Over when that has passed.
        """
        stream, session = self._stream, self.session
        if session.state is State.NOT_AUTHENTICATED:
            left = self._deadline - stream.loop.time()
            if left <= 0:  # also for those who never fall silent
                self._bye("Idle for too long")
            stream.timeout_s = left
        else:
            stream.timeout_s = session.limits.idle_timeout_s

    def _take(self) -> None:
        data = self._stream.take()
        if not data:
            raise _Over
        self._framer.feed(data)

    def _leave_if_told(self) -> None:
        if self._expelled:
            self.session.log.info("connection ended", reason=self._expelled)
            self._bye(self._expelled)
        if self._context.stopping.is_set():
            self._bye("The server is stopping", "UNAVAILABLE")

    def _bye(self, text: str, code: str = "") -> NoReturn:
        self._say(response.bye(text, code))
        raise _Over

    def _refuse(self, refusal: Refusal) -> None:
        session = self.session
        session.log.info("input refused", reason=refusal.text, fatal=refusal.is_fatal)
        session.errors += 1
        if refusal.is_fatal:
            self._bye(refusal.text, refusal.code)
        self._say(response.tagged(refusal.tag, "BAD", refusal.code, refusal.text))
        if session.errors >= session.limits.errors:
            self._bye("Too many errors")

    def _hold(self, octets: int) -> None:
        """Account for *octets* of unfinished input.  Raises _Over when all connections together hold too much."""
        octets = 0 if octets <= FREE else octets
        if octets <= self._held:
            self._context.memory.give(self._held - octets)
        elif not self._context.memory.take(octets - self._held):
            self.session.log.warning("no memory left for input", octets=octets)
            self._bye("The server is overloaded", "UNAVAILABLE")
        self._held = octets

    # effects

    async def _converse(self, talk: Generator[Effect, Any, None]) -> None:
        """One command: whatever its effects give, or the error they end in, goes back to it."""
        value: Any = None
        error: Exception | None = None
        try:
            while True:
                effect = talk.send(value) if error is None else talk.throw(error)
                value = error = None
                try:
                    value = await self._carry_out(effect)
                except (_Over, ConnectionError, TimeoutError):
                    raise  # the client is gone; the command is not asked any more
                except Exception as caught:
                    error = caught
        except StopIteration:
            pass
        finally:
            talk.close()

    async def _carry_out(self, effect: Effect) -> Any:
        if isinstance(effect, Send):
            await self._send(effect.chunks)
            return None
        if isinstance(effect, SendAndRead):
            return await self._send_and_read(effect)
        await self._flush()
        work = self._context.work
        match effect:
            case Read(job):
                return await work.read(job)
            case Write(job, is_pure):
                if self.session.observer is not None:
                    return await write_noted(work, job, self.session.observer, is_pure=is_pure)
                return await work.write(job, is_pure=is_pure)
            case LineOrChanges():
                return await self._line_or_news()
            case InputOrChanges():
                return await self._input_or_news()
            case Continue(text):
                self._say(response.continuation(text))
                return await self._line()
            case RestOfLine():
                return await self._rest()
            case Literal():
                if effect.is_synchronising:
                    self._say(response.continuation(b"Ready"))
                return await take_literal(
                    self._context, self._framer, effect, self._more, self.session.log
                )
            case Assemble(pieces):
                return await assemble(self._context, pieces, self.session.log)
            case Thread(act):
                return await work.thread(act)
            case Prepare(body, threshold):
                return await work.prepare(body, threshold)
            case Authenticate(login, password):
                return await self._authenticate(Credentials("", login, password))
            case LookUp(wanted):
                return await self._guarded(wanted.login, self._entry.look_up(wanted))
            case Accept(proof):
                return await self._authenticate(proof)
            case StartTls():
                await self._start_tls()
            case Compress():
                self.session.is_compressed = True
                self._stream.compress(self._framer.take(self._framer.held))
            case Unauthenticate():
                self._unauthenticate()
        return None

    def _say(self, data: bytes) -> None:
        """*data* leaves with the next flush."""
        self._out.append(data)
        self._out_size += len(data)

    async def _send(self, chunks: Sequence[Chunk]) -> None:
        """Small responses wait for what follows them; stored bodies are read a piece at a time."""
        for chunk in chunks:
            if isinstance(chunk, bytes):
                self._say(chunk)
                if self._out_size >= JOINED:
                    await self._flush()
            else:
                await self._flush()
                await self._send_blob(chunk)

    async def _send_and_read(self, effect: SendAndRead) -> Any:
        """What is read while the client takes what was there before."""
        reading = self._context.work.begin(effect.job)
        try:
            await self._send(effect.chunks)
            await self._flush()
        except BaseException:
            reading.cancel()  # nobody is left to be told
            raise
        return await reading

    async def _flush(self) -> None:
        """Writes what there is to say, and waits for a slow client.  Raises ConnectionError, TimeoutError."""
        if self.session.server.snapshots.unstored:
            self._watch.store_claims()
        if self._out:
            stream, out = self._stream, self._out
            self._out, self._out_size = [], 0
            stream.writelines(out)
            stream.timeout_s = self.session.limits.write_timeout_s
            await stream.drain()

    async def _send_blob(self, blob: BlobRange | BlobDecoded) -> None:
        """Raises _Over when the body is gone or damaged: its length was announced, so nothing else can follow."""
        self._stream.timeout_s = self.session.limits.write_timeout_s
        if not await send_blob(self._context.work, self._stream, blob, self.session.log):
            self._stream.abort()
            raise _Over

    async def _line(self) -> bytes:
        """The next line (RFC 3501 §7.5).  Raises PeerError when it is too long."""
        while (line := self._framer.line()) is None:
            await self._more()
        return line

    async def _rest(self) -> bytes:
        """What follows a message in its command.  Raises PeerError when it is too long."""
        while (line := self._framer.rest()) is None:
            await self._more()
        return line

    async def _line_or_news(self) -> Any:
        """The next line, or a Delta.  Raises Gone, PeerError."""
        while True:
            line = self._framer.line()
            if line is not None:
                return line
            found = await self._input_or_news(is_idle=True)
            if found is not None:
                return found

    async def _input_or_news(self, *, is_idle: bool = False) -> Any:
        """None once there is input; a Delta, or a State.  Raises Gone."""
        while True:
            self._leave_if_told()
            await self._flush()
            self._hold(self._framer.held)
            has_input = await self._wait(is_idle=is_idle)
            news, self._news = self._news, None
            state, self._elsewhere = self._elsewhere, None
            if has_input:
                self._take()
            if has_input or news is not None:  # what came as well is read again
                self.session.is_stale |= has_input and news is not None
                if state is not None and self.session.observer is not None:
                    self.session.observer.is_stale = True
            if has_input:
                return None
            if isinstance(news, Gone):
                raise news
            if news is not None or state is not None:
                return news if news is not None else state

    async def _wait(self, *, is_idle: bool) -> bool:
        """Whether there is input; False when somebody woke the connection."""
        self._await_patiently()
        self._is_waiting = True
        self._watch.wait(self, is_idle=is_idle)
        try:
            return await self._stream.ready()
        except TimeoutError:
            self._bye("Idle for too long")
        finally:
            self._is_waiting = False
            self._watch.stop_waiting(self)

    async def _guarded(self, login: str, attempt: Awaitable[T]) -> T:
        """What becomes of an *attempt* to log in; it is noted and comes late if it failed."""
        session = self.session
        try:
            return await attempt
        except LimitReached as error:
            session.log.warning("log-in refused", login=login[:200], cause=str(error))
            await asyncio.sleep(session.limits.auth_delay_s)
            raise
        except AuthFailed:
            session.log.info("log-in failed", login=login[:200], tls=self._stream.encryption)
            await asyncio.sleep(session.limits.auth_delay_s)
            raise

    async def _authenticate(self, claim: Credentials | Proof) -> Account:
        session = self.session
        account = await self._guarded(claim.login, self._entry.check(claim))
        session.log = session.log.bind(account=account.address)
        session.log.info("logged in", tls=self._stream.encryption)
        self._guest.authenticated()
        self._framer.log_in()
        self._watch.log_in(self, account.id)
        return account

    def _unauthenticate(self) -> None:
        session = self.session
        session.log.info("logged out")
        self._stream.uncompress()
        self._watch.leave(self)
        self._framer.log_out()
        self._guest.unauthenticated()
        session.log_out()
        session.log = self._guest.log
        session.channel = self._context.channel(self._stream)
        self._deadline = self._stream.loop.time() + session.limits.prelogin_timeout_s

    async def _start_tls(self) -> None:
        """Raises ConnectionError when the handshake fails."""
        self._framer.clear()
        limits = self._context.limits.connections
        try:
            await self._stream.start_tls(self._context.tls.for_users, limits.tls_handshake_s)
        except ssl.SSLError as error:
            raise ConnectionError(f"TLS handshake failed: {error.reason}") from error
        self._framer.clear()
        self.session.is_tls = True
        self.session.channel = self._context.channel(self._stream)
