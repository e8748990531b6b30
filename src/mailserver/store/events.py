"""Events in mailboxes that scripts are to run for, and the scripts that administrators want to run.

Spec: RFC 6785 §2.2, §2.3.1.  Status: complete.

A command notes one event for all its messages, in its own transaction, so that none is lost and none runs for what was
undone.  Where no script is set, that costs one look-up.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId, EventId, MailboxId, ScriptId, Uid
from mailserver.base.limits import SieveLimits
from mailserver.base.log import Log
from mailserver.base.numset import compress
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.patterns import matches
from mailserver.store.scripts import Owner

APPEND, COPY, FLAG = "APPEND", "COPY", "FLAG"  #: causes (RFC 6785 §4.3)
SCRIPT = (
    "/shared/imapsieve/script"  #: the annotation that names a mailbox's script (RFC 6785 §2.3.1)
)


class Event(NamedTuple):
    """uids: those for which no script has run yet.      source: where they were copied from.      actor: who did it."""

    id: EventId
    account: AccountId
    mailbox: MailboxId
    cause: str
    uids: str
    changed: str
    source: MailboxId | None
    actor: AccountId | None


class EventScript(NamedTuple):
    """A script of a domain or the server.  place: "before" the owner's or "after" it."""

    id: ScriptId
    place: str
    causes: str
    mailbox: str
    source: str


class Events:
    """All that wait, and who asked for them."""

    __slots__ = ("_db", "_journal", "_limits")

    def __init__(self, db: Database, journal: Journal, limits: SieveLimits) -> None:
        self._db, self._journal, self._limits = db, journal, limits

    # what happens

    def are_wanted(self, account: AccountId, mailbox: MailboxId) -> bool:
        """Whether there may be a script for events in *mailbox*, which is *account*'s."""
        return bool(
            self._db.rows(
                "SELECT 1 FROM annotation WHERE account_id = ? AND mailbox_id = ? AND entry = ? AND length(value) > 0"
                " UNION ALL SELECT 1 FROM event_script WHERE script_id > 0 LIMIT 1",
                (account, mailbox, SCRIPT),
            )
        )

    def note(
        self,
        account: AccountId,
        mailbox: MailboxId,
        cause: str,
        uids: Sequence[Uid],
        *,
        actor: AccountId,
        changed: Iterable[str] = (),
        source: MailboxId | None = None,
    ) -> bool:
        """Whether scripts will run for these messages of *mailbox*, which is *account*'s."""
        if not uids or not self.are_wanted(account, mailbox):
            return False
        if not self.script(account, mailbox) and not self.around(account, mailbox, cause, source):
            return False
        ((count,),) = self._db.rows(
            "SELECT count(*) FROM mailbox_event WHERE account_id = ?", (account,)
        )
        if count >= self._limits.events:
            log = Log("sieve", account=account)
            log.warning("no script for a mailbox event: too many wait", most=self._limits.events)
            return False
        self._put(account, mailbox, cause, compress(uids), " ".join(changed), source, actor)
        return True

    def _put(self, *values: object) -> None:
        self._db.run(
            "INSERT INTO mailbox_event (account_id, mailbox_id, cause, uids, changed, source_id, actor_id, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, self._journal.now),
        )
        self._journal.queue = True  # wakes who waits for something to do

    # who runs

    def script(self, account: AccountId, mailbox: MailboxId) -> str:
        """The name of the owner's script for *mailbox*; "" for none."""
        rows = self._db.rows(
            "SELECT value FROM annotation WHERE account_id = ? AND mailbox_id = ? AND entry = ?",
            (account, mailbox, SCRIPT),
        )
        return bytes(rows[0][0]).decode(errors="replace") if rows and rows[0][0] else ""

    def around(
        self, account: AccountId, mailbox: MailboxId, cause: str, source: MailboxId | None
    ) -> list[EventScript]:
        """The scripts of domain and server for such an event, in the order in which they run."""
        rows = self._db.rows(
            "SELECT script_id, place, causes, mailbox, source FROM event_script JOIN script ON id = script_id"
            " WHERE script_id > 0 AND (domain_id IS NULL OR domain_id ="
            " (SELECT domain_id FROM account WHERE account.id = ?)) ORDER BY script_id",
            (account,),
        )
        wanted = [EventScript._make(row) for row in rows]
        return [
            one
            for one in wanted
            if cause in one.causes.split()
            and self._is_like(mailbox, one.mailbox)
            and (one.source == "*" or (source is not None and self._is_like(source, one.source)))
        ]

    def _is_like(self, mailbox: MailboxId, pattern: str) -> bool:
        if pattern == "*":
            return True
        rows = self._db.rows("SELECT name, special_use FROM mailbox WHERE id = ?", (mailbox,))
        if not rows or rows[0][0] is None:
            return False
        ((name, use),) = rows
        if pattern.startswith("\\"):
            return (use or "").lower() == pattern.lower()
        return matches(pattern, name)

    # running

    def first(self) -> Event | None:
        """The one that waits longest."""
        rows = self._db.rows(
            "SELECT id, account_id, mailbox_id, cause, uids, changed, source_id, actor_id FROM mailbox_event"
            " ORDER BY id LIMIT 1"
        )
        return Event._make(rows[0]) if rows else None

    def done(self, event: Event, left: str) -> None:
        """Scripts have run for all but the set *left*, which goes behind what else waits; "": for all."""
        if not self._db.rows("DELETE FROM mailbox_event WHERE id = ? RETURNING 1", (event.id,)):
            return
        if left:
            self._put(
                event.account,
                event.mailbox,
                event.cause,
                left,
                event.changed,
                event.source,
                event.actor,
            )

    # what administrators want

    def watch(
        self, script: ScriptId, place: str, causes: Sequence[str], mailbox: str, source: str
    ) -> None:
        """*script* runs for these events from now on."""
        self._db.run(
            "INSERT INTO event_script (script_id, place, causes, mailbox, source) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (script_id) DO UPDATE SET place = excluded.place, causes = excluded.causes,"
            " mailbox = excluded.mailbox, source = excluded.source",
            (script, place, " ".join(causes), mailbox, source),
        )
        self._journal.directory = True

    def unwatch(self, script: ScriptId) -> None:
        """It runs for none any more.  Raises NotFound."""
        if not self._db.rows("DELETE FROM event_script WHERE script_id = ? RETURNING 1", (script,)):
            raise NotFound("The script runs for no events.")
        self._journal.directory = True

    def watching(self, owner: Owner) -> list[tuple[str, EventScript]]:
        """(name of the script, for what it runs) of those of a domain or the server."""
        return [
            (row[0], EventScript._make(row[1:]))
            for row in self._db.rows(
                "SELECT name, script_id, place, causes, mailbox, source FROM event_script"
                " JOIN script ON id = script_id WHERE script_id > 0 AND domain_id IS ? ORDER BY name",
                (owner.domain,),
            )
        ]


def split(uids: str, most: int) -> tuple[list[Uid], str]:
    """The first *most* of a set of UIDs, one by one, and the rest as a set; takes no longer where the set is large."""
    first: list[Uid] = []
    parts = uids.split(",")
    for at, part in enumerate(parts):
        low, _, high = part.partition(":")
        start, end = int(low), int(high or low)
        room = most - len(first)
        if end - start + 1 > room:
            first += map(Uid, range(start, start + room))
            start += room
            left = str(start) if start == end else f"{start}:{end}"
            return first, ",".join([left, *parts[at + 1 :]])
        first += map(Uid, range(start, end + 1))
    return first, ""
