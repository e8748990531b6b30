"""The keys that mail of a domain is signed with, and where each is in its life.

    pending -> active -> retiring -> retired

A pending key waits until the DNS shows its record; active ones sign; what a retiring one has signed may still be on its
way, so its record stays; a retired one has no private part any more.
"""

from typing import NamedTuple

from mailserver.base.errors import AlreadyExists, NotFound
from mailserver.base.ids import DomainId
from mailserver.store.database import Database, Row
from mailserver.store.journal import Journal

PENDING = "pending"  #: made, to be published; signs nothing yet
ACTIVE = "active"  #: signs
RETIRING = "retiring"  #: signs nothing any more, what it has signed may still be judged
RETIRED = "retired"  #: over; the record may go

RSA = "rsa"
ED25519 = "ed25519"


class NewDkimKey(NamedTuple):
    """A key that was made or brought here."""

    selector: str
    algorithm: str  # RSA or ED25519
    bits: int
    public: bytes  # what p= of its record holds, before base64
    sealed: bytes  # PKCS #8, sealed


class DkimKey(NamedTuple):
    """A key and its state.  Times are UTC epoch seconds."""

    id: int
    domain_id: DomainId
    domain: str
    selector: str
    algorithm: str
    bits: int
    public: bytes
    sealed: bytes | None  # None once it is retired
    state: str
    created_at: int
    seen_at: (
        int | None
    )  # since when the DNS shows its record, as far as we looked; None: it does not
    active_at: int | None
    retiring_at: int | None
    retired_at: int | None

    @property
    def name(self) -> str:
        """Where its record is."""
        return f"{self.selector}._domainkey.{self.domain}"


_SELECT = (
    "SELECT k.id, k.domain_id, d.name, k.selector, k.algorithm, k.bits, k.public, k.sealed, k.state, k.created_at,"
    " k.seen_at, k.active_at, k.retiring_at, k.retired_at FROM dkim_key k JOIN domain d ON d.id = k.domain_id"
)


class DkimKeys:
    """All keys of all domains.  A selector is used once: also those of retired keys are known."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def add(self, domain: DomainId, new: NewDkimKey, state: str) -> DkimKey:
        """The key, as *state*: PENDING or ACTIVE.  Raises AlreadyExists if the domain has had this selector."""
        active_at = self._journal.now if state == ACTIVE else None
        rows = self._db.rows(
            "INSERT INTO dkim_key (domain_id, selector, algorithm, bits, public, sealed, state, created_at, active_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain_id, selector) DO NOTHING RETURNING id",
            (domain, *new, state, self._journal.now, active_at),
        )
        if not rows:
            raise AlreadyExists(f"The selector {new.selector} was used for this domain already.")
        self._journal.directory = True
        return self.get(rows[0][0])

    def get(self, key: int) -> DkimKey:
        """The key; raises NotFound."""
        rows = self._db.rows(f"{_SELECT} WHERE k.id = ?", (key,))
        if not rows:
            raise NotFound("No such key.")
        return _key(rows[0])

    def by_selector(self, domain: DomainId, selector: str) -> DkimKey:
        """The key; raises NotFound."""
        rows = self._db.rows(
            f"{_SELECT} WHERE k.domain_id = ? AND k.selector = ?", (domain, selector)
        )
        if not rows:
            raise NotFound(f"No key with the selector {selector}.")
        return _key(rows[0])

    def of(self, domain: DomainId) -> list[DkimKey]:
        """Those of *domain*, the oldest first."""
        return [
            _key(row)
            for row in self._db.rows(f"{_SELECT} WHERE k.domain_id = ? ORDER BY k.id", (domain,))
        ]

    def all(self) -> list[DkimKey]:
        """Those of all domains, by domain, the oldest first."""
        return [_key(row) for row in self._db.rows(f"{_SELECT} ORDER BY d.name, k.id")]

    def seen(self, key: int, at: int | None) -> None:
        """Since when the DNS shows its record; None: it does not."""
        self._db.run("UPDATE dkim_key SET seen_at = ? WHERE id = ?", (at, key))

    def move(self, key: int, state: str) -> DkimKey:
        """The key in its new *state*: ACTIVE, RETIRING, or RETIRED, when its private part is forgotten.

        Raises NotFound.
        """
        column = {ACTIVE: "active_at", RETIRING: "retiring_at", RETIRED: "retired_at"}[state]
        self._db.run(
            f"UPDATE dkim_key SET state = ?1, {column} = ?2,"
            " sealed = CASE ?1 WHEN 'retired' THEN NULL ELSE sealed END WHERE id = ?3",
            (state, self._journal.now, key),
        )
        self._journal.directory = True
        return self.get(key)

    def remove(self, key: int) -> None:
        """Forgets the key altogether."""
        self._db.run("DELETE FROM dkim_key WHERE id = ?", (key,))
        self._journal.directory = True


def _key(row: Row) -> DkimKey:
    return DkimKey._make(row)
