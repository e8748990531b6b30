"""Purging: what deleted mailboxes, address books and accounts had goes in slices, so that nobody waits behind them.

A deleted mailbox has no name, a removed account no address: both are out of everybody's sight in the transaction that
deletes them.  Their messages, and the quota these took, go with the transactions that follow.
"""

from mailserver.base.ids import AccountId, MailboxId
from mailserver.store.annotations import Annotations
from mailserver.store.contacts import Contacts
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.messages import Messages
from mailserver.store.readers import Readers

SLICE = 500  #: messages purged in one job; about 10 ms of the write turn


class Purge:
    """Takes apart what was deleted."""

    __slots__ = ("_annotations", "_contacts", "_db", "_journal", "_messages", "_readers")

    def __init__(
        self,
        db: Database,
        journal: Journal,
        messages: Messages,
        annotations: Annotations,
        contacts: Contacts,
    ) -> None:
        self._db = db
        self._journal = journal
        self._messages = messages
        self._annotations = annotations
        self._contacts = contacts
        self._readers = Readers(db)

    def mailbox(self, account: AccountId, mailbox: MailboxId) -> None:
        """Takes the mailbox out of sight and begins to purge it."""
        self._db.run(
            "UPDATE mailbox SET name = NULL, special_use = NULL, messages = 0, unseen = 0, deleted = 0, size = 0,"
            " is_selectable = 0 WHERE id = ?",
            (mailbox,),
        )
        self._db.run("DELETE FROM acl WHERE mailbox_id = ?", (mailbox,))
        self._annotations.forget([mailbox])
        self._journal.mailboxes.add((account, mailbox))
        self._journal.has_purge = self.some()

    def account(self, account: AccountId) -> None:
        """Takes the account with its mailboxes out of sight and begins to purge it."""
        for (mailbox,) in self._db.rows(
            "UPDATE mailbox SET name = NULL, special_use = NULL, messages = 0, unseen = 0, deleted = 0, size = 0,"
            " is_selectable = 0 WHERE account_id = ? RETURNING id",
            (account,),
        ):
            self._db.run("DELETE FROM acl WHERE mailbox_id = ?", (mailbox,))
            self._journal.mailboxes.add((account, mailbox))
        self._db.run("DELETE FROM acl WHERE account_id = ?", (account,))
        self._db.run("DELETE FROM group_member WHERE account_id = ?", (account,))
        self._db.run("DELETE FROM forward WHERE account_id = ?", (account,))
        self._db.run("DELETE FROM send_as WHERE account_id = ?", (account,))
        self._db.run("DELETE FROM script WHERE account_id = ?", (account,))
        self._db.run("DELETE FROM list WHERE account_id = ?", (account,))
        self._contacts.forget(account)
        self._db.run(
            "UPDATE account SET domain_id = NULL, localpart = NULL, is_active = 0 WHERE id = ?",
            (account,),
        )
        self._journal.has_purge = self.some()

    def is_needed(self) -> bool:
        """Something deleted is still there."""
        return bool(
            self._db.rows(
                "SELECT 1 FROM mailbox INDEXED BY mailbox_deleted WHERE name IS NULL LIMIT 1"
            )
            or self._db.rows(
                "SELECT 1 FROM account INDEXED BY account_removed WHERE domain_id IS NULL LIMIT 1"
            )
            or self._contacts.has_removed()
        )

    def some(self, most: int = SLICE) -> bool:
        """Purges about *most* messages or tombstones; whether there is more to do."""
        for mailbox, account in self._db.rows(
            "SELECT id, account_id FROM mailbox INDEXED BY mailbox_deleted WHERE name IS NULL ORDER BY id LIMIT ?",
            (most,),
        ):
            most -= self._messages.drain(account, mailbox, most)
            if most > 0:
                most -= self._readers.drain(mailbox, most)
            if most <= 0:
                return True
            self._annotations.forget([mailbox])  # an account's that was removed
            self._db.run("DELETE FROM mailbox WHERE id = ?", (mailbox,))
            most -= 1
        most -= self._contacts.drain(most)
        if most <= 0:
            return True
        for (account,) in self._db.rows(
            "SELECT id FROM account INDEXED BY account_removed WHERE domain_id IS NULL ORDER BY id"
        ):
            most -= self._forget(account, most)
            if most <= 0:
                return True
            self._db.run("DELETE FROM queued_count WHERE account_id = ?", (account,))
            self._db.run("DELETE FROM account WHERE id = ?", (account,))
            most -= 1
        return False

    def _forget(self, account: AccountId, most: int) -> int:
        """How many rows of a removed account were taken away, at most *most*, and links to it loosened.

        Mail that it sent stays in the queue, as nobody's: it was accepted.
        """
        loosened = self._db.rows(
            "UPDATE queued SET account_id = NULL WHERE id IN"
            " (SELECT id FROM queued WHERE account_id = ? LIMIT ?) RETURNING 1",
            (account, most),
        )
        most -= len(loosened)
        read = self._readers.drain_of(account, most) if most > 0 else 0
        forgotten = self._db.rows(
            "DELETE FROM message_gone WHERE account_id = ?1 AND (modseq, message_id) IN (SELECT modseq, message_id"
            " FROM message_gone WHERE account_id = ?1 ORDER BY modseq, message_id LIMIT ?2) RETURNING 1",
            (account, max(most - read, 0)),
        )
        most -= read + len(forgotten)
        moved = self._db.rows(
            "DELETE FROM moved WHERE (place_id, key) IN (SELECT m.place_id, m.key FROM moved_place p"
            " JOIN moved m ON m.place_id = p.id WHERE p.account_id = ? LIMIT ?) RETURNING 1",
            (account, max(most, 0)),
        )
        return len(loosened) + read + len(forgotten) + len(moved)
