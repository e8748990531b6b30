r"""Who has seen what in mailboxes of others: \Seen for each reader, beside the owner's, which is among the flags.

A mailbox that only its owner reads has no row here.

Spec: RFC 4314 §2.1 (the right "s"); RFC 7162 §3.1.  Status: complete.
"""

from array import array
from collections.abc import Iterable, Sequence

import apsw

from mailserver.base.ids import AccountId, MailboxId, ModSeq, Uid
from mailserver.store.database import Database


class Readers:
    r"""What accounts keep about mailboxes of others.

    Invariants: `reader.seen` counts the messages that have \Seen for the reader; there is no row for a message that
    is gone, as long as the mailbox is there.
    """

    __slots__ = ("_db",)

    def __init__(self, db: Database) -> None:
        self._db = db

    def are_there(self, mailbox: MailboxId) -> bool:
        """Somebody else than the owner has seen something in *mailbox*."""
        return bool(self._db.rows("SELECT 1 FROM reader WHERE mailbox_id = ? LIMIT 1", (mailbox,)))

    def seen_count(self, mailbox: MailboxId, reader: AccountId) -> int:
        r"""How many messages have \Seen for *reader*."""
        rows = self._db.rows(
            "SELECT seen FROM reader WHERE mailbox_id = ? AND account_id = ?", (mailbox, reader)
        )
        return int(rows[0][0]) if rows else 0

    def seen(self, mailbox: MailboxId, reader: AccountId, uids: Sequence[Uid]) -> set[Uid]:
        r"""Those of *uids* that have \Seen for *reader*."""
        return {
            uid
            for (uid,) in self._db.rows(
                "SELECT uid FROM seen WHERE mailbox_id = ? AND account_id = ? AND is_seen = 1 AND uid IN carray(?)",
                (mailbox, reader, apsw.carray(array("q", uids))),
            )
        }

    def changed(self, mailbox: MailboxId, reader: AccountId, since: ModSeq) -> list[Uid]:
        r"""The UIDs of messages whose \Seen *reader* has changed after *since*."""
        return [
            uid
            for (uid,) in self._db.rows(
                "SELECT uid FROM seen INDEXED BY seen_by_modseq"
                " WHERE mailbox_id = ? AND account_id = ? AND modseq > ?",
                (mailbox, reader, since),
            )
        ]

    def mark(
        self,
        mailbox: MailboxId,
        reader: AccountId,
        uids: Sequence[Uid],
        modseq: ModSeq,
        *,
        is_seen: bool,
    ) -> None:
        r"""Sets or takes \Seen for *reader*; *uids* are messages for which it was the other way round."""
        if not uids:
            return
        change = len(uids) if is_seen else -len(uids)
        self._db.run(
            "INSERT OR IGNORE INTO reader (mailbox_id, account_id) VALUES (?, ?)", (mailbox, reader)
        )
        self._db.run(
            "UPDATE reader SET seen = seen + ? WHERE mailbox_id = ? AND account_id = ?",
            (change, mailbox, reader),
        )
        self._db.run_many(
            "INSERT OR REPLACE INTO seen (mailbox_id, account_id, uid, is_seen, modseq) VALUES (?, ?, ?, ?, ?)",
            [(mailbox, reader, uid, is_seen, modseq) for uid in uids],
        )

    def carry(
        self,
        source: MailboxId,
        target: MailboxId,
        pairs: Iterable[tuple[Uid, Uid]],
        modseq: ModSeq,
        *,
        apart_from: AccountId | None = None,
    ) -> None:
        r"""Who has seen a message in *source* has seen it in *target*, too; *pairs* are (UID there, UID here).

        *target* belongs to the owner of *source*.
        """
        new = dict(pairs)
        for reader, uid in self._db.rows(
            "SELECT account_id, uid FROM seen WHERE mailbox_id = ? AND is_seen = 1 AND uid IN carray(?)"
            " AND account_id IS NOT ? ORDER BY account_id",
            (source, apsw.carray(array("q", new)), apart_from),
        ):
            self.mark(target, reader, [new[uid]], modseq, is_seen=True)

    def forget(self, mailbox: MailboxId, uids: Sequence[int]) -> None:
        """The messages *uids* of *mailbox* are gone."""
        lost: dict[AccountId, int] = {}
        for reader, was_seen in self._db.rows(
            "DELETE FROM seen WHERE mailbox_id = ? AND uid IN carray(?) AND account_id IN"
            " (SELECT account_id FROM reader WHERE mailbox_id = ?) RETURNING account_id, is_seen",
            (mailbox, apsw.carray(array("q", uids)), mailbox),
        ):
            lost[reader] = lost.get(reader, 0) + was_seen
        self._db.run_many(
            "UPDATE reader SET seen = seen - ? WHERE mailbox_id = ? AND account_id = ?",
            [(count, mailbox, reader) for reader, count in lost.items()],
        )

    def drain(self, mailbox: MailboxId, most: int) -> int:
        """How many rows about a deleted mailbox were taken away, at most *most*."""
        return len(
            self._db.rows(
                "DELETE FROM seen WHERE (mailbox_id, account_id, uid) IN (SELECT mailbox_id, account_id, uid FROM seen"
                " WHERE mailbox_id = ? LIMIT ?) RETURNING 1",
                (mailbox, most),
            )
        )

    def drain_of(self, reader: AccountId, most: int) -> int:
        """How many rows of a removed account about mailboxes of others were taken away, at most *most*."""
        done = 0
        for (mailbox,) in self._db.rows(
            "SELECT mailbox_id FROM reader INDEXED BY reader_by_account WHERE account_id = ?",
            (reader,),
        ):
            rows = self._db.rows(
                "DELETE FROM seen WHERE (mailbox_id, account_id, uid) IN (SELECT mailbox_id, account_id, uid FROM seen"
                " WHERE mailbox_id = ? AND account_id = ? LIMIT ?) RETURNING is_seen",
                (mailbox, reader, most - done),
            )
            done += len(rows)
            if done >= most:
                self._db.run(
                    "UPDATE reader SET seen = seen - ? WHERE mailbox_id = ? AND account_id = ?",
                    (sum(is_seen for (is_seen,) in rows), mailbox, reader),
                )
                return done
            self._db.run(
                "DELETE FROM reader WHERE mailbox_id = ? AND account_id = ?", (mailbox, reader)
            )
        return done
