"""Annotations: short texts that programs keep with a mailbox, or with the server, for one account or for all.

Spec: RFC 5464 §3, §4.1.  Status: complete.

An entry belongs to the account that it counts for: what is /private to who set it, what is /shared to the owner of the
mailbox.  What was removed leaves its name, so that others can be told; the oldest of these names make room for others.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import apsw

from mailserver.base.errors import LimitReached, OverQuota
from mailserver.base.ids import AccountId, MailboxId, ModSeq
from mailserver.base.limits import ImapLimits
from mailserver.store.database import Database
from mailserver.store.journal import Journal

SERVER = MailboxId(0)  #: what annotations of the server belong to, instead of a mailbox
PRIVATE, SHARED = "/private/", "/shared/"  #: how entries begin


class Changed(NamedTuple):
    """An annotation that was set or removed."""

    mailbox: MailboxId
    entry: str
    modseq: ModSeq


class Annotations:
    """The annotations of all mailboxes and of the server; entries are in lower case."""

    __slots__ = ("_db", "_journal", "_limits")

    def __init__(self, db: Database, journal: Journal, limits: ImapLimits) -> None:
        self._db = db
        self._journal = journal
        self._limits = limits

    def below(
        self, account: AccountId, mailbox: MailboxId, entry: str, depth: int | None
    ) -> dict[str, bytes]:
        """Value by entry: *entry* itself, and what is at most *depth* levels below it; None: everything below."""
        rows = self._db.rows(
            "SELECT entry, value FROM annotation WHERE account_id = ?1 AND mailbox_id = ?2 AND value IS NOT NULL"
            " AND (entry = ?3 OR (?4 AND entry > ?3 || '/' AND entry < ?3 || '0')) ORDER BY entry",
            (account, mailbox, entry, depth != 0),
        )
        level = entry.count("/")
        return {
            name: value
            for name, value in rows
            if depth is None or name.count("/") - level <= depth or name == entry
        }

    def everywhere(
        self, account: AccountId, entries: Sequence[str]
    ) -> Mapping[tuple[MailboxId, str], bytes]:
        """The values of *entries* in all mailboxes, as far as they belong to *account*."""
        if not entries:
            return {}
        return {
            (mailbox, entry): value
            for mailbox, entry, value in self._db.each(
                "SELECT mailbox_id, entry, value FROM annotation WHERE account_id = ? AND value IS NOT NULL"
                " AND entry IN carray(?)",
                (account, apsw.carray(tuple(entries))),
            )
        }

    def set(
        self,
        account: AccountId,
        mailbox: MailboxId,
        values: Mapping[str, bytes | None],
        *,
        owner: AccountId | None = None,
    ) -> None:
        """Sets the entries, or removes those whose value is None; all of them or, where this raises, none.

        owner: of the mailbox, whose watchers hear of it.
        Raises LimitReached for too many entries in a place, OverQuota for too many octets of an account.
        """
        modseq = self._journal.modseq(self._db, account)
        for entry, value in values.items():
            if value is None:
                self._db.run(
                    "UPDATE annotation SET value = NULL, modseq = ? WHERE account_id = ? AND mailbox_id = ?"
                    " AND entry = ? AND value IS NOT NULL",
                    (modseq, account, mailbox, entry),
                )
            else:
                self._db.run(
                    "INSERT INTO annotation (account_id, mailbox_id, entry, value, modseq) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET value = excluded.value, modseq = excluded.modseq",
                    (account, mailbox, entry, value, modseq),
                )
        self._check(account, mailbox)
        if mailbox != SERVER:
            theirs = owner if owner is not None else account
            self._db.run(  # RFC 7162 §3.2
                "UPDATE mailbox SET modseq = ? WHERE id = ?",
                (self._journal.modseq(self._db, theirs), mailbox),
            )
            self._journal.mailboxes.add((theirs, mailbox))

    def copy(self, account: AccountId, source: MailboxId, target: MailboxId) -> None:
        """Gives *target* what *source* has of *account*; raises OverQuota (RFC 5464 §4.1, for a renamed INBOX)."""
        modseq = self._journal.modseq(self._db, account)
        self._db.run(
            "INSERT INTO annotation (account_id, mailbox_id, entry, value, modseq)"
            " SELECT account_id, ?, entry, value, ? FROM annotation"
            " WHERE account_id = ? AND mailbox_id = ? AND value IS NOT NULL",
            (target, modseq, account, source),
        )
        self._check(account, target)

    def changed(self, account: AccountId, since: ModSeq) -> list[Changed]:
        """What of *account* was set or removed after *since*, the oldest first."""
        return [
            Changed(*row)
            for row in self._db.rows(
                "SELECT mailbox_id, entry, modseq FROM annotation WHERE account_id = ? AND modseq > ? ORDER BY modseq",
                (account, since),
            )
        ]

    def forget(self, mailboxes: Iterable[MailboxId]) -> None:
        """Removes all that was said of *mailboxes*, by anybody; they are gone."""
        for mailbox in mailboxes:
            self._db.run("DELETE FROM annotation WHERE mailbox_id = ?", (mailbox,))

    def _check(self, account: AccountId, mailbox: MailboxId) -> None:
        limits = self._limits
        ((count, removed),) = self._db.rows(
            "SELECT count(value), count(*) - count(value) FROM annotation WHERE account_id = ? AND mailbox_id = ?",
            (account, mailbox),
        )
        if count > limits.annotations:
            raise LimitReached(f"At most {limits.annotations} annotations of a mailbox.")
        if removed > limits.annotations:
            self._db.run(
                "DELETE FROM annotation WHERE rowid IN (SELECT rowid FROM annotation WHERE account_id = ?"
                " AND mailbox_id = ? AND value IS NULL ORDER BY modseq LIMIT ?)",
                (account, mailbox, removed - limits.annotations),
            )
        ((octets,),) = self._db.rows(
            "SELECT coalesce(sum(length(entry) + length(value)), 0) FROM annotation"
            " WHERE account_id = ? AND value IS NOT NULL",
            (account,),
        )
        if octets > limits.annotations_size:
            raise OverQuota(f"At most {limits.annotations_size} octets of annotations in all.")
