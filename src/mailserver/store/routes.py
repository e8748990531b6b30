"""Static routes by the recipient's domain, how to talk to the next hops they name, and keys of our own."""

from mailserver.base.errors import AlreadyExists, NotFound
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.values import NextHop, StaticRoute


class Routes:
    """All static routes.  A change is announced like one of the directory: who has cached them reads again."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def add(self, domain: str, destination: str) -> StaticRoute:
        """The new route; raises AlreadyExists."""
        if not self._db.rows(
            "INSERT INTO route (domain, destination, created_at) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING RETURNING 1",
            (domain, destination, self._journal.now),
        ):
            raise AlreadyExists(f"There is a route for {domain} already.")
        self._journal.directory = True
        return StaticRoute(domain, destination, self._journal.now)

    def remove(self, domain: str) -> None:
        """No such route any more; raises NotFound."""
        if not self._db.rows("DELETE FROM route WHERE domain = ? RETURNING 1", (domain,)):
            raise NotFound(f"No route for {domain}.")
        self._journal.directory = True

    def smarthosts(self) -> dict[str, str]:
        """Domain -> the next hop that takes what its users send, where one is set; ".name" is what is below it.

        A domain that stands for another has the other's, unless it has its own.
        """
        rows = self._db.rows(
            "SELECT d.name, coalesce(d.smarthost, a.smarthost), d.has_subdomains FROM domain d"
            " LEFT JOIN domain a ON a.id = d.alias_of WHERE coalesce(d.smarthost, a.smarthost) IS NOT NULL"
        )
        found = {name: smarthost for name, smarthost, _ in rows}
        return found | {f".{name}": smarthost for name, smarthost, is_wide in rows if is_wide}

    def hops(self) -> list[NextHop]:
        """What is known of next hops, by name."""
        return [
            NextHop._make(row)
            for row in self._db.each(
                "SELECT name, tls, login, password FROM next_hop ORDER BY name"
            )
        ]

    def hop(self, name: str) -> NextHop | None:
        """What is known of the next hop *name*."""
        rows = self._db.rows(
            "SELECT name, tls, login, password FROM next_hop WHERE name = ?", (name,)
        )
        return NextHop._make(rows[0]) if rows else None

    def set_hop(self, hop: NextHop) -> None:
        """This is known of it from now on."""
        self._db.run(
            "INSERT INTO next_hop (name, tls, login, password) VALUES (?, ?, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET tls = excluded.tls, login = excluded.login, password = excluded.password",
            hop,
        )
        self._journal.directory = True

    def forget_hop(self, name: str) -> None:
        """Nothing is known of it any more; raises NotFound."""
        if not self._db.rows("DELETE FROM next_hop WHERE name = ? RETURNING 1", (name,)):
            raise NotFound(f"Nothing is set for {name}.")
        self._journal.directory = True

    def secret(self, name: str) -> bytes:
        """The key of that *name*, made with the database; raises NotFound."""
        rows = self._db.rows("SELECT value FROM secret WHERE name = ?", (name,))
        if not rows:
            raise NotFound(f"No key {name}.")
        value: bytes = rows[0][0]
        return value

    def list(self) -> list[StaticRoute]:
        """All, by domain."""
        return [
            StaticRoute._make(row)
            for row in self._db.each(
                "SELECT domain, destination, created_at FROM route ORDER BY domain"
            )
        ]
