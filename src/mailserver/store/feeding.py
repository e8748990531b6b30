"""What the text index has still to be told: new messages of each account, and those that are gone."""

from collections.abc import Sequence
from typing import NamedTuple

from mailserver.base.ids import AccountId, BlobId, MessageId, ModSeq
from mailserver.store.database import Database


class Stand(NamedTuple):
    """How far an account is: the id of its newest message, there or not, and its modseq."""

    last: MessageId
    modseq: ModSeq


class Unfed(NamedTuple):
    """A message, as far as its row tells."""

    message: MessageId
    blob: BlobId
    size: int
    header_size: int
    envelope: bytes
    subject: str
    layout: bytes


class Feeding:
    """Reads only, of all accounts."""

    __slots__ = ("_db",)

    def __init__(self, db: Database) -> None:
        self._db = db

    def version(self) -> int:
        """Another number whenever somebody has changed something since this was asked last."""
        return int(self._db.rows("PRAGMA data_version")[0][0])

    def stands(self) -> dict[AccountId, Stand]:
        """Every account that was not removed."""
        return {
            account: Stand(MessageId(account << 32 | last), modseq)
            for account, last, modseq in self._db.each(
                "SELECT id, last_message, modseq FROM account WHERE domain_id IS NOT NULL"
            )
        }

    def after(self, message: MessageId, last: MessageId, most: int) -> list[Unfed]:
        """The next messages of the account behind *message* up to *last*, ascending, at most *most*."""
        return [
            Unfed(*row)
            for row in self._db.rows(
                "SELECT id, blob_id, size, header_size, envelope, subject, layout FROM message"
                " WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
                (message, last, most),
            )
        ]

    def count_after(self, message: MessageId) -> int:
        """How many messages of its account come behind *message*."""
        rows = self._db.rows(
            "SELECT count(*) FROM message WHERE id > ?1 AND id <= ?1 | 4294967295", (message,)
        )
        return int(rows[0][0])

    def gone(
        self, account: AccountId, since: ModSeq, upto: ModSeq, most: int
    ) -> Sequence[tuple[ModSeq, MessageId]]:
        """(modseq, message) of those that left the account after *since*, by modseq, about *most*.

        All that left with the same modseq are among them, or none.
        """
        rows = self._db.rows(
            "SELECT modseq, message_id FROM message_gone WHERE account_id = ? AND modseq > ? AND modseq <= ?"
            " ORDER BY modseq LIMIT ?",
            (account, since, upto, most),
        )
        if len(rows) < most:
            return [(modseq, message) for modseq, message in rows]
        last = rows[-1][0]
        rows = [row for row in rows if row[0] < last]
        rows += self._db.rows(
            "SELECT modseq, message_id FROM message_gone WHERE account_id = ? AND modseq = ?",
            (account, last),
        )
        return [(modseq, message) for modseq, message in rows]
