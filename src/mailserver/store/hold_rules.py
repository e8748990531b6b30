"""Hold rules: what new mail is held until an administrator has looked at it."""

from collections.abc import Callable
from typing import NamedTuple

from mailserver.base.errors import AlreadyExists, Cannot, NotFound
from mailserver.base.ids import AccountId
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.patterns import check, matches
from mailserver.store.queue_values import NewQueued, NewRecipient

FIELDS = (
    "sender",
    "recipient",
    "domain",
    "account",
)  #: what a rule looks at; domain: the recipient's
NOTE_SIZE = 1_000  #: characters


class HoldRule(NamedTuple):
    """New mail is held for each recipient for whom the field matches the pattern."""

    id: int
    field: str  # one of FIELDS
    pattern: str  # lower case; `*` stands for anything; "" matches the null sender
    note: str
    created_at: int


class HoldRules:
    """All of them, in the order they were made; they concern mail that is added from then on."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def add(self, field: str, pattern: str, note: str = "") -> HoldRule:
        """The new rule.  Raises Cannot for a field there is not or an impossible pattern, AlreadyExists."""
        if field not in FIELDS:
            raise Cannot(f"A hold rule looks at one of {', '.join(FIELDS)}.")
        if len(note) > NOTE_SIZE:
            raise Cannot(f"A note has at most {NOTE_SIZE} characters.")
        rows = self._db.rows(
            "INSERT INTO hold_rule (field, pattern, note, created_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (field, pattern) DO NOTHING RETURNING id, field, pattern, note, created_at",
            (field, check(pattern), note, self._journal.now),
        )
        if not rows:
            raise AlreadyExists("There is a rule with this pattern already.")
        return HoldRule._make(rows[0])

    def list(self) -> list[HoldRule]:
        """All rules, the oldest first."""
        return [
            HoldRule._make(row)
            for row in self._db.rows(
                "SELECT id, field, pattern, note, created_at FROM hold_rule ORDER BY id"
            )
        ]

    def remove(self, rule: int) -> HoldRule:
        """Takes the rule away; what it held stays held.  Raises NotFound."""
        rows = self._db.rows(
            "DELETE FROM hold_rule WHERE id = ? RETURNING id, field, pattern, note, created_at",
            (rule,),
        )
        if not rows:
            raise NotFound(f"No hold rule {rule}.")
        return HoldRule._make(rows[0])

    def judge(self, new: NewQueued) -> Callable[[NewRecipient], str] | None:
        """What says of a recipient of *new* who holds it, "" for nobody; None: nobody holds any of them."""
        rules = self._db.rows("SELECT id, field, pattern FROM hold_rule ORDER BY id")
        if not rules:
            return None
        account = ""
        if new.account is not None and any(field == "account" for _, field, _ in rules):
            account = self._address(new.account)

        def judge(to: NewRecipient) -> str:
            fields = {
                "sender": new.sender,
                "recipient": to.address,
                "domain": to.domain,
                "account": account,
            }
            for rule, field, pattern in rules:
                if matches(pattern, fields[field]):
                    return f"rule {rule}"
            return ""

        return judge

    def _address(self, account: AccountId) -> str:
        rows = self._db.rows(
            "SELECT a.localpart || '@' || d.name FROM account a JOIN domain d ON d.id = a.domain_id WHERE a.id = ?",
            (account,),
        )
        return rows[0][0] if rows else ""
