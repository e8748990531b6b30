"""What SCRAM needs of accounts: a salt, a count of iterations, and the keys of their own passwords.

Spec: RFC 5802 §3.  Status: complete.
"""

from mailserver.base.ids import AccountId
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.values import ScramRow


class ScramRows:
    """One row for each account that has or had a password whose keys are known.

    Its salt and iterations never change: the keys of its app passwords were made with them.
    """

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def of(self, account: AccountId) -> ScramRow | None:
        """What is known of *account*; None: nothing."""
        rows = self._db.rows(
            "SELECT salt, iterations, stored_key, server_key FROM scram WHERE account_id = ?",
            (account,),
        )
        return ScramRow._make(rows[0]) if rows else None

    def put(self, account: AccountId, row: ScramRow) -> ScramRow:
        """What is known of *account* now: the keys of *row*, if they fit the salt that it has already."""
        self._db.run(
            "INSERT INTO scram (account_id, salt, iterations, stored_key, server_key) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (account_id) DO UPDATE SET stored_key = excluded.stored_key, server_key = excluded.server_key"
            " WHERE excluded.stored_key IS NOT NULL"
            " AND salt = excluded.salt AND iterations = excluded.iterations",
            (account, *row),
        )
        if not self._journal.directory and self.lacking() is None:  # only then somebody acts on it
            self._journal.directory = True
        found = self.of(account)
        return found if found is not None else row

    def lacking(self) -> str | None:
        """The address of an account that may log in and has no keys of its own password; None: all have some."""
        rows = self._db.rows(
            "SELECT a.localpart || '@' || d.name FROM account a JOIN domain d ON d.id = a.domain_id"
            " LEFT JOIN scram s ON s.account_id = a.id"
            " WHERE a.is_active AND d.is_active AND s.stored_key IS NULL LIMIT 1"
        )
        return rows[0][0] if rows else None
