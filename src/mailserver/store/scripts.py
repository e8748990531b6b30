"""Sieve scripts: of accounts, of domains, and of the server; each with its former versions.

The script of an account that has no name is made from its settings (`directory/filter_settings/`): it runs before the
one that is active, and nobody sees it among those with names.

Spec: RFC 5804 §2; RFC 6609 §3.1.  Status: complete.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mailserver.base.errors import AlreadyExists, Cannot, InUse, LimitReached, NotFound, OverQuota
from mailserver.base.ids import AccountId, DomainId, ScriptId
from mailserver.base.limits import SieveLimits
from mailserver.store.database import Database, Row
from mailserver.store.journal import Journal

BEFORE, SETTINGS, ACTIVE, AFTER = "before", "settings", "active", "after"


class Owner(NamedTuple):
    """Whose a script is: an account's, a domain's, or, with neither, the server's."""

    account: AccountId | None = None
    domain: DomainId | None = None


class Script(NamedTuple):
    """role: "active" of an account; "before", "after": what a domain, or the server, runs around it; "": none."""

    id: ScriptId
    name: str
    role: str
    size: int
    version: int
    changed_at: int


class ScriptRef(NamedTuple):
    """One version of a script: its text never changes."""

    id: ScriptId
    version: int


class Scripts:
    """All of them.  Who puts one knows that it compiles."""

    __slots__ = ("_db", "_journal", "_limits")

    def __init__(self, db: Database, journal: Journal, limits: SieveLimits) -> None:
        self._db, self._journal, self._limits = db, journal, limits

    # reading

    def list(self, owner: Owner) -> list[Script]:
        """Those of *owner* that have names, by name."""
        where, values = _where(owner)
        rows = self._db.rows(f"{_SELECT} WHERE {where} AND name <> '' ORDER BY name", values)
        return [_made(row) for row in rows]

    def find(self, owner: Owner, name: str) -> Script:
        """The one of this name.  Raises NotFound."""
        found = self._find(owner, name) if name else None
        if found is None:
            raise NotFound("There is no script of this name.")
        return found

    def settings(self, account: AccountId) -> Script | None:
        """The one without a name of *account*."""
        return self._find(Owner(account=account), "")

    def name(self, script: ScriptId) -> str:
        """Its name.  Raises NotFound."""
        rows = self._db.rows("SELECT name FROM script WHERE id = ?", (script,))
        if not rows:
            raise NotFound("There is no such script.")
        return str(rows[0][0])

    def content(self, script: ScriptId, version: int | None = None) -> bytes:
        """Its text, or that of a former version.  Raises NotFound."""
        if version is not None:
            rows = self._db.rows(
                "SELECT content FROM script WHERE id = ?1 AND version = ?2 UNION ALL"
                " SELECT content FROM script_version WHERE script_id = ?1 AND version = ?2",
                (script, version),
            )
        else:
            rows = self._db.rows("SELECT content FROM script WHERE id = ?", (script,))
        if not rows:
            raise NotFound("There is no such script, or not this version of it.")
        return bytes(rows[0][0])

    def versions(self, script: ScriptId) -> Sequence[tuple[int, int, int]]:
        """(version, octets, when it was put) of those that are kept, the present one first."""
        rows = self._db.rows(
            "SELECT version, length(content), changed_at FROM script WHERE id = ?1 UNION ALL"
            " SELECT version, length(content), changed_at FROM script_version WHERE script_id = ?1"
            " ORDER BY version DESC",
            (script,),
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def filters(self, account: AccountId, domain: DomainId) -> tuple[ScriptRef, ...]:
        """What mail for *account* goes through, in order.

        The server's and the domain's "before", its settings, its active one, "after" of the domain and the server.
        """
        rows = self._db.rows(
            "SELECT role, 1, name, id, version FROM script WHERE account_id = ?1 AND role = 'active' UNION ALL"
            " SELECT 'settings', 0, name, id, version FROM script WHERE account_id = ?1 AND name = '' UNION ALL"
            " SELECT role, 1, name, id, version FROM script WHERE domain_id = ?2 AND role <> '' UNION ALL"
            " SELECT role, 0, name, id, version FROM script"
            " WHERE account_id IS NULL AND domain_id IS NULL AND role IN ('before', 'after')",
            (account, domain),
        )
        if len(rows) > 1:
            rows.sort(key=_turn)
        return tuple(ScriptRef(ScriptId(row[3]), row[4]) for row in rows)

    def _find(self, owner: Owner, name: str) -> Script | None:
        where, values = _where(owner)
        rows = self._db.rows(f"{_SELECT} WHERE {where} AND name = ?", (*values, name))
        return _made(rows[0]) if rows else None

    # changing

    def put(self, owner: Owner, name: str, content: bytes) -> Script:
        """The script has this text from now on; what it had before is kept as a version.

        Raises Cannot for an impossible name, LimitReached for too many, OverQuota for too much.
        """
        check_name(name)
        self.check_room(owner, name, len(content))
        self._put(owner, name, content)
        return self.find(owner, name)

    def put_settings(self, account: AccountId, content: bytes) -> None:
        """The same for the one without a name.  Raises OverQuota."""
        if len(content) > self._limits.script_size:
            raise OverQuota(f"A script may have {self._limits.script_size} octets.")
        self._put(Owner(account=account), "", content)

    def _put(self, owner: Owner, name: str, content: bytes) -> None:
        where, values = _where(owner)
        rows = self._db.rows(
            f"SELECT id, version, content FROM script WHERE {where} AND name = ?", (*values, name)
        )
        self._journal.directory = True
        if not rows:
            self._db.run(
                "INSERT INTO script (account_id, domain_id, name, content, version, changed_at)"
                " VALUES (?, ?, ?, ?, 1, ?)",
                (owner.account, owner.domain, name, content, self._journal.now),
            )
            return
        script, version, before = rows[0]
        if bytes(before) != content:
            self._db.run(
                "INSERT INTO script_version (script_id, version, content, changed_at)"
                " SELECT id, version, content, changed_at FROM script WHERE id = ?",
                (script,),
            )
            self._db.run(
                "DELETE FROM script_version WHERE script_id = ? AND version <= ?",
                (script, version - self._limits.versions),
            )
            self._db.run(
                "UPDATE script SET content = ?, version = version + 1, changed_at = ? WHERE id = ?",
                (content, self._journal.now, script),
            )

    def check_room(self, owner: Owner, name: str, size: int) -> None:
        """Raises LimitReached or OverQuota where a script *name* of *size* octets has no room (RFC 5804 §2.5)."""
        if size > self._limits.script_size:
            raise OverQuota(f"A script may have {self._limits.script_size} octets.")
        where, values = _where(owner)
        rows = self._db.rows(
            f"SELECT count(*), coalesce(sum(length(content)), 0) FROM script"
            f" WHERE {where} AND name NOT IN (?, '')",
            (*values, name),
        )
        ((count, octets),) = rows
        if count >= self._limits.scripts:
            raise LimitReached(f"There may be {self._limits.scripts} scripts.")
        if octets + size > self._limits.scripts_size:
            raise OverQuota(f"All scripts together may have {self._limits.scripts_size} octets.")

    def rename(self, owner: Owner, name: str, to: str) -> None:
        """Raises NotFound, AlreadyExists, Cannot."""
        check_name(to)
        script = self.find(owner, name)
        if name == to:
            return
        where, values = _where(owner)
        if self._db.rows(f"SELECT 1 FROM script WHERE {where} AND name = ?", (*values, to)):
            raise AlreadyExists("There is a script of this name already.")
        self._db.run("UPDATE script SET name = ? WHERE id = ?", (to, script.id))
        self._journal.directory = True

    def remove(self, owner: Owner, name: str) -> None:
        """With all its versions.  Raises NotFound; InUse for one that is active (RFC 5804 §2.10)."""
        script = self.find(owner, name)
        if script.role:
            raise InUse("The script is active; deactivate it first.")
        self._db.run("DELETE FROM script WHERE id = ?", (script.id,))
        self._journal.directory = True

    def activate(self, owner: Owner, name: str, role: str = ACTIVE) -> None:
        """It has the *role* from now on, "" for none; an account's other script loses it.  Raises NotFound, Cannot."""
        script = self.find(owner, name)
        if role and (role == ACTIVE) is (owner.account is None):
            raise Cannot("A script of an account is active; others run before or after it.")
        if role == ACTIVE:
            self.deactivate(owner)
        self._db.run("UPDATE script SET role = ? WHERE id = ?", (role, script.id))
        self._journal.directory = True

    def deactivate(self, owner: Owner) -> None:
        """No script of the account is active."""
        self._db.run("UPDATE script SET role = '' WHERE account_id = ?", (owner.account,))
        self._journal.directory = True


def check_name(name: str) -> None:
    """Raises Cannot for what cannot be the name of a script (RFC 5804 §1.6)."""
    forbidden = any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or c in "\u2028\u2029" for c in name)
    if not name or len(name.encode(errors="replace")) > 512 or forbidden:
        raise Cannot("This cannot be the name of a script: 1 to 512 octets, no control characters.")


def _turn(row: Row) -> tuple[int, int, str]:
    """Where a script stands among the others: the server's are outermost."""
    role, is_inner, name = row[:3]
    return (
        (0, is_inner, name)
        if role == BEFORE
        else (1, is_inner, name)
        if role in (ACTIVE, SETTINGS)
        else (2, -is_inner, name)
    )


_SELECT = "SELECT id, name, role, length(content), version, changed_at FROM script"


def _where(owner: Owner) -> tuple[str, tuple[int, ...]]:
    if owner.account is not None:
        return "account_id = ?", (owner.account,)
    if owner.domain is not None:
        return "domain_id = ?", (owner.domain,)
    return "account_id IS NULL AND domain_id IS NULL", ()


def _made(row: Row) -> Script:
    return Script._make(row)
