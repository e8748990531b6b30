"""Access control lists: what others than the owner may do with a mailbox.

What a list amounts to for somebody is worked out in `directory.rights`; here are its rows.

Spec: RFC 4314 §2, §4.  Status: complete.
"""

from collections.abc import Iterator
from itertools import groupby

from mailserver.base.errors import LimitReached
from mailserver.base.ids import AccountId, MailboxId
from mailserver.base.limits import ImapLimits
from mailserver.store.database import Database, Row
from mailserver.store.journal import Journal
from mailserver.store.mailboxes import COLUMNS, mailbox_of
from mailserver.store.values import AclEntry, Grantee, SharedWith

#: the rows that apply to account ?1, in any mailbox of others; anyone: all accounts of the owner's domain
_APPLYING = """
  SELECT acl.mailbox_id, acl.rights, acl.is_negative FROM acl WHERE acl.account_id = ?1
  UNION ALL
  SELECT acl.mailbox_id, acl.rights, acl.is_negative FROM group_member g JOIN acl ON acl.group_id = g.group_id
   WHERE g.account_id = ?1
  UNION ALL
  SELECT acl.mailbox_id, acl.rights, acl.is_negative FROM acl INDEXED BY acl_anyone
    JOIN mailbox m ON m.id = acl.mailbox_id JOIN account o ON o.id = m.account_id
   WHERE acl.account_id IS NULL AND acl.group_id IS NULL
     AND o.domain_id = (SELECT domain_id FROM account WHERE id = ?1)
"""

_MAILBOX = ", ".join(f"m.{column}" for column in COLUMNS)


def _same(row: Row) -> Row:
    return row[:-2]


class Acl:
    """The lists of all mailboxes.  The owner has all rights and is on none."""

    __slots__ = ("_db", "_journal", "_limits")

    def __init__(self, db: Database, journal: Journal, limits: ImapLimits) -> None:
        self._db = db
        self._journal = journal
        self._limits = limits

    def entries(self, mailbox: MailboxId) -> list[AclEntry]:
        """The list of *mailbox*: accounts first, then groups, then anyone; what is taken away behind what is given."""
        return [
            AclEntry(Grantee(account, group), address or "", rights, bool(is_negative))
            for account, group, address, rights, is_negative in self._db.rows(
                "SELECT c.account_id, c.group_id, coalesce(a.localpart || '@' || ad.name, g.name || '@' || gd.name),"
                " c.rights, c.is_negative FROM acl c"
                " LEFT JOIN account a ON a.id = c.account_id LEFT JOIN domain ad ON ad.id = a.domain_id"
                " LEFT JOIN account_group g ON g.id = c.group_id LEFT JOIN domain gd ON gd.id = g.domain_id"
                " WHERE c.mailbox_id = ?"
                " ORDER BY c.account_id IS NULL, c.group_id IS NULL, 3, c.is_negative",
                (mailbox,),
            )
        ]

    def of(self, mailbox: MailboxId, account: AccountId) -> list[tuple[str, bool]]:
        """(rights, whether they are taken away) of each entry of *mailbox* that applies to *account*."""
        return [
            (rights, bool(is_negative))
            for rights, is_negative in self._db.rows(
                "SELECT rights, is_negative FROM acl WHERE mailbox_id = ?2 AND (account_id = ?1 OR group_id IN"
                " (SELECT group_id FROM group_member WHERE account_id = ?1) OR (account_id IS NULL AND group_id IS NULL"
                " AND (SELECT domain_id FROM account WHERE id = ?1) = (SELECT o.domain_id FROM mailbox m"
                " JOIN account o ON o.id = m.account_id WHERE m.id = ?2)))",
                (account, mailbox),
            )
        ]

    def for_anyone(self, mailbox: MailboxId) -> list[tuple[str, bool]]:
        """(rights, whether they are taken away) of the entries of *mailbox* for anyone."""
        return [
            (rights, bool(is_negative))
            for rights, is_negative in self._db.rows(
                "SELECT rights, is_negative FROM acl WHERE mailbox_id = ? AND account_id IS NULL AND group_id IS NULL",
                (mailbox,),
            )
        ]

    def shared_with(self, account: AccountId) -> Iterator[SharedWith]:
        r"""The mailboxes of others with an entry that applies to *account*, by owner and name, \Noselect ones too."""
        rows = self._db.rows(
            f"SELECT {_MAILBOX}, o.localpart, d.name, o.is_shared, coalesce(r.seen, 0), e.rights, e.is_negative"
            f" FROM ({_APPLYING}) e JOIN mailbox m ON m.id = e.mailbox_id JOIN account o ON o.id = m.account_id"
            f" JOIN domain d ON d.id = o.domain_id"
            f" LEFT JOIN reader r ON r.mailbox_id = m.id AND r.account_id = ?1"
            f" WHERE m.name IS NOT NULL AND m.account_id <> ?1 ORDER BY d.name, o.localpart, m.name, m.id",
            (account,),
        )
        for (*columns, localpart, domain, is_shared, seen), found in groupby(rows, _same):
            mailbox = mailbox_of(columns)
            yield SharedWith(
                mailbox._replace(unseen=mailbox.exists - seen),
                localpart,
                domain,
                bool(is_shared),
                tuple((row[-2], bool(row[-1])) for row in found),
            )

    def mailboxes(self, owner: AccountId | None = None) -> list[MailboxId]:
        """The mailboxes that have a list, of *owner* or of all."""
        rows = (
            self._db.rows("SELECT DISTINCT mailbox_id FROM acl")
            if owner is None
            else self._db.rows(
                "SELECT id FROM mailbox m WHERE account_id = ? AND name IS NOT NULL"
                " AND EXISTS (SELECT 1 FROM acl WHERE mailbox_id = m.id)",
                (owner,),
            )
        )
        return [mailbox for (mailbox,) in rows]

    def set(
        self, owner: AccountId, mailbox: MailboxId, to: Grantee, rights: str, *, is_negative: bool
    ) -> None:
        """The entry for *to* is *rights* from now on; raises LimitReached for a list that is too long."""
        ((count,),) = self._db.rows("SELECT count(*) FROM acl WHERE mailbox_id = ?", (mailbox,))
        self.remove(owner, mailbox, to, is_negative=is_negative)
        ((left,),) = self._db.rows("SELECT count(*) FROM acl WHERE mailbox_id = ?", (mailbox,))
        if left == count and count >= self._limits.acl_entries:
            raise LimitReached(
                f"A mailbox is shared by at most {self._limits.acl_entries} entries."
            )
        self._db.run(
            "INSERT INTO acl (mailbox_id, account_id, group_id, is_negative, rights) VALUES (?, ?, ?, ?, ?)",
            (mailbox, to.account, to.group, is_negative, rights),
        )

    def remove(
        self, owner: AccountId, mailbox: MailboxId, to: Grantee, *, is_negative: bool
    ) -> None:
        """Takes the entry for *to* away, if there is one (RFC 4314 §3.2)."""
        self._db.run(
            "DELETE FROM acl WHERE mailbox_id = ? AND account_id IS ? AND group_id IS ? AND is_negative = ?",
            (mailbox, to.account, to.group, is_negative),
        )
        self._journal.mailboxes.add((owner, mailbox))  # whoever has it open looks again
        if to.account is not None:  # and who can see it now, or no longer (RFC 5465 §5.4)
            self._journal.accounts.add(to.account)
        else:
            self._journal.directory = True

    def rights_in(self, mailbox: MailboxId, to: Grantee, *, is_negative: bool) -> str:
        """The rights of the entry for *to*; "" for none."""
        rows = self._db.rows(
            "SELECT rights FROM acl WHERE mailbox_id = ? AND account_id IS ? AND group_id IS ? AND is_negative = ?",
            (mailbox, to.account, to.group, is_negative),
        )
        return str(rows[0][0]) if rows else ""
