"""Forwards: where mail for an account goes as well, or instead; and whom an account may write as."""

from collections.abc import Sequence

from mailserver.base.errors import AlreadyExists, NotFound
from mailserver.base.ids import AccountId
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.values import Forward


class Forwards:
    """The forward of each account that has one."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def of(self, account: AccountId) -> Forward:
        """Where its mail goes; raises NotFound."""
        rows = self._db.rows("SELECT keeps_copy FROM account WHERE id = ?", (account,))
        if not rows:
            raise NotFound("No such account.")
        to = self._db.rows(
            "SELECT address FROM forward WHERE account_id = ? ORDER BY position", (account,)
        )
        return Forward(tuple(address for (address,) in to), bool(rows[0][0]) or not to)

    def set(self, account: AccountId, to: Sequence[str], *, keeps_copy: bool) -> None:
        """Mail goes to all of *to* from now on, and into the account if it *keeps_copy*; raises NotFound."""
        if not self._db.rows(
            "UPDATE account SET keeps_copy = ? WHERE id = ? RETURNING id",
            (keeps_copy or not to, account),
        ):
            raise NotFound("No such account.")
        self._db.run("DELETE FROM forward WHERE account_id = ?", (account,))
        self._db.run_many(
            "INSERT INTO forward (account_id, position, address) VALUES (?, ?, ?)",
            [(account, i, address) for i, address in enumerate(dict.fromkeys(to))],
        )
        self._journal.directory = True

    def leading_to(self, address: str) -> list[AccountId]:
        """The accounts whose mail is forwarded to exactly *address*."""
        return [
            AccountId(account)
            for (account,) in self._db.rows(
                "SELECT account_id FROM forward WHERE address = ? ORDER BY account_id", (address,)
            )
        ]


class Grants:
    """Addresses that accounts may write as although they do not lead to them; "@example.org" is the whole domain."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def of(self, account: AccountId) -> list[str]:
        """All of them, sorted."""
        rows = self._db.rows(
            "SELECT address FROM send_as WHERE account_id = ? ORDER BY address", (account,)
        )
        return [address for (address,) in rows]

    def covers(self, account: AccountId, address: str, domain: str) -> bool:
        """Whether *account* was granted exactly this *address*, or its *domain*."""
        return bool(
            self._db.rows(
                "SELECT 1 FROM send_as WHERE account_id = ? AND address IN (?, ?)",
                (account, address, f"@{domain}"),
            )
        )

    def add(self, account: AccountId, address: str) -> None:
        """The account may write as *address*; raises AlreadyExists."""
        if not self._db.rows(
            "INSERT INTO send_as (account_id, address, created_at) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING RETURNING 1",
            (account, address, self._journal.now),
        ):
            raise AlreadyExists(f"There is a grant of {address} already.")
        self._journal.directory = True

    def remove(self, account: AccountId, address: str) -> None:
        """Not any more; raises NotFound."""
        if not self._db.rows(
            "DELETE FROM send_as WHERE account_id = ? AND address = ? RETURNING 1",
            (account, address),
        ):
            raise NotFound(f"No grant of {address}.")
        self._journal.directory = True
