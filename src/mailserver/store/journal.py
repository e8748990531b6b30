"""What one write job has changed so far, to be told to others once it is committed.

The account's modseq is raised once a job, by the first change; every row the job changes carries that number
(RFC 7162 §3.1: a strictly growing value for each change).
"""

from pathlib import Path
from typing import Protocol

from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId, BlobId, MailboxId, ModSeq
from mailserver.store.database import Database


class Keepable(Protocol):
    """A file made for this job."""

    def keep(self) -> None:
        """The file is the store's from now on."""


class Journal:
    """One job's notes; the writer empties it before each job."""

    __slots__ = (
        "accounts",
        "directory",
        "fresh",
        "has_purge",
        "mailboxes",
        "modseqs",
        "now",
        "prepared",
        "queue",
        "sizes",
        "unlink",
    )

    def __init__(self) -> None:
        self.now = 0  # UTC epoch seconds when the transaction began
        self.modseqs: dict[AccountId, ModSeq] = {}
        self.mailboxes: set[tuple[AccountId, MailboxId]] = set()
        self.accounts: set[AccountId] = set()
        self.directory = False
        self.queue = False  # the queue has something to do, or will have
        self.has_purge = False  # something deleted is waiting to be purged
        self.fresh: set[BlobId] = set()  # put, and not referred to yet
        self.sizes: dict[BlobId, int] = {}  # octets of what was put
        self.prepared: list[Keepable] = []  # files that become ours once this is committed
        self.unlink: list[Path] = []  # files to remove once this is committed

    def clear(self) -> None:
        """As new."""
        self.modseqs.clear()
        self.mailboxes.clear()
        self.accounts.clear()
        self.directory = False
        self.queue = False
        self.has_purge = False
        self.fresh.clear()
        self.sizes.clear()
        self.prepared = []
        self.unlink = []

    def modseq(self, db: Database, account: AccountId) -> ModSeq:
        """The modseq of this job's changes in *account*; raises NotFound for a missing account."""
        known = self.modseqs.get(account)
        if known is not None:
            return known
        rows = db.rows(
            "UPDATE account SET modseq = modseq + 1 WHERE id = ? RETURNING modseq", (account,)
        )
        if not rows:
            raise NotFound("No such account.")
        self.modseqs[account] = modseq = ModSeq(rows[0][0])
        self.accounts.add(account)
        return modseq
