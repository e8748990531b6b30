"""What scripts remember of an account's mail: whom they answered, which messages they saw.

Spec: RFC 5230 §4.2; RFC 7352 §3.  Status: complete.
"""

from mailserver.base.ids import AccountId
from mailserver.store.database import Database
from mailserver.store.journal import Journal


class SieveMemory:
    """Keys that are known until they expire."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    def knows(self, account: AccountId, key: str, now: int) -> bool:
        """Whether the key was noted and has not expired at *now*."""
        return bool(
            self._db.rows(
                "SELECT 1 FROM sieve_memory WHERE account_id = ? AND key = ? AND expires_at > ?",
                (account, key, now),
            )
        )

    def count(self, account: AccountId, start: str) -> int:
        """How many keys that begin with *start* have not expired."""
        ((count,),) = self._db.rows(
            "SELECT count(*) FROM sieve_memory WHERE account_id = ? AND key >= ? AND key < ? AND expires_at > ?",
            (account, start, f"{start}\U0010ffff", self._journal.now),
        )
        return int(count)

    def note(self, account: AccountId, key: str, until: int, *, renews: bool = False) -> bool:
        """The key is known up to *until*; whether it was not before.  One that was keeps its time, unless *renews*."""
        is_new = not self.knows(account, key, self._journal.now)
        if not is_new and not renews:
            return False
        self._db.run(
            "INSERT INTO sieve_memory (account_id, key, expires_at) VALUES (?, ?, ?)"
            " ON CONFLICT (account_id, key) DO UPDATE SET expires_at = excluded.expires_at",
            (account, key, until),
        )
        return is_new

    def forget(self, now: int, most: int) -> int:
        """How many that expired were dropped, at most *most*."""
        rows = self._db.rows(
            "SELECT account_id, key FROM sieve_memory WHERE expires_at <= ? LIMIT ?", (now, most)
        )
        for account, key in rows:
            self._db.run(
                "DELETE FROM sieve_memory WHERE account_id = ? AND key = ?", (account, key)
            )
        return len(rows)
