"""Domains we take mail for."""

from collections.abc import Sequence
from typing import Final, TypedDict, Unpack

import apsw

from mailserver.base.errors import AlreadyExists, InUse, NotFound
from mailserver.base.ids import DomainId
from mailserver.store.database import Database, Row
from mailserver.store.journal import Journal
from mailserver.store.values import Domain

BLOB_THRESHOLD: Final = 131_072  #: octets; larger bodies are files of their own


class DomainFields(TypedDict, total=False):
    """What can be changed in a domain."""

    is_active: bool
    catch_all: str | None
    quota: int | None
    max_accounts: int | None
    blob_threshold: int
    separators: str
    alias_of: str | None
    has_subdomains: bool
    is_backup: bool
    smarthost: str | None
    message_size: int | None
    cram_md5: bool
    max_messages: int | None
    max_mailboxes: int | None
    dkim: str
    dkim_oversign: str | None
    dmarc: str
    spf: str
    mta_sts: str


_SELECT = (
    "SELECT d.id, d.name, d.is_active, d.catch_all, d.quota, d.max_accounts, d.blob_threshold, d.separators,"
    " d.created_at, a.name, d.has_subdomains, d.is_backup, d.smarthost, d.message_size, d.cram_md5,"
    " d.max_messages, d.max_mailboxes, d.dkim, d.dkim_oversign, d.dmarc, d.spf, d.mta_sts"
    " FROM domain d LEFT JOIN domain a ON a.id = d.alias_of"
)


class Domains:
    """All domains, by A-label in lower case."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def by_name(self, name: str) -> Domain:
        """The domain; raises NotFound."""
        rows = self._db.rows(f"{_SELECT} WHERE d.name = ?", (name,))
        if not rows:
            raise NotFound(f"No domain {name}.")
        return _domain(rows[0])

    def above(self, name: str) -> Domain | None:
        """The nearest domain above *name* that takes its subdomains' mail, too."""
        above = []
        while "." in name:
            name = name.partition(".")[2]
            above.append(name)
        if not above:
            return None
        rows = self._db.rows(
            f"{_SELECT} WHERE d.name IN carray(?) AND d.has_subdomains ORDER BY length(d.name) DESC LIMIT 1",
            (apsw.carray(tuple(above)),),
        )
        return _domain(rows[0]) if rows else None

    def get(self, domain: DomainId) -> Domain:
        """The domain; raises NotFound."""
        rows = self._db.rows(f"{_SELECT} WHERE d.id = ?", (domain,))
        if not rows:
            raise NotFound("No such domain.")
        return _domain(rows[0])

    def list(self) -> list[Domain]:
        """All, by name."""
        return [_domain(row) for row in self._db.each(f"{_SELECT} ORDER BY d.name")]

    def backups(self) -> Sequence[str]:
        """The names of the domains that we are the backup of."""
        return [name for (name,) in self._db.rows("SELECT name FROM domain WHERE is_backup")]

    def aliases_of(self, domain: DomainId) -> Sequence[str]:
        """The names of the domains that stand for *domain*."""
        rows = self._db.rows("SELECT name FROM domain WHERE alias_of = ? ORDER BY name", (domain,))
        return [name for (name,) in rows]

    def add(
        self,
        name: str,
        *,
        catch_all: str | None = None,
        quota: int | None = None,
        max_accounts: int | None = None,
        blob_threshold: int = BLOB_THRESHOLD,
        separators: str = "+",
    ) -> Domain:
        """The new domain; raises AlreadyExists."""
        rows = self._db.rows(
            "INSERT INTO domain (name, catch_all, quota, max_accounts, blob_threshold, separators, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id",
            (name, catch_all, quota, max_accounts, blob_threshold, separators, self._journal.now),
        )
        if not rows:
            raise AlreadyExists(f"There is a domain {name} already.")
        self._journal.directory = True
        return self.get(rows[0][0])

    def set(self, domain: DomainId, **fields: Unpack[DomainFields]) -> Domain:
        """The domain with *fields* changed; raises NotFound, also for the domain that it shall stand for."""
        was = self.get(domain)
        now = was._replace(**fields)
        target = self.by_name(now.alias_of).id if now.alias_of is not None else None
        self._db.run(
            "UPDATE domain SET is_active = ?, catch_all = ?, quota = ?, max_accounts = ?, blob_threshold = ?,"
            " separators = ?, alias_of = ?, has_subdomains = ?, is_backup = ?, smarthost = ?, message_size = ?,"
            " cram_md5 = ?, max_messages = ?, max_mailboxes = ?, dkim = ?, dkim_oversign = ?,"
            " dmarc = ?, spf = ?, mta_sts = ? WHERE id = ?",
            (
                now.is_active,
                now.catch_all,
                now.quota,
                now.max_accounts,
                now.blob_threshold,
                now.separators,
                target,
                now.has_subdomains,
                now.is_backup,
                now.smarthost,
                now.message_size,
                now.cram_md5,
                now.max_messages,
                now.max_mailboxes,
                now.dkim,
                now.dkim_oversign,
                now.dmarc,
                now.spf,
                now.mta_sts,
                domain,
            ),
        )
        if was.cram_md5 and not now.cram_md5:  # nobody may read these any more
            self._db.run(
                "UPDATE app_password SET sealed = NULL"
                " WHERE account_id IN (SELECT id FROM account WHERE domain_id = ?)",
                (domain,),
            )
        self._journal.directory = True
        return now

    def remove(self, domain: DomainId) -> None:
        """Removes the domain with its aliases and groups.

        Raises InUse while it has accounts or others stand for it, NotFound.
        """
        self.get(domain)
        if self._db.rows("SELECT 1 FROM account WHERE domain_id = ? LIMIT 1", (domain,)):
            raise InUse("The domain still has accounts.")
        if alias := self._db.rows("SELECT name FROM domain WHERE alias_of = ? LIMIT 1", (domain,)):
            raise InUse(f"The domain {alias[0][0]} still stands for it.")
        self._db.run("DELETE FROM alias WHERE domain_id = ?", (domain,))
        self._db.run(
            "DELETE FROM acl WHERE group_id IN (SELECT id FROM account_group WHERE domain_id = ?)",
            (domain,),
        )
        self._db.run("DELETE FROM account_group WHERE domain_id = ?", (domain,))
        self._db.run("DELETE FROM script WHERE domain_id = ?", (domain,))
        self._db.run("DELETE FROM dkim_key WHERE domain_id = ?", (domain,))
        self._db.run("DELETE FROM domain WHERE id = ?", (domain,))
        self._journal.directory = True


def _domain(row: Row) -> Domain:
    domain = Domain._make(row)
    return domain._replace(
        is_active=bool(domain.is_active),
        has_subdomains=bool(domain.has_subdomains),
        is_backup=bool(domain.is_backup),
        cram_md5=bool(domain.cram_md5),
    )
