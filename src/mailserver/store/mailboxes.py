r"""Mailboxes: a tree of names, each with its counters.

Spec: RFC 9051 §2.3.1.1, §6.3.4-§6.3.8; RFC 6154 §2.  Status: complete.
"""

from collections.abc import Sequence
from typing import Any

from mailserver.base.errors import (
    AlreadyExists,
    Cannot,
    HasChildren,
    LimitReached,
    NoTarget,
    NotFound,
    OverQuota,
)
from mailserver.base.ids import AccountId, MailboxId, Uid, UidValidity
from mailserver.base.limits import ImapLimits
from mailserver.store.annotations import Annotations
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.messages import Messages
from mailserver.store.names import INBOX, SEPARATOR, canonical, check, check_own, parents
from mailserver.store.purge import Purge
from mailserver.store.values import Mailbox

#: what a Mailbox is made of, in its order
COLUMNS = (
    "id",
    "account_id",
    "name",
    "special_use",
    "is_selectable",
    "uidvalidity",
    "uidnext",
    "recent_from",
    "modseq",
    "messages",
    "unseen",
    "deleted",
    "size",
)
_COLUMNS = ", ".join(COLUMNS)


class Mailboxes:
    """The mailboxes of each account.

    An account's UIDVALIDITY values only grow, so a name that comes back never repeats one (RFC 9051 §2.3.1.1).
    """

    __slots__ = ("_annotations", "_db", "_journal", "_limits", "_messages", "_purge")

    def __init__(
        self,
        db: Database,
        journal: Journal,
        messages: Messages,
        annotations: Annotations,
        purge: Purge,
        limits: ImapLimits,
    ) -> None:
        self._db = db
        self._journal = journal
        self._messages = messages
        self._annotations = annotations
        self._purge = purge
        self._limits = limits

    def all(self, account: AccountId) -> list[Mailbox]:
        r"""All names of *account*, the \Noselect ones too, sorted by name."""
        return [
            mailbox_of(row)
            for row in self._db.each(
                f"SELECT {_COLUMNS} FROM mailbox WHERE account_id = ? AND name IS NOT NULL ORDER BY name",
                (account,),
            )
        ]

    def count(self, account: AccountId) -> int:
        r"""How many names the account has, \Noselect ones too."""
        ((count,),) = self._db.rows(
            "SELECT count(*) FROM mailbox WHERE account_id = ? AND name IS NOT NULL", (account,)
        )
        return int(count)

    def find(self, account: AccountId, name: str) -> Mailbox | None:
        r"""The mailbox of this name, \Noselect or not."""
        rows = self._db.rows(
            f"SELECT {_COLUMNS} FROM mailbox WHERE account_id = ? AND name = ?",
            (account, canonical(name)),
        )
        return mailbox_of(rows[0]) if rows else None

    def get(self, account: AccountId, name: str) -> Mailbox:
        r"""The mailbox of this name; raises NotFound, also for a \Noselect name."""
        found = self.find(account, name)
        if found is None or not found.is_selectable:
            raise NotFound("No such mailbox.")
        return found

    def target(self, account: AccountId, name: str) -> Mailbox:
        """The mailbox to put messages into; raises NoTarget."""
        found = self.find(account, name)
        if found is None or not found.is_selectable:
            raise NoTarget("No such mailbox.")
        return found

    def special(self, account: AccountId, use: str) -> Mailbox | None:
        r"""The account's mailbox with this special use, e.g. "\\Sent"."""
        rows = self._db.rows(
            f"SELECT {_COLUMNS} FROM mailbox WHERE account_id = ? AND special_use = ? ORDER BY id",
            (account, use),
        )
        return mailbox_of(rows[0]) if rows else None

    def by_id(self, mailbox: MailboxId) -> Mailbox | None:
        """The mailbox, None once it is deleted."""
        rows = self._db.rows(
            f"SELECT {_COLUMNS} FROM mailbox WHERE id = ? AND name IS NOT NULL", (mailbox,)
        )
        return mailbox_of(rows[0]) if rows else None

    def claim_recent(self, mailbox: MailboxId) -> tuple[Uid, Uid]:
        r"""[from, to) of the UIDs that are \Recent for the one session that asks now; nobody gets them again.

        RFC 3501 §2.3.2.  Raises NotFound.
        """
        found = self.by_id(mailbox)
        if found is None:
            raise NotFound("The mailbox is gone.")
        if found.recent_from != found.uidnext:
            self._db.run("UPDATE mailbox SET recent_from = uidnext WHERE id = ?", (mailbox,))
        return found.recent_from, found.uidnext

    def create(self, account: AccountId, name: str, special_use: str | None = None) -> Mailbox:
        r"""The new mailbox; missing superior names are made as mailboxes too (RFC 9051 §6.3.4).

        A \Noselect name becomes a mailbox again.  Raises AlreadyExists, Cannot, LimitReached, OverQuota, NotFound.
        """
        name = canonical(name.removesuffix(SEPARATOR))
        check_own(name, self._limits)
        found = self.find(account, name)
        if found is not None:
            if found.is_selectable:
                raise AlreadyExists("There is a mailbox of this name already.")
            return self._revive(found, special_use)
        missing = [p for p in parents(name) if self.find(account, p) is None]
        self._make_room(account, len(missing) + 1)
        for parent in missing:
            self._insert(account, parent, None)
        return self._insert(account, name, special_use)

    def delete(self, account: AccountId, name: str) -> None:
        r"""Deletes the mailbox with its messages (RFC 9051 §6.3.5).

        With inferior names it stays as a \Noselect name.  Raises NotFound; Cannot for INBOX; HasChildren for a
        \Noselect name that has inferior ones.
        """
        name = canonical(name)
        if name == INBOX:
            raise Cannot("INBOX cannot be deleted.")
        found = self.find(account, name)
        if found is None:
            raise NotFound("No such mailbox.")
        has_inferiors = bool(self._inferiors(account, name, most=1))
        if has_inferiors and not found.is_selectable:
            raise HasChildren("The name has inferior names.")
        self._note_gone(found)
        self._purge.mailbox(account, found.id)
        if has_inferiors:
            left = self._insert(account, name, None)
            self._db.run("DELETE FROM acl WHERE mailbox_id = ?", (left.id,))  # RFC 4314 §4, DELETE
            self._db.run("UPDATE mailbox SET is_selectable = 0 WHERE id = ?", (left.id,))

    def rename(self, account: AccountId, old: str, new: str) -> Mailbox:
        """The mailbox under its new name, its inferiors with it (RFC 9051 §6.3.6).

        INBOX stays: its messages move to a new mailbox *new*, its inferiors stay where they are.
        Raises NotFound, AlreadyExists, Cannot, LimitReached, OverQuota.
        """
        old, new = canonical(old), canonical(new.removesuffix(SEPARATOR))
        check_own(new, self._limits)
        found = self.find(account, old)
        if found is None:
            raise NotFound("No such mailbox.")
        if self.find(account, new) is not None:
            raise AlreadyExists("There is a mailbox of this name already.")
        if old == INBOX:
            made = self.create(account, new)
            self._messages.move(found.id, [Uid(u) for u in self._messages.uids(found.id)], made.id)
            self._annotations.copy(account, found.id, made.id)
            return self._again(made.id)
        if new.startswith(old + SEPARATOR):
            raise Cannot("A mailbox cannot become its own inferior.")
        tree = [found, *self._inferiors(account, old)]
        for mailbox in tree:
            check(new + mailbox.name[len(old) :], self._limits)
        missing = [p for p in parents(new) if self.find(account, p) is None]
        self._make_room(account, len(missing))
        for parent in missing:
            self._insert(account, parent, None)
        modseq = self._journal.modseq(self._db, account)
        for mailbox in tree:
            name = new + mailbox.name[len(old) :]
            self._note_gone(mailbox)
            self._db.run(
                "UPDATE mailbox SET name = ?, uidvalidity = ?, modified_modseq = ? WHERE id = ?",
                (name, self._validity_under(mailbox, name), modseq, mailbox.id),
            )
            self._journal.mailboxes.add((account, mailbox.id))
        return self._again(found.id)

    def assign(self, mailbox: MailboxId, use: str | None) -> None:
        """Gives the mailbox the special *use*, which the account's other mailboxes lose; None: takes its own away.

        RFC 6154 §4.  Raises NotFound.
        """
        found = self._again(mailbox)
        if found.special_use == use:
            return
        modseq = self._journal.modseq(self._db, found.account)
        holder = self.special(found.account, use) if use is not None else None
        for changed, value in ((holder, None), (found, use)):
            if changed is not None:
                self._db.run(
                    "UPDATE mailbox SET special_use = ?, modified_modseq = ? WHERE id = ?",
                    (value, modseq, changed.id),
                )
                self._journal.mailboxes.add((found.account, changed.id))

    def subscriptions(self, account: AccountId) -> list[str]:
        """The subscribed names, sorted; a mailbox of that name need not exist (RFC 9051 §6.3.7)."""
        return [
            name
            for (name,) in self._db.each(
                "SELECT name FROM subscription WHERE account_id = ? AND name IS NOT NULL ORDER BY name",
                (account,),
            )
        ]

    def subscribe(self, account: AccountId, name: str) -> None:
        """Adds the name to the subscribed ones; raises Cannot, LimitReached."""
        name = canonical(name)
        check(name, self._limits)
        ((count,),) = self._db.rows(
            "SELECT count(*) FROM subscription WHERE account_id = ? AND name <> ?", (account, name)
        )
        if count >= 2 * self._limits.mailboxes:
            raise LimitReached("There are too many subscriptions.")
        self._db.run(
            "INSERT OR IGNORE INTO subscription (account_id, name) VALUES (?, ?)", (account, name)
        )
        self._journal.modseq(self._db, account)

    def unsubscribe(self, account: AccountId, name: str) -> None:
        """Takes the name from the subscribed ones; raises NotFound if it was none of them."""
        if not self._db.rows(
            "DELETE FROM subscription WHERE account_id = ? AND name = ? RETURNING name",
            (account, canonical(name)),
        ):
            raise NotFound("The name was not subscribed.")
        self._journal.modseq(self._db, account)

    def _insert(self, account: AccountId, name: str, special_use: str | None) -> Mailbox:
        modseq = self._journal.modseq(self._db, account)
        ((mailbox,),) = self._db.rows(
            "INSERT INTO mailbox (account_id, name, special_use, uidvalidity, modseq, created_modseq, modified_modseq)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (account, name, special_use, self._next_validity(account), modseq, modseq, modseq),
        )
        if SEPARATOR in name:  # who may do what above may do it here (RFC 4314 §4, CREATE)
            self._db.run(
                "INSERT INTO acl (mailbox_id, account_id, group_id, is_negative, rights)"
                " SELECT ?, account_id, group_id, is_negative, rights FROM acl WHERE mailbox_id ="
                " (SELECT id FROM mailbox WHERE account_id = ? AND name = ?)",
                (mailbox, account, parents(name)[-1]),
            )
        self._journal.mailboxes.add((account, mailbox))
        return self._again(mailbox)

    def _revive(self, found: Mailbox, special_use: str | None) -> Mailbox:
        modseq = self._journal.modseq(self._db, found.account)
        self._db.run(
            "UPDATE mailbox SET is_selectable = 1, special_use = ?, uidvalidity = ?, uidnext = 1, recent_from = 1,"
            " modseq = ?, modified_modseq = ? WHERE id = ?",
            (special_use, self._next_validity(found.account), modseq, modseq, found.id),
        )
        self._journal.mailboxes.add((found.account, found.id))
        return self._again(found.id)

    def _next_validity(self, account: AccountId) -> UidValidity:
        """Larger than any the account ever had; not below the time, so that even a restored backup repeats none."""
        ((validity,),) = self._db.rows(
            "UPDATE account SET last_uidvalidity = max(last_uidvalidity + 1, ?) WHERE id = ?"
            " RETURNING last_uidvalidity",
            (self._journal.now, account),
        )
        return UidValidity(validity)

    def _validity_under(self, mailbox: Mailbox, name: str) -> UidValidity:
        """Its own, unless a mailbox that had *name* before it had a larger one."""
        ((past,),) = self._db.rows(
            "SELECT max(uidvalidity) FROM mailbox_gone WHERE account_id = ? AND name = ?",
            (mailbox.account, name),
        )
        if past is None or past < mailbox.uidvalidity:
            return mailbox.uidvalidity
        return self._next_validity(mailbox.account)

    def _note_gone(self, mailbox: Mailbox) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO mailbox_gone (account_id, modseq, mailbox_id, name, uidvalidity)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                mailbox.account,
                self._journal.modseq(self._db, mailbox.account),
                mailbox.id,
                mailbox.name,
                mailbox.uidvalidity,
            ),
        )
        self._journal.mailboxes.add((mailbox.account, mailbox.id))

    def _inferiors(self, account: AccountId, name: str, most: int = -1) -> list[Mailbox]:
        """All names below *name*: between "name/" and "name0", as "0" follows "/"."""
        return [
            mailbox_of(row)
            for row in self._db.each(
                f"SELECT {_COLUMNS} FROM mailbox WHERE account_id = ? AND name > ? AND name < ? ORDER BY name LIMIT ?",
                (account, name + SEPARATOR, name + chr(ord(SEPARATOR) + 1), most),
            )
        ]

    def _make_room(self, account: AccountId, more: int) -> None:
        """Raises LimitReached at the server's bound, OverQuota at the account's."""
        count = self.count(account) + more
        if count > self._limits.mailboxes:
            raise LimitReached(f"An account has at most {self._limits.mailboxes} mailboxes.")
        for (most,) in self._db.rows(
            "SELECT coalesce(a.max_mailboxes, d.max_mailboxes) FROM account a JOIN domain d ON d.id = a.domain_id"
            " WHERE a.id = ?",
            (account,),
        ):
            if most is not None and count > most:
                raise OverQuota(f"This account may have {most} mailboxes.")

    def _again(self, mailbox: MailboxId) -> Mailbox:
        found = self.by_id(mailbox)
        if found is None:
            raise NotFound("The mailbox is gone.")
        return found


def mailbox_of(row: Sequence[Any]) -> Mailbox:
    """From its COLUMNS."""
    return Mailbox._make((*row[:4], row[4] == 1, *row[5:]))
