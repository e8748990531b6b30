"""What is brought here from elsewhere: what has come already, and where UIDs may stay what they were.

Spec: RFC 9051 §2.3.1.1.  Status: complete.
"""

from collections.abc import Iterable
from typing import NamedTuple, NewType

from mailserver.base.ids import AccountId, MailboxId, Uid, UidValidity
from mailserver.store.database import Database
from mailserver.store.journal import Journal

PlaceId = NewType("PlaceId", int)


class Place(NamedTuple):
    """A folder elsewhere, as long as its UIDVALIDITY is this one (0: it has none)."""

    source: str
    folder: str
    validity: int


class Moved:
    """What was brought is noted in the transaction that files it, so it is there once, whatever breaks off."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def done(self, account: AccountId, place: Place) -> set[int]:
        """The keys of what has come from *place*."""
        return {
            key
            for (key,) in self._db.each(
                "SELECT key FROM moved WHERE place_id ="
                " (SELECT id FROM moved_place WHERE account_id = ? AND source = ? AND folder = ? AND validity = ?)",
                (account, *place),
            )
        }

    def was_otherwise(self, account: AccountId, place: Place) -> bool:
        """Whether something came from this folder while it had another UIDVALIDITY."""
        return bool(
            self._db.rows(
                "SELECT 1 FROM moved_place WHERE account_id = ? AND source = ? AND folder = ? AND validity <> ?"
                " LIMIT 1",
                (account, *place),
            )
        )

    def note(self, account: AccountId, place: Place, keys: Iterable[int]) -> None:
        """Note that these have come."""
        self._db.run(
            "INSERT OR IGNORE INTO moved_place (account_id, source, folder, validity) VALUES (?, ?, ?, ?)",
            (account, *place),
        )
        ((place_id,),) = self._db.rows(
            "SELECT id FROM moved_place WHERE account_id = ? AND source = ? AND folder = ? AND validity = ?",
            (account, *place),
        )
        self._db.run_many(
            "INSERT OR IGNORE INTO moved (place_id, key) VALUES (?, ?)",
            [(place_id, key) for key in keys],
        )

    def holds(self, mailbox: MailboxId, sha256: bytes) -> bool:
        """Whether a message with these very octets is in *mailbox*."""
        return bool(
            self._db.rows(
                "SELECT 1 FROM blob b JOIN message m ON m.blob_id = b.id JOIN placement p ON p.message_id = m.id"
                " WHERE b.sha256 = ? AND p.mailbox_id = ? LIMIT 1",
                (sha256, mailbox),
            )
        )

    def is_at(self, mailbox: MailboxId, uid: Uid, sha256: bytes) -> bool:
        """Whether the message with this UID has these very octets."""
        return bool(
            self._db.rows(
                "SELECT 1 FROM placement p JOIN message m ON m.id = p.message_id JOIN blob b ON b.id = m.blob_id"
                " WHERE p.mailbox_id = ? AND p.uid = ? AND b.sha256 = ?",
                (mailbox, uid, sha256),
            )
        )

    def adopt(self, mailbox: MailboxId, validity: UidValidity) -> bool:
        """Whether *mailbox* has this UIDVALIDITY now.

        It takes it where it never had a message and no mailbox of its name had this value or a later one: what a client
        knows by (UIDVALIDITY, UID) is never something else.
        """
        rows = self._db.rows(
            "SELECT account_id, uidvalidity, uidnext, coalesce((SELECT max(uidvalidity) FROM mailbox_gone g"
            " WHERE g.account_id = m.account_id AND g.name = m.name), 0) FROM mailbox m WHERE id = ?",
            (mailbox,),
        )
        if not rows:
            return False
        ((account, own, uidnext, past),) = rows
        if own == validity:
            return True
        if uidnext != 1 or validity <= past or not 0 < validity <= 0xFFFF_FFFF:
            return False
        modseq = self._journal.modseq(self._db, account)
        self._db.run(
            "UPDATE mailbox SET uidvalidity = ?, modseq = ?, modified_modseq = ? WHERE id = ?",
            (validity, modseq, modseq, mailbox),
        )
        self._db.run(
            "UPDATE account SET last_uidvalidity = max(last_uidvalidity, ?) WHERE id = ?",
            (validity, account),
        )
        self._journal.mailboxes.add((account, mailbox))
        return True

    def skip_to(self, mailbox: MailboxId, uid: Uid) -> None:
        """The next message in *mailbox* has this UID, or a higher one if that was given already."""
        self._db.run(
            "UPDATE mailbox SET uidnext = ?1 WHERE id = ?2 AND uidnext < ?1 AND ?1 <= 4294967295",
            (uid, mailbox),
        )
