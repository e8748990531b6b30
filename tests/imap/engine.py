"""IMAP sessions in one thread: the whole engine on a real store, without sockets, threads and time.

A `Client` is a feed for the transcript player; several of them share one `House`, so what one does the others hear.
"""

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from mailserver.base.errors import AuthFailed, MailError, PeerError
from mailserver.base.ids import MailboxId
from mailserver.base.limits import ImapLimits
from mailserver.base.log import Log
from mailserver.imap import capabilities, elsewhere, registry, response
from mailserver.imap.appending import carries_message
from mailserver.imap.conversation import (
    Accept,
    Assemble,
    Authenticate,
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
from mailserver.imap.fetching.sending import reads
from mailserver.imap.framing import Command, Framer, GoOn, Refusal
from mailserver.imap.guests import as_guest
from mailserver.imap.listening import listen
from mailserver.imap.session import Gone, Server, Session
from mailserver.mime.scan import derive
from mailserver.sasl.registry import Channel
from mailserver.store.spool import Body, Spool, body_of
from mailserver.store.store import Store, StoreOptions
from mailserver.store.tx import Write as WriteTx
from mailserver.store.values import Account, Changes, Placed
from sasl.example import kept

NOW = 1_800_000_000
PASSWORD = "secret"
MISSING: Any = object()

registry.load()


class House:
    """A server process: alice, bob and carol@example.test, password "secret"."""

    def __init__(
        self, folder: Path, limits: ImapLimits | None = None, *, has_tls: bool = True
    ) -> None:
        limits = limits or ImapLimits()
        self.store = Store(
            folder,
            options=StoreOptions(clock=lambda: NOW, limits=limits),
            committed=self._committed,
        )
        self.pending: list[Changes] = []
        self.clients: list[Client] = []
        self.store.open()
        self.server = Server("mail.example.test", "1.0", limits=limits, has_tls=has_tls)
        self.accounts = self.store.write_now(self._people)
        self.pending.clear()

    def _committed(self, changes: Changes) -> None:
        self.pending.append(changes)
        if changes.directory:
            self.server.rooms.clear()

    @staticmethod
    def _people(tx: WriteTx) -> dict[str, Account]:
        domain = tx.domains.add("example.test")
        return {name: tx.accounts.add(domain.id, name, "-") for name in ("alice", "bob", "carol")}

    def close(self) -> None:
        self.store.close()

    def client(self, *, is_tls: bool = True, cleartext: bool = False) -> "Client":
        client = Client(self, is_tls=is_tls, cleartext=cleartext)
        self.clients.append(client)
        return client

    def authenticate(self, login: str, password: str) -> Account:
        account = self.accounts.get(login.removesuffix("@example.test"))
        if account is None or password != PASSWORD:
            raise AuthFailed("wrong")
        return account

    def deliver(
        self,
        raw: bytes = b"Subject: hello\r\n\r\nhello\r\n",
        mailbox: str = "INBOX",
        *,
        account: str = "alice",
        flags: int = 0,
        keywords: tuple[str, ...] = (),
        internal_at: int = NOW,
    ) -> Placed:
        """A message as SMTP would bring it."""
        owner = self.accounts[account].id
        prepared = self.store.prepare(body_of(raw), 131_072)
        placed = self.store.write_now(
            lambda tx: tx.messages.add(
                owner,
                tx.mailboxes.get(owner, mailbox).id,
                tx.blobs.put(prepared),
                derive(raw),
                flags=flags,
                keywords=keywords,
                internal_at=internal_at,
            )
        )
        self.settle()
        return placed

    def settle(self) -> None:
        """Let every session hear of what was committed, and the store of who got what as recent."""
        unstored = self.server.snapshots.unstored
        while unstored:
            mailbox = unstored.pop()
            self.store.write_now(lambda tx: tx.mailboxes.claim_recent(mailbox))  # noqa: B023  # called at once
        while self.pending:
            mailboxes = [mailbox for _, mailbox in self.pending.pop(0).mailboxes]
            self.server.changed(mailboxes)
            for client in self.clients:
                client.hear(mailboxes)
        for client in self.clients:
            client.hear_elsewhere()


class Client:
    """One connection; call it with what the client sends to get what the server says."""

    def __init__(self, house: House, *, is_tls: bool, cleartext: bool) -> None:
        self.house = house
        self.session = Session(house.server, Log("test"), is_tls=is_tls, cleartext=cleartext)
        self.framer = Framer(house.server.limits, carries_message)
        self.closed = False
        self.tls_due = False
        self._talk: Generator[Effect, Any, None] | None = None
        self._waits: Effect | None = None
        self._spool: Spool | None = None
        self._out = bytes(response.ok(capabilities.code(self.session), "mail.example.test ready"))

    def __call__(self, data: bytes) -> bytes:
        if not self.closed and not self.tls_due:
            self.framer.feed(data)
            self._go_on()
            self.house.settle()
        out, self._out = self._out, b""
        return out

    def close(self) -> None:
        self.session.unselect()
        if self._talk is not None:
            self._talk.close()
        self.closed = True

    def start_tls(self) -> None:
        assert self.tls_due
        self.tls_due = False

    def hear(self, mailboxes: list[MailboxId]) -> None:
        """Wake an idling client."""
        view, observer = self.session.selected, self.session.observer
        if observer is not None:
            observer.is_stale = True
        is_pushed = observer is not None and observer.is_pushed
        if (
            (
                isinstance(self._waits, LineOrChanges)
                or (isinstance(self._waits, InputOrChanges) and is_pushed)
            )
            and not self.session.is_deaf
            and view is not None
            and view.mailbox in mailboxes
        ):
            self.session.is_stale = False
            try:
                news = self.house.store.read_now(self.session.news)
            except Gone as error:
                self._resume(error)
                return
            if news is not None:
                self._resume(news)

    def hear_elsewhere(self) -> None:
        """Tell a client that has asked for it how all mailboxes are now."""
        observer = self.session.observer
        waits = isinstance(self._waits, LineOrChanges | InputOrChanges)
        if observer is None or not (observer.request.groups and observer.is_stale and waits):
            return
        observer.is_stale = False
        since = observer.state.modseqs if observer.state is not None else None
        read = self.house.store.read_now
        self._resume(read(lambda tx: elsewhere.read(self.session, tx, since)))

    def _go_on(self) -> None:
        while not self.closed and not self.tls_due:
            if self._waits is not None:
                value = self._input(self._waits)
                if value is MISSING:
                    return
                self._resume(value)
                continue
            frame = self.framer.next()
            if frame is None and self.session.observer is not None and not self.framer.held:
                self._talk = as_guest(self.session, listen(self.session))
                self._resume(None)
                continue
            if frame is None:
                return
            if isinstance(frame, GoOn):
                self._out += response.continuation(b"Ready")
            elif isinstance(frame, Refusal):
                self._refuse(frame)
            else:
                self._begin(frame)

    def _begin(self, frame: Command) -> None:
        self._talk = answer(self.session, frame.line)
        self._resume(None)

    def _refuse(self, frame: Refusal) -> None:
        if frame.is_fatal:
            self._out += response.bye(frame.text, frame.code)
            self.close()
        else:
            self._out += response.tagged(frame.tag, "BAD", frame.code, frame.text)

    def _resume(self, value: Any) -> None:
        assert self._talk is not None
        self._waits = None
        while True:
            try:
                effect = (
                    self._talk.throw(value)
                    if isinstance(value, Exception)
                    else self._talk.send(value)
                )
            except StopIteration:
                self._talk = None
                if self.session.is_over:
                    self.close()
                return
            value = self._carry_out(effect)
            if value is MISSING:
                value = self._input(effect)
                if value is MISSING:
                    self._waits = effect
                    return

    def _carry_out(self, effect: Effect) -> Any:
        store = self.house.store
        try:
            match effect:
                case Read(job):
                    return store.read_now(job)
                case Write(job):
                    value, modseqs = store.write_now(lambda tx: (job(tx), dict(tx.journal.modseqs)))
                    if self.session.observer is not None:
                        self.session.observer.mine.update(modseqs.items())
                    for changes in self.house.pending:
                        self.house.server.changed(m for _, m in changes.mailboxes)
                    return value
                case Send(chunks):
                    self._out += b"".join(self._octets(chunk) for chunk in chunks)
                case SendAndRead(chunks, job):
                    self._out += b"".join(self._octets(chunk) for chunk in chunks)
                    return store.read_now(job)
                case Continue(text):
                    self._out += response.continuation(text)
                    return MISSING
                case Assemble(pieces):
                    return body_of(b"".join(map(self._piece, pieces)))
                case Literal(_, is_synchronising):
                    if is_synchronising:
                        self._out += response.continuation(b"Ready")
                    self.framer.message()
                    self._spool = Spool(store.spool_folder, 1_000)
                    return MISSING
                case RestOfLine() | LineOrChanges() | InputOrChanges():
                    return MISSING
                case Thread(act):
                    return act()
                case Prepare(body, threshold):
                    return store.prepare(body, threshold)
                case Authenticate(login, password):
                    account = self.house.authenticate(login, password)
                    self.framer.log_in()
                    return account
                case LookUp(wanted):
                    return kept(wanted)
                case Accept(proof):
                    if proof.which is None:
                        raise AuthFailed("wrong")
                    self.framer.log_in()
                    return self.house.accounts["alice"]
                case Compress():  # the octets between us stay as they are
                    self.session.is_compressed = True
                case Unauthenticate():
                    channel = self.session.channel
                    self.framer.log_out()
                    self.session.log_out()
                    self.session.channel = channel
                case StartTls():
                    self.framer.clear()
                    self.session.is_tls = True
                    self.session.channel = Channel(is_private=True)
                    self.tls_due = True
        except Exception as error:
            return error
        return None

    def _octets(self, chunk: Chunk) -> bytes:
        if isinstance(chunk, bytes):
            return chunk
        data = b"".join(map(self.house.store.read_now, reads(chunk, 1_000)))
        assert len(data) == chunk.length
        return data

    def _piece(self, piece: Body | bytes | BlobRange) -> bytes:
        return bytes(piece.view()) if isinstance(piece, Body) else self._octets(piece)

    def _input(self, effect: Effect) -> Any:
        """What the client has sent of what *effect* waits for, MISSING until it is all there."""
        if isinstance(effect, InputOrChanges):
            return None if self.framer.held else MISSING
        if isinstance(effect, Literal):
            assert self._spool is not None
            self._spool.write(self.framer.take(effect.size - self._spool.size))
            return self._spool.finish() if self._spool.size == effect.size else MISSING
        try:
            rests = isinstance(effect, RestOfLine)
            line = self.framer.rest() if rests else self.framer.line()
        except PeerError as error:
            return error
        return MISSING if line is None else line


def logged_in(house: House, user: str = "alice", *, select: str = "") -> Client:
    """A client past its greeting and log-in, perhaps with a mailbox selected."""
    client = house.client()
    client(b"")
    said = client(f"x LOGIN {user}@example.test {PASSWORD}\r\n".encode())
    assert said.startswith(b"x OK"), said
    if select:
        said = client(f'x SELECT "{select}"\r\n'.encode())
        assert b"x OK" in said, said
    return client


def clients(house: House, labels: Mapping[str, str]) -> dict[str, Client]:
    """A client for each label, logged in as alice; the value is the mailbox it selects."""
    return {label: logged_in(house, select=mailbox) for label, mailbox in labels.items()}


__all__ = ["Client", "House", "MailError", "clients", "logged_in"]
