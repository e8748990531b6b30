"""Domains we take mail for."""

from typing import Final, TypedDict, Unpack

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


_COLUMNS = (
    "id, name, is_active, catch_all, quota, max_accounts, blob_threshold, separators, created_at"
)


class Domains:
    """All domains, by A-label in lower case."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def by_name(self, name: str) -> Domain:
        """The domain; raises NotFound."""
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM domain WHERE name = ?", (name,))
        if not rows:
            raise NotFound(f"No domain {name}.")
        return _domain(rows[0])

    def get(self, domain: DomainId) -> Domain:
        """The domain; raises NotFound."""
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM domain WHERE id = ?", (domain,))
        if not rows:
            raise NotFound("No such domain.")
        return _domain(rows[0])

    def list(self) -> list[Domain]:
        """All, by name."""
        return [
            _domain(row) for row in self._db.each(f"SELECT {_COLUMNS} FROM domain ORDER BY name")
        ]

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
        """The domain with *fields* changed; raises NotFound."""
        was = self.get(domain)
        now = was._replace(**fields)
        self._db.run(
            "UPDATE domain SET is_active = ?, catch_all = ?, quota = ?, max_accounts = ?, blob_threshold = ?,"
            " separators = ? WHERE id = ?",
            (
                now.is_active,
                now.catch_all,
                now.quota,
                now.max_accounts,
                now.blob_threshold,
                now.separators,
                domain,
            ),
        )
        self._journal.directory = True
        return now

    def remove(self, domain: DomainId) -> None:
        """Removes the domain with its aliases; raises InUse while it has accounts, NotFound."""
        self.get(domain)
        if self._db.rows("SELECT 1 FROM account WHERE domain_id = ? LIMIT 1", (domain,)):
            raise InUse("The domain still has accounts.")
        self._db.run("DELETE FROM alias WHERE domain_id = ?", (domain,))
        self._db.run("DELETE FROM domain WHERE id = ?", (domain,))
        self._journal.directory = True


def _domain(row: Row) -> Domain:
    domain = Domain._make(row)
    return domain._replace(is_active=bool(domain.is_active))
