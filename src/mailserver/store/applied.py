"""Scripts that were applied to mail that was there already, and what each did to which message.

Spec: none.  Status: complete.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId, MailboxId, MessageId, Uid
from mailserver.store.database import Database
from mailserver.store.journal import Journal


class Application(NamedTuple):
    """undone_at: None while some of it holds.      messages: for which it holds."""

    id: int
    account: AccountId
    mailbox: MailboxId
    script: str
    applied_at: int
    undone_at: int | None
    messages: int


class AppliedMessage(NamedTuple):
    """One message that was moved, copied or marked.

    uid:    the one it had.      has_left: it is no longer there.
    flags, keywords: those it got.      places: where it was put.
    """

    uid: Uid
    message: MessageId
    has_left: bool
    flags: int
    keywords: tuple[str, ...]
    places: tuple[tuple[MailboxId, Uid], ...]


class Applied:
    """All of them."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    def begin(self, account: AccountId, mailbox: MailboxId, script: str) -> int:
        """The number of a new one."""
        rows = self._db.rows(
            "INSERT INTO applied (account_id, mailbox_id, script, applied_at) VALUES (?, ?, ?, ?) RETURNING id",
            (account, mailbox, script, self._journal.now),
        )
        return int(rows[0][0])

    def note(self, id: int, messages: Iterable[AppliedMessage]) -> None:
        """What was done to these."""
        self._db.run_many(
            "INSERT INTO applied_message (applied_id, uid, message_id, has_left, flags, keywords, places)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    id,
                    m.uid,
                    m.message,
                    m.has_left,
                    m.flags,
                    " ".join(m.keywords),
                    json.dumps(m.places),
                )
                for m in messages
            ],
        )

    def get(self, id: int) -> Application:
        """Raises NotFound."""
        rows = self._db.rows(f"{_SELECT} WHERE id = ?", (id,))
        if not rows:
            raise NotFound(f"Nothing was applied under the number {id}, or it is too long ago.")
        return Application._make(rows[0])

    def of(self, account: AccountId) -> list[Application]:
        """Those of *account*, the newest first."""
        rows = self._db.rows(f"{_SELECT} WHERE account_id = ? ORDER BY id DESC", (account,))
        return [Application._make(row) for row in rows]

    def messages(self, id: int, above: int, most: int) -> list[AppliedMessage]:
        """At most *most* of those for which it holds, with UIDs above *above*, ascending."""
        rows = self._db.rows(
            "SELECT uid, message_id, has_left, flags, keywords, places FROM applied_message"
            " WHERE applied_id = ? AND uid > ? ORDER BY uid LIMIT ?",
            (id, above, most),
        )
        return [
            AppliedMessage(
                Uid(uid),
                MessageId(message),
                bool(has_left),
                flags,
                tuple(keywords.split()),
                tuple((MailboxId(box), Uid(at)) for box, at in json.loads(places)),
            )
            for uid, message, has_left, flags, keywords, places in rows
        ]

    def undone(self, id: int, uids: Sequence[Uid]) -> None:
        """It does not hold for these any more; nor at all, once none is left."""
        self._db.run_many(
            "DELETE FROM applied_message WHERE applied_id = ? AND uid = ?",
            [(id, uid) for uid in uids],
        )
        self._db.run(
            "UPDATE applied SET undone_at = ?1 WHERE id = ?2"
            " AND NOT EXISTS (SELECT 1 FROM applied_message WHERE applied_id = ?2)",
            (self._journal.now, id),
        )

    def forget(self, account: AccountId, before: int) -> None:
        """What was applied before that time cannot be undone any more."""
        self._db.run(
            "DELETE FROM applied WHERE account_id = ? AND applied_at < ?", (account, before)
        )


_SELECT = (
    "SELECT id, account_id, mailbox_id, script, applied_at, undone_at,"
    " (SELECT count(*) FROM applied_message WHERE applied_id = id) FROM applied"
)
