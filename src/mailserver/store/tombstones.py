"""Tombstones of messages: how many of them are kept, and from where on they are complete.

Spec: RFC 7162 §5.3.  Status: complete.
"""

from mailserver.base.ids import MailboxId
from mailserver.store.database import Database


class Tombstones:
    """What left each mailbox.  Invariant: every message that left after `mailbox.expunged_from` has its tombstone."""

    __slots__ = ("_db",)

    def __init__(self, db: Database) -> None:
        self._db = db

    def crowded(self, keep: int) -> list[MailboxId]:
        """The mailboxes with more than *keep* of them."""
        return [
            mailbox
            for (mailbox,) in self._db.each(
                "SELECT mailbox_id FROM expunged GROUP BY mailbox_id HAVING count(*) > ?", (keep,)
            )
        ]

    def forget(self, mailbox: MailboxId, keep: int, most: int) -> int:
        """How many were dropped, the oldest ones first, at most *most*; the newest *keep* stay, perhaps fewer."""
        bound = self._db.rows(
            "SELECT modseq FROM expunged WHERE mailbox_id = ? ORDER BY modseq DESC, uid DESC LIMIT 1 OFFSET ?",
            (mailbox, keep),
        )
        if not bound:
            return 0
        ((modseq,),) = bound
        self._db.run(
            "UPDATE mailbox SET expunged_from = ? WHERE id = ? AND expunged_from < ?",
            (modseq, mailbox, modseq),
        )
        return len(
            self._db.rows(
                "DELETE FROM expunged WHERE mailbox_id = ?1 AND (modseq, uid) IN (SELECT modseq, uid FROM expunged"
                " WHERE mailbox_id = ?1 AND modseq <= ?2 ORDER BY modseq, uid LIMIT ?3) RETURNING uid",
                (mailbox, modseq, most),
            )
        )
