"""Aliases: addresses that stand for other addresses."""

from collections.abc import Sequence

from mailserver.base.errors import AlreadyExists, Cannot, NotFound
from mailserver.base.ids import AccountId, AliasId, DomainId
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.values import Alias


class Aliases:
    """All aliases.  Targets are addresses as text, local or not; nobody promises that they exist."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def targets(self, localpart: str, domain: str) -> list[str] | None:
        """The addresses the alias stands for, in their order; None where there is no such alias."""
        rows = self._db.rows(
            "SELECT t.address FROM domain d JOIN alias a ON a.domain_id = d.id"
            " JOIN alias_target t ON t.alias_id = a.id"
            " WHERE d.name = ? AND a.localpart = ? ORDER BY t.position",
            (domain, localpart),
        )
        return [address for (address,) in rows] or None

    def get(self, localpart: str, domain: str) -> Alias:
        """The alias; raises NotFound."""
        rows = self._db.rows(
            "SELECT a.id, a.domain_id, a.localpart, d.name FROM domain d JOIN alias a ON a.domain_id = d.id"
            " WHERE d.name = ? AND a.localpart = ?",
            (domain, localpart),
        )
        if not rows:
            raise NotFound(f"No alias {localpart}@{domain}.")
        return Alias._make((*rows[0], self._targets(rows[0][0])))

    def owned_by(self, account: AccountId) -> list[str]:
        """The addresses of aliases that lead to *account*, alone or among others, over any number of steps."""
        rows = self._db.rows(
            "WITH RECURSIVE leads (address) AS ("
            " SELECT a.localpart || '@' || d.name FROM account a JOIN domain d ON d.id = a.domain_id WHERE a.id = ?"
            " UNION SELECT a.localpart || '@' || d.name FROM leads"
            " JOIN alias_target t ON t.address = leads.address JOIN alias a ON a.id = t.alias_id"
            " JOIN domain d ON d.id = a.domain_id)"
            " SELECT address FROM leads",
            (account,),
        )
        return sorted(address for (address,) in rows[1:])

    def add(self, domain: DomainId, localpart: str, targets: Sequence[str]) -> Alias:
        """The new alias.

        Raises AlreadyExists if an alias or an account has the address, Cannot without targets, NotFound.
        """
        if not targets:
            raise Cannot("An alias needs at least one target.")
        name = self._domain_name(domain)
        if self._db.rows(
            "SELECT 1 FROM account WHERE domain_id = ? AND localpart = ?", (domain, localpart)
        ):
            raise AlreadyExists(f"There is an account {localpart}@{name} already.")
        rows = self._db.rows(
            "INSERT INTO alias (domain_id, localpart, created_at) VALUES (?, ?, ?)"
            " ON CONFLICT (domain_id, localpart) DO NOTHING RETURNING id",
            (domain, localpart, self._journal.now),
        )
        if not rows:
            raise AlreadyExists(f"There is an alias {localpart}@{name} already.")
        ((alias,),) = rows
        self._write_targets(alias, targets)
        return self.get(localpart, name)

    def set(self, alias: AliasId, targets: Sequence[str]) -> None:
        """Replaces the targets; raises NotFound, Cannot without targets."""
        if not targets:
            raise Cannot("An alias needs at least one target.")
        if not self._db.rows("SELECT 1 FROM alias WHERE id = ?", (alias,)):
            raise NotFound("No such alias.")
        self._db.run("DELETE FROM alias_target WHERE alias_id = ?", (alias,))
        self._write_targets(alias, targets)

    def remove(self, alias: AliasId) -> None:
        """Removes it; raises NotFound."""
        if not self._db.rows("DELETE FROM alias WHERE id = ? RETURNING id", (alias,)):
            raise NotFound("No such alias.")
        self._journal.directory = True

    def _write_targets(self, alias: AliasId, targets: Sequence[str]) -> None:
        self._db.run_many(
            "INSERT INTO alias_target (alias_id, position, address) VALUES (?, ?, ?)",
            [(alias, i, address) for i, address in enumerate(dict.fromkeys(targets))],
        )
        self._journal.directory = True

    def _targets(self, alias: AliasId) -> tuple[str, ...]:
        rows = self._db.rows(
            "SELECT address FROM alias_target WHERE alias_id = ? ORDER BY position", (alias,)
        )
        return tuple(address for (address,) in rows)

    def _domain_name(self, domain: DomainId) -> str:
        rows = self._db.rows("SELECT name FROM domain WHERE id = ?", (domain,))
        if not rows:
            raise NotFound("No such domain.")
        name: str = rows[0][0]
        return name

    def list(self, domain: DomainId | None = None) -> list[Alias]:
        """The aliases of *domain*, or all, by address."""
        found = self._db.rows(
            "SELECT a.id, a.domain_id, a.localpart, d.name FROM domain d JOIN alias a ON a.domain_id = d.id"
            " WHERE d.id = ? ORDER BY a.localpart"
            if domain is not None
            else "SELECT a.id, a.domain_id, a.localpart, d.name FROM domain d JOIN alias a ON a.domain_id = d.id"
            " ORDER BY d.name, a.localpart",
            (domain,) if domain is not None else (),
        )
        return [Alias._make((*row, self._targets(row[0]))) for row in found]
