"""ManageSieve on port 4190: the life of a connection.

Spec: RFC 5804 §1.1, §1.3, §2.1 - §2.3, §2.14.  Status: complete.
"""

import asyncio
import ssl
from binascii import Error, a2b_base64, b2a_base64
from typing import NoReturn

from mailserver import __version__
from mailserver.base.errors import AuthFailed, LimitReached, MailError, PeerError
from mailserver.managesieve import errors, registry, response
from mailserver.managesieve.commands.capability import lines
from mailserver.managesieve.framing import Argument, Command, Framer, Refusal
from mailserver.managesieve.registry import COMMANDS, Row, Shape, State
from mailserver.managesieve.session import Session
from mailserver.sasl.mechanism import Challenge, Wanted
from mailserver.sasl.registry import begin
from mailserver.servers.context import Context
from mailserver.servers.entry import Entry
from mailserver.servers.limits import Guest
from mailserver.servers.stream import Stream
from mailserver.store.values import Account

TURNED_AWAY = (b'BYE (TRYLATER) "', b'"\r\n')  #: around the reason, for whom there is no room
STRANGERS = 4_096  #: octets of a literal before log-in


class _Over(Exception):
    """The connection ends now; whatever had to be said was said."""


class ManageSieve:
    """The protocol; `serve` is its handler."""

    def __init__(self) -> None:
        registry.load()

    async def serve(self, stream: Stream, context: Context, guest: Guest) -> None:
        """Own *stream* until its end."""
        await Connection(stream, context, guest).run()


class Connection:
    """Drives one session."""

    def __init__(self, stream: Stream, context: Context, guest: Guest) -> None:
        self._stream, self._context, self._guest = stream, context, guest
        self._limits = context.limits.managesieve
        self._session = Session(
            __version__, context.limits.sieve, stream.is_tls, context.channel(stream)
        )
        self._entry = Entry(context, stream.peer, guest.log)
        self._framer = Framer(STRANGERS)
        self._log = guest.log
        self._errors = self._failures = 0
        self._held = 0
        self._deadline = stream.loop.time() + self._limits.prelogin_timeout_s

    async def run(self) -> None:
        """From the greeting to the end."""
        try:
            self._stream.write(lines(self._session) + response.ok("Welcome."))
            while True:
                found = await self._command()
                if isinstance(found, Refusal):
                    await self._refuse(found)
                else:
                    await self._answer(found)
                await self._flush()
        except _Over:
            pass
        except TimeoutError:
            self._stream.write(response.bye("Idle for too long"))
        finally:
            self._hold(0)

    # input and output

    async def _command(self) -> Command | Refusal:
        while (found := self._framer.next()) is None:
            await self._more()
        return found

    async def _more(self) -> None:
        if self._context.stopping.is_set():
            self._bye("The server is stopping", b"TRYLATER")
        if not self._hold(self._framer.held):
            self._log.warning("no memory left for input")
            self._bye("The server is overloaded", b"TRYLATER")
        stream = self._stream
        if self._session.account is None:
            left = self._deadline - stream.loop.time()
            if left <= 0:
                self._bye("Idle for too long")
            stream.timeout_s = left
        else:
            stream.timeout_s = self._limits.idle_timeout_s
        if await stream.ready():
            data = stream.take()
            if not data:
                raise _Over
            self._framer.feed(data)

    def _hold(self, octets: int) -> bool:
        memory, octets = self._context.memory, octets if octets > STRANGERS else 0
        if octets > self._held and not memory.take(octets - self._held):
            return False
        if octets < self._held:
            memory.give(self._held - octets)
        self._held = octets
        return True

    async def _flush(self) -> None:
        self._stream.timeout_s = self._limits.idle_timeout_s
        await self._stream.drain()

    def _bye(self, text: str, code: bytes = b"") -> NoReturn:
        self._stream.write(response.bye(text, code))
        raise _Over

    async def _refuse(self, refusal: Refusal) -> None:
        self._log.info("input refused", reason=refusal.text, fatal=refusal.is_fatal)
        if refusal.is_fatal:
            self._bye(refusal.text)
        self._say_no(refusal.text, b"QUOTA/MAXSIZE" if refusal.is_size else b"")

    def _say_no(self, text: str, code: bytes = b"") -> None:
        """One mistake more; at too many the connection ends."""
        self._stream.write(response.no(text[:1].upper() + text[1:], code))
        self._errors += 1
        if self._errors >= self._limits.errors:
            self._bye("Too many errors")

    # commands

    async def _answer(self, command: Command) -> None:
        row = COMMANDS.get(command.name)
        try:
            if row is None:
                raise PeerError(f"there is no command {command.name}")
            self._check(row, command.arguments)
            await self._carry_out(row, command.arguments)
            self._errors = 0
        except PeerError as error:
            self._say_no(str(error))
        except MailError as error:
            self._stream.write(response.no(str(error), errors.code(error)))
        except (_Over, ConnectionError, TimeoutError):
            raise
        except Exception as error:
            self._log.error("managesieve command failed", command=command.name, error=error)
            self._stream.write(response.no("Something went wrong here", b"TRYLATER"))

    def _check(self, row: Row, arguments: tuple[Argument, ...]) -> None:
        is_in = self._session.account is not None
        if row.state is State.AFTER and not is_in:
            raise PeerError("log in first")
        if row.state is State.BEFORE and is_in:
            raise PeerError("you are logged in already")
        least, most = len(row.kinds) - row.optional, len(row.kinds)
        fits = all(isinstance(a, kind) for a, kind in zip(arguments, row.kinds, strict=False))
        if not least <= len(arguments) <= most or not fits:
            raise PeerError(f"{row.name} wants other arguments")

    async def _carry_out(self, row: Row, arguments: tuple[Argument, ...]) -> None:
        run, session, work = row.run, self._session, self._context.work
        if run is None:
            await _TALKS[row.name](self, arguments)
            return
        if row.shape is Shape.SAYS:
            said = run(session, arguments, None)
        elif row.shape is Shape.READS:
            said = await work.read(lambda tx: run(session, arguments, tx))
        else:
            said = await work.write(lambda tx: run(session, arguments, tx), is_pure=True)
            self._log.info("script changed", command=row.name)
        self._stream.write(said)

    async def _logout(self, arguments: tuple[Argument, ...]) -> None:
        self._stream.write(response.ok("Goodbye."))
        raise _Over

    async def _starttls(self, arguments: tuple[Argument, ...]) -> None:
        """What came with the command in the clear is forgotten; the capabilities are told again (RFC 5804 §2.2)."""
        if self._session.is_tls:
            raise PeerError("TLS is there already")
        self._stream.write(response.ok("Begin TLS now."))
        await self._flush()
        self._framer.clear()
        limits = self._context.limits.connections
        try:
            await self._stream.start_tls(self._context.tls.for_users, limits.tls_handshake_s)
        except ssl.SSLError as error:
            raise ConnectionError(f"TLS handshake failed: {error.reason}") from error
        self._framer.clear()
        self._session.is_tls = True
        self._session.channel = self._context.channel(self._stream)
        self._stream.write(lines(self._session) + response.ok())

    async def _unauthenticate(self, arguments: tuple[Argument, ...]) -> None:
        self._log.info("logged out")
        self._session.account = None
        self._framer.literal = STRANGERS
        self._guest.unauthenticated()
        self._log = self._guest.log
        self._entry = Entry(self._context, self._stream.peer, self._guest.log)
        self._deadline = self._stream.loop.time() + self._limits.prelogin_timeout_s
        self._stream.write(response.ok())

    async def _authenticate(self, arguments: tuple[Argument, ...]) -> None:
        """A SASL exchange (RFC 5804 §2.1)."""
        session, asked = self._session, arguments[0]
        name = asked.decode("ascii", "replace") if isinstance(asked, bytes) else ""
        if not session.channel.is_private:
            code = b"" if session.is_tls else b"ENCRYPT-NEEDED"
            self._stream.write(response.no("Begin TLS first", code))
            return
        mechanism = begin(name, session.channel)
        if mechanism is None:
            self._stream.write(response.no("There is no such mechanism"))
            return
        initial = _decode(arguments[1]) if len(arguments) > 1 else None
        said, login = mechanism.step(initial), ""
        try:
            while isinstance(said, Challenge | Wanted):
                if isinstance(said, Wanted):
                    login = said.login
                    said = said.answer(await self._entry.look_up(said))
                    continue
                challenge = b2a_base64(said.data, newline=False)
                self._stream.write(response.string(challenge) + b"\r\n")
                await self._flush()
                said = mechanism.step(await self._response())
            login = said.login
            self._log_in(await self._entry.check(said))
        except (AuthFailed, LimitReached) as error:
            await self._fail(login, str(error))

    async def _response(self) -> bytes:
        found = await self._command()
        if isinstance(found, Refusal):
            raise PeerError(found.text)
        if found.name or len(found.arguments) != 1:
            raise PeerError("a string should answer the challenge")
        if found.arguments[0] == b"*":
            raise PeerError("cancelled")
        return _decode(found.arguments[0])

    async def _fail(self, login: str, reason: str) -> None:
        tls = self._stream.encryption
        self._log.info("log-in failed", login=login[:200], tls=tls, cause=reason)
        await asyncio.sleep(self._limits.auth_delay_s)
        self._failures += 1
        if self._failures >= self._limits.auth_failures:
            self._bye("Too many failed log-ins")
        self._stream.write(response.no(reason))

    def _log_in(self, account: Account) -> None:
        self._failures = 0
        self._session.account = account
        self._framer.literal = self._session.limits.script_size
        self._guest.authenticated()
        self._log = self._log.bind(account=account.address)
        self._log.info("logged in", tls=self._stream.encryption)
        self._stream.write(response.ok("Logged in."))


_TALKS = {
    "AUTHENTICATE": Connection._authenticate,
    "STARTTLS": Connection._starttls,
    "LOGOUT": Connection._logout,
    "UNAUTHENTICATE": Connection._unauthenticate,
}


def _decode(argument: Argument) -> bytes:
    if not isinstance(argument, bytes):
        raise PeerError("a string should stand here")
    if argument == b"=":
        return b""
    try:
        return a2b_base64(argument, strict_mode=True)
    except Error:
        raise PeerError("broken base64") from None
