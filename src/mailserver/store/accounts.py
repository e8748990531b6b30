"""Accounts: who has mailboxes, how much room, which password."""

from array import array
from collections.abc import Iterable, Sequence
from typing import TypedDict, Unpack

import apsw

from mailserver.base.errors import AlreadyExists, LimitReached, NotFound
from mailserver.base.ids import AccountId, DomainId, ModSeq
from mailserver.store.database import Database, Row
from mailserver.store.journal import Journal
from mailserver.store.mailboxes import Mailboxes
from mailserver.store.purge import Purge
from mailserver.store.values import Account, Credentials

#: made with every account, all subscribed (RFC 6154)
FIRST_MAILBOXES = (
    ("INBOX", None),
    ("Drafts", "\\Drafts"),
    ("Sent", "\\Sent"),
    ("Trash", "\\Trash"),
    ("Junk", "\\Junk"),
    ("Archive", "\\Archive"),
)

_SELECT = (
    "SELECT a.id, a.domain_id, a.localpart, d.name, a.name, coalesce(a.quota, d.quota), a.quota, a.used, a.messages,"
    " a.is_active, a.created_at, a.last_login_at, a.message_size, a.is_shared,"
    " coalesce(a.max_messages, d.max_messages), a.max_messages, coalesce(a.max_mailboxes, d.max_mailboxes),"
    " a.max_mailboxes, a.is_admin, a.time_zone FROM account a JOIN domain d ON d.id = a.domain_id"
)


class AccountFields(TypedDict, total=False):
    """What can be changed in an account."""

    password_hash: str
    name: str
    quota: int | None
    is_active: bool
    message_size: int | None
    max_messages: int | None
    max_mailboxes: int | None
    is_admin: bool
    time_zone: str | None


class Accounts:
    """All accounts, by localpart (normalised by the caller) and domain."""

    __slots__ = ("_db", "_journal", "_mailboxes", "_purge")

    def __init__(self, db: Database, journal: Journal, mailboxes: Mailboxes, purge: Purge) -> None:
        self._db = db
        self._journal = journal
        self._mailboxes = mailboxes
        self._purge = purge

    def by_address(self, localpart: str, domain: str) -> Account | None:
        """The account with exactly this address."""
        rows = self._db.rows(f"{_SELECT} WHERE d.name = ? AND a.localpart = ?", (domain, localpart))
        return _account(rows[0]) if rows else None

    def get(self, account: AccountId) -> Account:
        """The account; raises NotFound."""
        rows = self._db.rows(f"{_SELECT} WHERE a.id = ?", (account,))
        if not rows:
            raise NotFound("No such account.")
        return _account(rows[0])

    def list(
        self, domain: DomainId | None = None, *, after: AccountId | None = None, limit: int = 1000
    ) -> list[Account]:
        """At most *limit* accounts, of *domain* or of all, in the order of their ids, from the one after *after*."""
        rows = self._db.each(
            f"{_SELECT} WHERE a.id > ? AND a.domain_id = ? ORDER BY a.id LIMIT ?"
            if domain is not None
            else f"{_SELECT} WHERE a.id > ? ORDER BY a.id LIMIT ?",
            (after or 0, domain, limit) if domain is not None else (after or 0, limit),
        )
        return [_account(row) for row in rows]

    def modseqs(self, accounts: Iterable[AccountId]) -> dict[AccountId, ModSeq]:
        """The latest change of anything in each of *accounts* that is there."""
        return dict(
            self._db.rows(
                "SELECT id, modseq FROM account WHERE id IN carray(?)",
                (apsw.carray(array("q", accounts)),),
            )
        )

    def shared(self, domain: DomainId | None = None) -> Sequence[Account]:
        """The owners of shared mailboxes, of *domain* or of all, by domain and localpart."""
        where, values = ("", ()) if domain is None else (" AND a.domain_id = ?", (domain,))
        rows = self._db.rows(
            f"{_SELECT} WHERE a.is_shared = 1{where} ORDER BY d.name, a.localpart", values
        )
        return [_account(row) for row in rows]

    def credentials(self, localpart: str, domain: str) -> Credentials | None:
        """What a log-in with this address is checked against; None where nobody can log in with it."""
        account = self.by_address(localpart, domain)
        if account is None or account.is_shared:
            return None
        ((password_hash, is_active),) = self._db.rows(
            "SELECT a.password_hash, a.is_active AND d.is_active FROM account a JOIN domain d ON d.id = a.domain_id"
            " WHERE a.id = ?",
            (account.id,),
        )
        return Credentials(account, password_hash, bool(is_active))

    def add(
        self,
        domain: DomainId,
        localpart: str,
        password_hash: str,
        *,
        name: str = "",
        quota: int | None = None,
        is_shared: bool = False,
    ) -> Account:
        """The new account, with INBOX and the mailboxes of special use, all subscribed.

        is_shared: it is nobody's, and has INBOX alone, which is the shared mailbox.
        Raises AlreadyExists if an account or alias has the address, LimitReached at the domain's bound, NotFound.
        """
        rows = self._db.rows("SELECT name, max_accounts FROM domain WHERE id = ?", (domain,))
        if not rows:
            raise NotFound("No such domain.")
        ((domain_name, most),) = rows
        if most is not None:
            ((count,),) = self._db.rows(
                "SELECT count(*) FROM account WHERE domain_id = ?", (domain,)
            )
            if count >= most:
                raise LimitReached(f"{domain_name} may have {most} accounts.")
        if self._db.rows(
            "SELECT 1 FROM alias WHERE domain_id = ? AND localpart = ?", (domain, localpart)
        ):
            raise AlreadyExists(f"There is an alias {localpart}@{domain_name} already.")
        now = self._journal.now
        rows = self._db.rows(
            "INSERT INTO account (domain_id, localpart, password_hash, name, quota, created_at, last_uidvalidity,"
            " is_shared) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain_id, localpart) DO NOTHING RETURNING id",
            (domain, localpart, password_hash, name, quota, now, now, is_shared),
        )
        if not rows:
            raise AlreadyExists(f"There is an account {localpart}@{domain_name} already.")
        account = AccountId(rows[0][0])
        for mailbox, special_use in FIRST_MAILBOXES[:1] if is_shared else FIRST_MAILBOXES:
            self._mailboxes.create(account, mailbox, special_use)
            self._mailboxes.subscribe(account, mailbox)
        self._journal.directory = True
        return self.get(account)

    def set(self, account: AccountId, **fields: Unpack[AccountFields]) -> Account:
        """The account with *fields* changed; raises NotFound."""
        self.get(account)
        for field, value in fields.items():
            self._db.run(_SET[field], (value, account))
        if "password_hash" in fields:  # keys of the password that was
            self._db.run(
                "UPDATE scram SET stored_key = NULL, server_key = NULL WHERE account_id = ?",
                (account,),
            )
        self._journal.directory = True
        self._journal.accounts.add(account)
        return self.get(account)

    def rehash(self, account: AccountId, old: str, new: str) -> bool:
        """Whether the password had the hash *old*, and has *new* now: the same password, hashed in another way."""
        return bool(
            self._db.rows(
                "UPDATE account SET password_hash = ? WHERE id = ? AND password_hash = ? RETURNING 1",
                (new, account, old),
            )
        )

    def logged_in(self, account: AccountId, at: int) -> None:
        """Notes the time of the last log-in; nobody needs to hear of it."""
        self._db.run("UPDATE account SET last_login_at = ? WHERE id = ?", (at, account))

    def remove(self, account: AccountId) -> None:
        """Removes the account with all its mailboxes and messages; raises NotFound."""
        self.get(account)
        self._db.run("DELETE FROM app_password WHERE account_id = ?", (account,))
        self._db.run("DELETE FROM scram WHERE account_id = ?", (account,))
        self._purge.account(account)
        self._journal.directory = True
        self._journal.accounts.add(account)


_SET = {
    "password_hash": "UPDATE account SET password_hash = ? WHERE id = ?",
    "name": "UPDATE account SET name = ? WHERE id = ?",
    "quota": "UPDATE account SET quota = ? WHERE id = ?",
    "is_active": "UPDATE account SET is_active = ? WHERE id = ?",
    "message_size": "UPDATE account SET message_size = ? WHERE id = ?",
    "max_messages": "UPDATE account SET max_messages = ? WHERE id = ?",
    "max_mailboxes": "UPDATE account SET max_mailboxes = ? WHERE id = ?",
    "is_admin": "UPDATE account SET is_admin = ? WHERE id = ?",
    "time_zone": "UPDATE account SET time_zone = ? WHERE id = ?",
}


def _account(row: Row) -> Account:
    account = Account._make(row)
    return account._replace(
        is_active=bool(account.is_active),
        is_shared=bool(account.is_shared),
        is_admin=bool(account.is_admin),
    )
