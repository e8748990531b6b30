r"""Messages in mailboxes of others: seen with the reader's own \Seen, changed within his rights.

Stands in for `Messages` in transactions that have to do with somebody else's mailbox (`tx.enter`): whoever reads
messages there sees them as the user does, and changes nothing that he may not.  Mailboxes that nobody shares cost
nothing more.

Spec: RFC 4314 §4; RFC 7162 §3.1; RFC 9051 §6.4.7, §6.4.8.  Status: complete.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, cast

import apsw

from mailserver.base.errors import NotAllowed, NoTarget
from mailserver.base.ids import AccountId, BlobId, MailboxId, ModSeq, Uid
from mailserver.mime.derived import Derived
from mailserver.store import flags as bits
from mailserver.store.adopting import Adopting, Taken
from mailserver.store.lookup import COLUMNS, Span, Which, joins
from mailserver.store.messages import How
from mailserver.store.values import Delta, FlagRow, Mailbox, Placed

_SEEN = f"p.flags & ~{bits.SEEN} | coalesce(s.is_seen, 0)"
_MODSEQ = "max(p.modseq, coalesce(s.modseq, 0))"

#: the right that changing a flag takes (RFC 4314 §4); all others take "w"
_OWN_RIGHT = {bits.SEEN: "s", bits.DELETED: "t"}


class Guest(NamedTuple):
    """Somebody in a mailbox that is not his.  rights: letters of RFC 4314."""

    account: AccountId
    rights: str

    def flags(self) -> int:
        """The system flags that he may change."""
        return sum(bit for bit in bits.NAMES if _OWN_RIGHT.get(bit, "w") in self.rights)


class SharedMessages(Adopting):
    r"""Like `Messages`, for transactions in which *guests* says who is a guest in which mailbox.

    Every method raises NotAllowed where a guest has no right to what it does.
    """

    __slots__ = ("guests",)

    guests: dict[MailboxId, Guest]

    # reading

    def rows(self, mailbox: MailboxId, which: Which, *columns: str) -> Iterator[tuple[Any, ...]]:
        r"""See `Lookup.rows`; \Seen and modseq are the guest's."""
        guest = self._guest(mailbox, "r")
        if guest is None or not which or not {"flags", "modseq"} & set(columns):
            return super().rows(mailbox, which, *columns)
        spans, one_by_one = _statements(columns)
        if isinstance(which[0], tuple):
            pairs = cast("Sequence[Span]", which)
            return chain.from_iterable(
                self._db.each(spans, (guest.account, mailbox, low, high)) for low, high in pairs
            )
        uids = apsw.carray(array("q", which))
        return self._db.each(one_by_one, (guest.account, mailbox, uids))

    def unseen(self, mailbox: MailboxId) -> list[Uid]:
        r"""All UIDs without \Seen, ascending."""
        guest = self._guest(mailbox, "r")
        if guest is None:
            return super().unseen(mailbox)
        rows = self._db.each(f"{_UNSEEN} ORDER BY p.uid", (mailbox, guest.account))
        return [uid for (uid,) in rows]

    def unseen_count(self, mailbox: Mailbox) -> int:
        r"""How many of its messages have no \Seen."""
        guest = self._guest(mailbox.id, "")
        if guest is None:
            return super().unseen_count(mailbox)
        return mailbox.exists - self._readers.seen_count(mailbox.id, guest.account)

    def first_unseen(self, mailbox: MailboxId) -> Uid | None:
        r"""The lowest UID without \Seen."""
        guest = self._guest(mailbox, "r")
        if guest is None:
            return super().first_unseen(mailbox)
        rows = self._db.rows(f"{_UNSEEN} ORDER BY p.uid LIMIT 1", (mailbox, guest.account))
        return Uid(rows[0][0]) if rows else None

    def changed_uids(self, mailbox: MailboxId, since: ModSeq) -> "array[int]":
        r"""See `Lookup.changed_uids`, with the guest's own changes of \Seen."""
        guest = self._guest(mailbox, "r")
        changed = super().changed_uids(mailbox, since)
        if guest is None:
            return changed
        return array("I", sorted({*changed, *self._readers.changed(mailbox, guest.account, since)}))

    def expunged_uids(self, mailbox: MailboxId, since: ModSeq) -> "array[int] | None":
        """See `Lookup.expunged_uids`."""
        self._guest(mailbox, "r")
        return super().expunged_uids(mailbox, since)

    def changes(self, mailbox: MailboxId, since: ModSeq) -> Delta:
        r"""See `Lookup.changes`, with the guest's own changes of \Seen."""
        guest = self._guest(mailbox, "r")
        delta = super().changes(mailbox, since)
        if guest is None:
            return delta
        own = self._readers.changed(mailbox, guest.account, since)
        is_new = {row.uid: row.is_new for row in delta.flags}
        uids = sorted({*own, *is_new})
        rows = [
            row._replace(is_new=is_new.get(row.uid, False)) for row in self.flags(mailbox, uids)
        ]
        return delta._replace(flags=rows)

    # changing flags

    def change_flags(
        self,
        mailbox: MailboxId,
        uids: Sequence[Uid],
        how: How,
        flags: int = 0,
        keywords: Iterable[str] = (),
    ) -> list[FlagRow]:
        r"""See `Messages.change_flags`: what the guest may change of it, \Seen for him alone (RFC 4314 §4, STORE)."""
        guest = self._guest(mailbox, "")
        if guest is None:
            return super().change_flags(mailbox, uids, how, flags, keywords)
        words = list(keywords) if "w" in guest.rights else []
        may = guest.flags()
        if not (may if how == "replace" else may & flags or words):
            raise NotAllowed("You have no right to change these flags.")
        may &= bits.ALL if how == "replace" else flags
        self._change_shared(mailbox, uids, how, may & ~bits.SEEN, flags, words, guest)
        if may & bits.SEEN:
            is_seen = how != "remove" and bool(flags & bits.SEEN)
            self._mark(mailbox, guest.account, uids, is_seen=is_seen)
        return self.flags(mailbox, uids)

    def _change_shared(
        self,
        mailbox: MailboxId,
        uids: Sequence[Uid],
        how: How,
        may: int,
        flags: int,
        words: list[str],
        guest: Guest,
    ) -> None:
        """Changes what all see of *flags*, as far as it is among the bits of *may*, and the keywords."""
        if how != "replace":
            if may or words:
                super().change_flags(mailbox, uids, how, may, words)
        elif "w" in guest.rights:
            kept: dict[int, list[Uid]] = {}  # what he may not change stays as it is
            for uid, value in super().rows(mailbox, uids, "uid", "flags"):
                kept.setdefault(value & ~may, []).append(uid)
            for value, some in kept.items():
                super().change_flags(mailbox, some, "replace", flags & may | value, words)
        elif may:  # \Deleted alone
            is_set = bool(flags & bits.DELETED)
            super().change_flags(mailbox, uids, "add" if is_set else "remove", bits.DELETED)

    def _mark(
        self, mailbox: MailboxId, reader: AccountId, uids: Sequence[Uid], *, is_seen: bool
    ) -> None:
        wrong = [
            row.uid
            for row in self.flags(mailbox, uids)
            if bool(row.flags & bits.SEEN) is not is_seen
        ]
        if not wrong:
            return
        owner = self._account(mailbox)
        modseq = self._journal.modseq(self._db, owner)
        self._readers.mark(mailbox, reader, wrong, modseq, is_seen=is_seen)
        self._db.run("UPDATE mailbox SET modseq = ? WHERE id = ?", (modseq, mailbox))
        self._journal.mailboxes.add((owner, mailbox))

    # filing

    def add(
        self,
        account: AccountId,
        mailbox: MailboxId,
        blob: BlobId,
        derived: Derived,
        *,
        flags: int = 0,
        keywords: Iterable[str] = (),
        internal_at: int,
    ) -> Placed:
        r"""See `Filing.add`: with the flags that the guest may set; for the owner of *mailbox* it is unseen."""
        guest = self._guest(mailbox, "i")
        marks = False
        if guest is not None:
            flags &= guest.flags()
            marks, flags = bool(flags & bits.SEEN), flags & ~bits.SEEN
            keywords = keywords if "w" in guest.rights else ()
        placed = super().add(
            account, mailbox, blob, derived, flags=flags, keywords=keywords, internal_at=internal_at
        )
        if guest is not None and marks:
            self._readers.mark(mailbox, guest.account, [placed.uid], placed.modseq, is_seen=True)
        return placed

    def expunge(self, mailbox: MailboxId, uids: Sequence[Uid] | None = None) -> list[Uid]:
        """See `Filing.expunge`."""
        self._guest(mailbox, "e")
        return super().expunge(mailbox, uids)

    def copy(
        self, source: MailboxId, uids: Sequence[Uid], target: MailboxId
    ) -> list[tuple[Uid, Uid]]:
        r"""See `Filing.copy`; between accounts, the other one gets messages of its own with the same bytes.

        The copies have the flags that may be set there, and \Seen as whoever copies has seen them; within an account
        the owner and other guests keep theirs.  Raises OverQuota for the account that gets the messages.
        """
        self._guest(source, "r")
        guest, owner = self._guest(target, "i"), self._target(target)
        return self._put(source, self._taken(source, uids), target, owner, guest)

    def move(
        self, source: MailboxId, uids: Sequence[Uid], target: MailboxId
    ) -> list[tuple[Uid, Uid]]:
        """See `Filing.move`, and `copy`; it takes the rights to delete and to expunge (RFC 6851 §4.1)."""
        self._guest(source, "rte")
        guest, owner, giver = self._guest(target, "i"), self._target(target), self._account(source)
        taken = self._taken(source, uids)
        self._keywords.learn(target, {word for row in taken for word in row[2].split()})
        pairs = self._put(source, taken, target, owner, guest)
        if not taken:
            return []
        gone = self._db.rows(
            "DELETE FROM placement WHERE mailbox_id = ? AND uid IN carray(?)"
            " RETURNING uid, flags, size, created_modseq, message_id",
            (source, apsw.carray(array("q", uids))),
        )
        gone.sort()
        self._leave(giver, source, [row[:4] for row in gone])
        self._drop(giver, [row[4] for row in gone])
        return pairs

    def _taken(self, source: MailboxId, uids: Sequence[Uid]) -> list[Taken]:
        if not uids:
            return []
        return self._db.rows(
            "SELECT uid, flags, keywords, internal_at, size, message_id FROM placement"
            " WHERE mailbox_id = ? AND uid IN carray(?) ORDER BY uid",
            (source, apsw.carray(array("q", uids))),
        )

    def _put(
        self,
        source: MailboxId,
        taken: list[Taken],
        target: MailboxId,
        owner: AccountId,
        guest: Guest | None,
    ) -> list[tuple[Uid, Uid]]:
        """Places *taken* in *target*, which is *owner*'s, as *guest* or the owner himself does."""
        if not taken:
            return []
        giver = self._account(source)
        is_same = giver == owner
        may = bits.ALL if guest is None else guest.flags()
        marks = self._seen_by_whoever_acts(source, taken) if may & bits.SEEN else set()
        rows: list[Taken] = []
        for uid, flags, keywords, internal_at, size, message in taken:
            value = flags & may & ~bits.SEEN
            if uid in marks if guest is None else is_same and flags & bits.SEEN:
                value |= bits.SEEN
            words = keywords if guest is None or "w" in guest.rights else ""
            rows.append((uid, value, words, internal_at, size, message))
        if not is_same:
            rows = self._adopted(giver, owner, rows)
        pairs = self._placed(owner, rows, target)
        modseq = self._journal.modseq(self._db, owner)
        actor = guest.account if guest is not None else None
        if is_same:
            self._readers.carry(source, target, pairs, modseq, apart_from=actor)
        if actor is not None:
            seen = [new for old, new in pairs if old in marks]
            self._readers.mark(target, actor, seen, modseq, is_seen=True)
        return pairs

    def _seen_by_whoever_acts(self, source: MailboxId, taken: list[Taken]) -> set[int]:
        guest = self.guests.get(source)
        if guest is None:
            return {row[0] for row in taken if row[1] & bits.SEEN}
        return {*self._readers.seen(source, guest.account, [Uid(row[0]) for row in taken])}

    def _target(self, target: MailboxId) -> AccountId:
        rows = self._db.rows(
            "SELECT account_id FROM mailbox WHERE id = ? AND is_selectable", (target,)
        )
        if not rows:
            raise NoTarget("No such mailbox.")
        return AccountId(rows[0][0])

    def _guest(self, mailbox: MailboxId, needs: str) -> Guest | None:
        """Who is a guest in *mailbox*, None if nobody is; raises NotAllowed where he lacks one of the rights."""
        guest = self.guests.get(mailbox)
        if guest is not None:
            for right in needs:
                if right not in guest.rights:
                    raise NotAllowed(f'You lack the right "{right}" to this mailbox.')
        return guest


_UNSEEN = (
    "SELECT p.uid FROM placement p WHERE p.mailbox_id = ?1 AND NOT EXISTS (SELECT 1 FROM seen s"
    " WHERE s.mailbox_id = ?1 AND s.account_id = ?2 AND s.uid = p.uid AND s.is_seen = 1)"
)


@lru_cache(maxsize=1_000)
def _statements(columns: tuple[str, ...]) -> tuple[str, str]:
    own = {"flags": _SEEN, "modseq": _MODSEQ}
    places = [own.get(column, COLUMNS[column]) for column in columns]
    select = (
        f"SELECT {', '.join(places)} FROM placement p{joins(places)} LEFT JOIN seen s ON s.mailbox_id = p.mailbox_id"
        " AND s.uid = p.uid AND s.account_id = ? WHERE p.mailbox_id = ? AND p.uid"
    )
    return f"{select} BETWEEN ? AND ? ORDER BY p.uid", f"{select} IN carray(?) ORDER BY p.uid"
