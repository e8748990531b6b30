"""INBOX open in sessions whose commands run as the dispatcher runs them, with every effect in the open.

Unlike `engine` there is no framing and no log-in; a test sees what a command asks of the store, and can meddle.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from imap.engine import NOW, House
from mailserver.base.errors import MailError
from mailserver.base.ids import Uid
from mailserver.base.log import Log
from mailserver.imap.conversation import Effect, Read, Send, SendAndRead, Thread, Write
from mailserver.imap.dispatch import answer
from mailserver.imap.fetching.sending import reads
from mailserver.imap.session import Session
from mailserver.imap.view import View
from mailserver.mime.scan import derive
from mailserver.store.lookup import Lookup
from mailserver.store.spool import body_of

#: octets, flags, keywords, internal date
Mail = tuple[bytes, int, tuple[str, ...], int]


class Mailroom(House):
    """alice's INBOX; *threshold*: larger bodies are files."""

    def __init__(self, folder: Path, threshold: int = 131_072) -> None:
        super().__init__(folder)
        self.threshold = threshold
        self.account = self.accounts["alice"]
        self.inbox = self.store.read_now(lambda tx: tx.mailboxes.get(self.account.id, "INBOX").id)
        self.readers: list[Reader] = []

    def put(
        self, raw: bytes, flags: int = 0, keywords: Iterable[str] = (), internal_at: int = NOW
    ) -> Uid:
        """The UID of the new message."""
        return self.put_all([(raw, flags, tuple(keywords), internal_at)])[0]

    def put_all(self, messages: Iterable[Mail]) -> list[Uid]:
        """Many at once."""

        def job(tx: Any) -> list[Uid]:
            uids = []
            for raw, flags, keywords, internal_at in messages:
                blob = tx.blobs.put(self.store.prepare(body_of(raw), self.threshold))
                placed = tx.messages.add(
                    self.account.id, self.inbox, blob, derive(raw),
                    flags=flags, keywords=keywords, internal_at=internal_at,
                )  # fmt: skip
                uids.append(placed.uid)
            return uids

        uids: list[Uid] = self.write(job)
        return uids

    def expunge(self, *uids: int) -> None:
        """Somebody else expunges these messages."""
        wanted = [Uid(u) for u in uids]
        self.write(lambda tx: tx.messages.change_flags(self.inbox, wanted, "add", 8))
        self.write(lambda tx: tx.messages.expunge(self.inbox, wanted))

    def write(self, job: Callable[[Any], Any]) -> Any:
        """A committed job; every reader hears that something changed."""
        value = self.store.write_now(job)
        for reader in self.readers:
            reader.session.is_stale = True
        return value

    def reader(self, *, read_only: bool = False, recent: tuple[int, int] | None = None) -> "Reader":
        """A new session with INBOX selected."""
        reader = Reader(self, read_only, recent)
        self.readers.append(reader)
        return reader


class Reader:
    """A session with INBOX open.  *after* is called after each effect."""

    def __init__(self, room: Mailroom, read_only: bool, recent: tuple[int, int] | None) -> None:
        self.room = room
        self.session = Session(room.server, Log("imap"), is_tls=True, cleartext=False)
        self.session.log_in(room.account)
        box, uids = room.store.read_now(
            lambda tx: (tx.mailboxes.by_id(room.inbox), tx.messages.uids(room.inbox))
        )
        span = (Uid(recent[0]), Uid(recent[1])) if recent else None
        view = View(
            box.id, box.uidvalidity, box.uidnext, box.modseq, uids, recent=span, read_only=read_only
        )
        self.session.select(view)
        self.session.is_stale = False
        self.tag = b"a"
        self.effects: list[Effect] = []
        self.after: Callable[[Effect], None] = lambda _effect: None
        self.fails_to_write: MailError | None = None

    def ask(self, command: str | bytes) -> bytes:
        """All that is sent in answer to `TAG *command*`, to the tagged response."""
        line = self.tag + b" " + (command.encode() if isinstance(command, str) else command)
        self.effects = []
        talk = answer(self.session, line)
        out: list[bytes] = []
        give: Callable[[], Any] = lambda: next(talk)  # noqa: E731  # replaced at every turn
        while True:
            try:
                effect = give()
            except StopIteration:
                return b"".join(out)
            self.effects.append(effect)
            result, error = None, None
            try:
                result = self._carry_out(effect, out)
            except Exception as caught:
                error = caught
            self.after(effect)
            if error is not None:
                give = lambda error=error: talk.throw(error)  # noqa: E731
            else:
                give = lambda result=result: talk.send(result)  # noqa: E731

    def _carry_out(self, effect: Effect, out: list[bytes]) -> Any:
        store = self.room.store
        if isinstance(effect, Read):
            return store.read_now(effect.job)
        if isinstance(effect, Write):
            if self.fails_to_write is not None:
                raise self.fails_to_write
            return self.room.write(effect.job)
        if isinstance(effect, Thread):
            return effect.act()
        assert isinstance(effect, Send | SendAndRead)
        for chunk in effect.chunks:
            if isinstance(chunk, bytes):
                out.append(chunk)
            else:
                data = b"".join(map(store.read_now, reads(chunk, 1_000)))
                assert len(data) == chunk.length
                out.append(data)
        return store.read_now(effect.job) if isinstance(effect, SendAndRead) else None


@contextmanager
def bodies_read() -> Iterator[list[int]]:
    """A list that gets the UID of each message whose octets come with its row."""
    read: list[int] = []
    rows = Lookup.rows

    def spy(self: Lookup, mailbox: Any, which: Any, *columns: str) -> Iterator[Any]:
        for row in rows(self, mailbox, which, *columns):
            if "octets" in columns:
                read.append(row[0])
            yield row

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lookup, "rows", spy)
        yield read
