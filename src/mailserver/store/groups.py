"""Groups: accounts that are given rights together.

Spec: RFC 4314 §2 (identifiers that match several users).  Status: complete.
"""

from collections.abc import Iterable

from mailserver.base.errors import AlreadyExists, NotFound
from mailserver.base.ids import AccountId, DomainId, GroupId
from mailserver.store.database import Database, Row
from mailserver.store.journal import Journal
from mailserver.store.values import AccountGroup

_SELECT = "SELECT g.id, g.domain_id, g.name, d.name FROM account_group g JOIN domain d ON d.id = g.domain_id"


class Groups:
    """All groups, by name (normalised by the caller, as localparts are) and domain."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def by_address(self, name: str, domain: str) -> AccountGroup | None:
        """The group NAME@DOMAIN."""
        rows = self._db.rows(f"{_SELECT} WHERE d.name = ? AND g.name = ?", (domain, name))
        return self._group(rows[0]) if rows else None

    def get(self, group: GroupId) -> AccountGroup:
        """The group; raises NotFound."""
        rows = self._db.rows(f"{_SELECT} WHERE g.id = ?", (group,))
        if not rows:
            raise NotFound("No such group.")
        return self._group(rows[0])

    def list(self, domain: DomainId | None = None) -> list[AccountGroup]:
        """The groups of *domain*, or all, sorted by domain and name."""
        where, values = ("", ()) if domain is None else (" WHERE g.domain_id = ?", (domain,))
        rows = self._db.rows(f"{_SELECT}{where} ORDER BY d.name, g.name", values)
        return [self._group(row) for row in rows]

    def add(self, domain: DomainId, name: str) -> AccountGroup:
        """The new group, with nobody in it; raises AlreadyExists."""
        rows = self._db.rows(
            "INSERT INTO account_group (domain_id, name, created_at) VALUES (?, ?, ?)"
            " ON CONFLICT (domain_id, name) DO NOTHING RETURNING id",
            (domain, name, self._journal.now),
        )
        if not rows:
            raise AlreadyExists("There is a group of this name already.")
        self._journal.directory = True
        return self.get(rows[0][0])

    def join(self, group: GroupId, accounts: Iterable[AccountId]) -> None:
        """Makes *accounts* members; who is one already stays one."""
        self._db.run_many(
            "INSERT OR IGNORE INTO group_member (group_id, account_id) VALUES (?, ?)",
            [(group, account) for account in accounts],
        )
        self._touch(group)

    def leave(self, group: GroupId, account: AccountId) -> bool:
        """Whether *account* was a member; it is none now."""
        was = self._db.rows(
            "DELETE FROM group_member WHERE group_id = ? AND account_id = ? RETURNING 1",
            (group, account),
        )
        self._touch(group)
        return bool(was)

    def remove(self, group: GroupId) -> None:
        """Removes the group, and the rights that it was given; raises NotFound."""
        self.get(group)
        self._touch(group)
        self._db.run("DELETE FROM acl WHERE group_id = ?", (group,))
        self._db.run("DELETE FROM account_group WHERE id = ?", (group,))

    def _touch(self, group: GroupId) -> None:
        """Whoever has a mailbox open that the group has rights to looks again whether he still may."""
        self._journal.directory = True
        for owner, mailbox in self._db.rows(
            "SELECT m.account_id, m.id FROM acl JOIN mailbox m ON m.id = acl.mailbox_id WHERE acl.group_id = ?",
            (group,),
        ):
            self._journal.mailboxes.add((owner, mailbox))

    def _group(self, row: Row) -> AccountGroup:
        members = self._db.rows(
            "SELECT a.localpart || '@' || d.name FROM group_member JOIN account a ON a.id = account_id"
            " JOIN domain d ON d.id = a.domain_id WHERE group_id = ? ORDER BY d.name, a.localpart",
            (row[0],),
        )
        return AccountGroup._make((*row, tuple(address for (address,) in members)))
