"""Two accounts in a store, and what one of them has, as values that can be compared."""

from pathlib import Path
from typing import NamedTuple

from mailserver.mime.scan import derive
from mailserver.moving.leaving import Format, Leaver
from mailserver.moving.leaving import Result as Left
from mailserver.moving.mail import Source
from mailserver.moving.maildir import MaildirSource
from mailserver.moving.mbox import MboxSource
from mailserver.moving.taking import Result, Taker
from mailserver.store.spool import body_of
from mailserver.store.store import Store, StoreOptions
from mailserver.store.values import Account, Mailbox

NOW = 1_800_000_000


class Message(NamedTuple):
    """A message as it is stored."""

    uid: int
    flags: int
    keywords: str
    internal_at: int
    raw: bytes


class Household:
    """alice and bob in example.test."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder, options=StoreOptions(clock=lambda: NOW))
        self.store.open()
        domain = self.store.write_now(lambda tx: tx.domains.add("example.test"))
        self.alice, self.bob = (
            self.store.write_now(lambda tx, n=name: tx.accounts.add(domain.id, n, "-"))  # type: ignore[misc]
            for name in ("alice", "bob")
        )
        self.said: list[str] = []

    def close(self) -> None:
        self.store.close()

    def put(
        self,
        raw: bytes,
        mailbox: str = "INBOX",
        *,
        flags: int = 0,
        keywords: tuple[str, ...] = (),
        internal_at: int = NOW - 1_000,
        account: Account | None = None,
    ) -> int:
        """The UID of the new message."""
        owner = (account or self.alice).id
        prepared = self.store.prepare(body_of(raw), 131_072)
        return self.store.write_now(
            lambda tx: tx.messages.add(
                owner,
                tx.mailboxes.get(owner, mailbox).id,
                tx.blobs.put(prepared),
                derive(raw),
                flags=flags,
                keywords=keywords,
                internal_at=internal_at,
            )
        ).uid

    def leave(self, folder: Path, kind: Format, account: Account | None = None) -> Left:
        """Export."""
        return Leaver(
            self.store, account or self.alice, folder, kind, self.said.append
        ).everything()

    def take(self, source: Source | Path, kind: str = "", account: Account | None = None) -> Result:
        """Import, into bob's mailboxes."""
        if isinstance(source, Path):
            source = MaildirSource(source) if kind == "maildir" else MboxSource(source)
        return Taker(self.store, account or self.bob, self.said.append).everything(source)

    def box(self, name: str, account: Account | None = None) -> Mailbox:
        return self.store.read_now(lambda tx: tx.mailboxes.get((account or self.bob).id, name))

    def has(self, name: str, account: Account | None = None) -> list[Message]:
        """The messages of a mailbox."""
        mailbox = self.box(name, account).id
        columns = "uid", "flags", "keywords", "internal_at", "blob"
        return self.store.read_now(
            lambda tx: [
                Message(*row[:4], tx.blobs.read(row[4]))
                for row in tx.messages.rows(mailbox, [(1, 0xFFFF_FFFF)], *columns)
            ]
        )

    def names(self, account: Account | None = None) -> set[str]:
        return {
            m.name
            for m in self.store.read_now(lambda tx: tx.mailboxes.all((account or self.bob).id))
        }
