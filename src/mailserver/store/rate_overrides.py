"""Limits by the hour and day that single accounts and domains have in place of the configuration's."""

from typing import NamedTuple

from mailserver.base.ids import AccountId, DomainId
from mailserver.store.database import Database
from mailserver.store.journal import Journal


class RateOverride(NamedTuple):
    """One of them."""

    kind: str  # "account", "domain": all its accounts together, "each": each account of a domain
    name: str  # address or domain
    measure: str  # "messages", "recipients", "bytes"
    period: str  # "hour", "day"
    most: int  # 0: no bound


class RateOverrides:
    """All of them.  A removed account or domain takes its own along."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def all(self) -> list[RateOverride]:
        """By kind and name."""
        return [
            RateOverride(*row)
            for row in self._db.rows(
                "SELECT 'account', a.localpart || '@' || d.name, o.measure, o.period, o.most FROM rate_override o"
                " JOIN account a ON a.id = o.account_id JOIN domain d ON d.id = a.domain_id"
                " UNION ALL SELECT iif(o.is_each, 'each', 'domain'), d.name, o.measure, o.period, o.most"
                " FROM rate_override o JOIN domain d ON d.id = o.domain_id ORDER BY 1, 2, 3, 4 DESC"
            )
        ]

    def set_account(self, account: AccountId, measure: str, period: str, most: int | None) -> None:
        """*most* holds for the account from now on; None: what the configuration says."""
        self._db.run(
            "DELETE FROM rate_override WHERE account_id = ? AND measure = ? AND period = ?",
            (account, measure, period),
        )
        if most is not None:
            self._db.run(
                "INSERT INTO rate_override (account_id, measure, period, most) VALUES (?, ?, ?, ?)",
                (account, measure, period, most),
            )
        self._journal.directory = True

    def set_domain(
        self, domain: DomainId, measure: str, period: str, most: int | None, *, each: bool
    ) -> None:
        """*most* holds for the domain, or for each of its accounts, from now on; None: what the configuration says."""
        self._db.run(
            "DELETE FROM rate_override WHERE domain_id = ? AND is_each = ? AND measure = ? AND period = ?",
            (domain, int(each), measure, period),
        )
        if most is not None:
            self._db.run(
                "INSERT INTO rate_override (domain_id, is_each, measure, period, most) VALUES (?, ?, ?, ?, ?)",
                (domain, int(each), measure, period, most),
            )
        self._journal.directory = True
