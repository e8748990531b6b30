"""A store with one domain and one account, and short words for what tests do with it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mailserver.base.ids import MailboxId, Uid
from mailserver.mime.derived import Derived
from mailserver.store import flags as bits
from mailserver.store.spool import body_of
from mailserver.store.store import Store, StoreOptions
from mailserver.store.tx import Write
from mailserver.store.values import Account, FlagRow, Mailbox, Placed

NOW = 1_800_000_000


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def derived(*thread_keys: int, subject: str = "") -> Derived:
    """What a scanner might have found."""
    return Derived(
        envelope=b"(NIL)",
        body=b'("TEXT" "PLAIN")',
        bodystructure=b'("TEXT" "PLAIN" NIL)',
        layout=b"layout",
        header_size=10,
        sent_at=NOW - 60,
        sent_day=739_000,
        subject=subject,
        base_subject=subject,
        sort_from="from",
        sort_to="to",
        sort_cc="cc",
        message_id="<a@example.test>",
        thread_keys=thread_keys,
        ancestry=bytes(8),
        hops=1,
    )


class World:
    """alice@example.test and her mailboxes."""

    def __init__(self, folder: Path, options: StoreOptions | None = None) -> None:
        self.folder = folder
        self.clock = Clock()
        self.store = Store(folder, options=options or StoreOptions(clock=self.clock))
        self.store.open()
        self.alice = self.store.write_now(self._alice)
        self.inbox = self.mailbox("INBOX").id

    @classmethod
    def again(cls, other: "World") -> "World":
        """The same world through connections of its own, as another process has it."""
        world = cls.__new__(cls)
        world.folder, world.clock, world.alice = other.folder, other.clock, other.alice
        world.inbox = other.inbox
        world.store = Store(other.folder, options=StoreOptions(clock=other.clock))
        world.store.open()
        return world

    @staticmethod
    def _alice(tx: Write) -> Account:
        domain = tx.domains.add("example.test")
        return tx.accounts.add(domain.id, "alice", "hash")

    def close(self) -> None:
        self.store.close()

    def mailbox(self, name: str) -> Mailbox:
        return self.store.read_now(lambda tx: tx.mailboxes.get(self.alice.id, name))

    def by_id(self, mailbox: MailboxId) -> Mailbox:
        found = self.store.read_now(lambda tx: tx.mailboxes.by_id(mailbox))
        assert found is not None
        return found

    def account(self) -> Account:
        return self.store.read_now(lambda tx: tx.accounts.get(self.alice.id))

    def create(self, name: str) -> Mailbox:
        return self.store.write_now(lambda tx: tx.mailboxes.create(self.alice.id, name))

    def add(
        self,
        raw: bytes = b"From: a\r\n\r\nhello\r\n",
        mailbox: MailboxId | None = None,
        *,
        flags: int = 0,
        keywords: Iterable[str] = (),
        thread_keys: Sequence[int] = (),
        threshold: int = 131_072,
    ) -> Placed:
        prepared = self.store.prepare(body_of(raw), threshold)
        return self.store.write_now(
            lambda tx: tx.messages.add(
                self.alice.id,
                self.inbox if mailbox is None else mailbox,
                tx.blobs.put(prepared),
                derived(*thread_keys),
                flags=flags,
                keywords=keywords,
                internal_at=NOW,
            )
        )

    def flag(self, mailbox: MailboxId, uids: Sequence[int], flags: int) -> list[FlagRow]:
        return self.store.write_now(
            lambda tx: tx.messages.change_flags(mailbox, [Uid(u) for u in uids], "add", flags)
        )

    def expunge(self, mailbox: MailboxId, uids: Sequence[int]) -> list[Uid]:
        self.flag(mailbox, uids, bits.DELETED)
        return self.store.write_now(lambda tx: tx.messages.expunge(mailbox, [Uid(u) for u in uids]))

    def uids(self, mailbox: MailboxId) -> list[int]:
        return list(self.store.read_now(lambda tx: tx.messages.uids(mailbox)))

    def raw(self, mailbox: MailboxId, uid: int) -> bytes:
        def job(tx):
            ((blob,),) = tx.messages.rows(mailbox, [uid], "blob")
            return tx.blobs.read(blob)

        return self.store.read_now(job)
