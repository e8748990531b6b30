"""App passwords: what is kept of the passwords that the server made for single programs."""

from collections.abc import Sequence

from mailserver.base.errors import AlreadyExists, NotFound
from mailserver.base.ids import AccountId, AppPasswordId
from mailserver.store.database import Database, Row
from mailserver.store.journal import Journal
from mailserver.store.values import AppPassword, AppPasswordSecrets


class AppPasswords:
    """All of them, by account and name."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def add(
        self, account: AccountId, name: str, digest: bytes, secrets: AppPasswordSecrets
    ) -> AppPassword:
        """The new one; raises AlreadyExists if the account has one of this name."""
        rows = self._db.rows(
            "INSERT INTO app_password (account_id, name, digest, stored_key, server_key, sealed, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            (
                account,
                name,
                digest,
                secrets.stored_key,
                secrets.server_key,
                secrets.sealed,
                self._journal.now,
            ),
        )
        if not rows:
            raise AlreadyExists(f"There is an app password {name} already.")
        self._journal.directory = True
        return AppPassword(
            AppPasswordId(rows[0][0]),
            account,
            name,
            secrets.sealed is not None,
            self._journal.now,
            None,
        )

    def list(self, account: AccountId) -> list[AppPassword]:
        """Those of *account*, by name."""
        return [
            _made(row)
            for row in self._db.each(
                "SELECT id, account_id, name, sealed IS NOT NULL, created_at, last_used_at FROM app_password"
                " WHERE account_id = ? ORDER BY name",
                (account,),
            )
        ]

    def find(self, account: AccountId, digest: bytes) -> AppPassword | None:
        """The one of *account* with this digest."""
        rows = self._db.rows(
            "SELECT id, account_id, name, sealed IS NOT NULL, created_at, last_used_at FROM app_password"
            " WHERE account_id = ? AND digest = ?",
            (account, digest),
        )
        return _made(rows[0]) if rows else None

    def secrets(self, account: AccountId) -> Sequence[tuple[AppPasswordId, AppPasswordSecrets]]:
        """What log-ins are checked against, by name."""
        return [
            (AppPasswordId(row[0]), AppPasswordSecrets(*row[1:]))
            for row in self._db.each(
                "SELECT id, stored_key, server_key, sealed FROM app_password WHERE account_id = ? ORDER BY name",
                (account,),
            )
        ]

    def used(self, password: AppPasswordId, at: int) -> None:
        """Notes the time of its last use; nobody needs to hear of it."""
        self._db.run("UPDATE app_password SET last_used_at = ? WHERE id = ?", (at, password))

    def remove(self, account: AccountId, name: str) -> None:
        """It logs nobody in from now on; raises NotFound."""
        if not self._db.rows(
            "DELETE FROM app_password WHERE account_id = ? AND name = ? RETURNING 1",
            (account, name),
        ):
            raise NotFound(f"No app password {name}.")
        self._journal.directory = True

    def allow_cram_md5(self) -> bool:
        """Whether some domain wants CRAM-MD5."""
        return bool(self._db.rows("SELECT 1 FROM domain WHERE cram_md5 = 1 AND is_active LIMIT 1"))


def _made(row: Row) -> AppPassword:
    made = AppPassword._make(row)
    return made._replace(has_cram_md5=bool(made.has_cram_md5))
