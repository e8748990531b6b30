"""Messages, read: UIDs, flags, what changed, and whatever FETCH and SEARCH want to know.

Spec: RFC 9051 §2.3; RFC 7162 §3.  Status: complete.
"""

import json
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, cast

import apsw

from mailserver.base.errors import NotFound
from mailserver.base.ids import MailboxId, ModSeq, Uid
from mailserver.store.blobs import Blobs
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.keywords import Keywords
from mailserver.store.readers import Readers
from mailserver.store.values import Delta, FlagRow, Mailbox

#: what `rows` can be asked for -> where it is
COLUMNS: dict[str, str] = {
    "uid": "p.uid",
    "flags": "p.flags",
    "keywords": "p.keywords",
    "internal_at": "p.internal_at",
    "saved_at": "p.saved_at",
    "modseq": "p.modseq",
    "size": "p.size",
    "message": "p.message_id",  # MessageId, the EMAILID of RFC 8474
    "thread": "m.thread_id",  # ThreadId, the THREADID of RFC 8474
    "blob": "m.blob_id",
    "header_size": "m.header_size",
    "sent_at": "m.sent_at",
    "sent_day": "m.sent_day",
    "message_id": "m.message_id",  # the Message-ID field
    "subject": "m.subject",
    "base_subject": "m.base_subject",
    "sort_from": "m.sort_from",
    "sort_to": "m.sort_to",
    "sort_cc": "m.sort_cc",
    "envelope": "m.envelope",
    "body": "m.body",
    "bodystructure": "m.bodystructure",
    "layout": "m.layout",
    "ancestry": "m.ancestry",  # None in rows from before it was stored, until somebody asked for it
    "preview": "m.preview",  # None until somebody asked for it
    "octets": "CASE WHEN b.path IS NULL AND b.size <= 65536 THEN b.data END",  # None for large bodies
    "sha256": "b.sha256",  # of the octets
    "header": "CASE WHEN b.path IS NULL THEN substr(b.data, 1, m.header_size) END",  # None for bodies in files
}

Span = tuple[int, int]  #: (low, high), both inclusive
Which = Sequence[int] | Sequence[Span]  #: UIDs one by one, ascending, or in spans


class Lookup:
    """Everything that can be read of the messages in a mailbox.  UIDs that are not there are passed over."""

    __slots__ = ("_blobs", "_db", "_journal", "_keywords", "_readers")

    def __init__(self, db: Database, journal: Journal, blobs: Blobs, keywords: Keywords) -> None:
        self._db = db
        self._journal = journal
        self._blobs = blobs
        self._keywords = keywords
        self._readers = Readers(db)

    def uids(self, mailbox: MailboxId) -> "array[int]":
        """All UIDs of *mailbox*, ascending, as array('I')."""
        return array(
            "I",
            [
                uid
                for (uid,) in self._db.each(
                    "SELECT uid FROM placement WHERE mailbox_id = ? ORDER BY uid", (mailbox,)
                )
            ],
        )

    def first_unseen(self, mailbox: MailboxId) -> Uid | None:
        r"""The lowest UID without \Seen."""
        rows = self._db.rows(
            "SELECT uid FROM placement INDEXED BY placement_unseen"
            " WHERE mailbox_id = ? AND flags & 1 = 0 ORDER BY uid LIMIT 1",
            (mailbox,),
        )
        return Uid(rows[0][0]) if rows else None

    def unseen(self, mailbox: MailboxId) -> list[Uid]:
        r"""All UIDs without \Seen, ascending."""
        return [
            uid
            for (uid,) in self._db.each(
                "SELECT uid FROM placement INDEXED BY placement_unseen"
                " WHERE mailbox_id = ? AND flags & 1 = 0 ORDER BY uid",
                (mailbox,),
            )
        ]

    def reclaimable(self, mailbox: MailboxId) -> int:
        r"""Octets of the messages with \Deleted that are nowhere else, not even here without it."""
        ((octets,),) = self._db.rows(
            "SELECT coalesce(sum(m.size), 0) FROM message m WHERE m.id IN (SELECT message_id FROM placement"
            " INDEXED BY placement_deleted WHERE mailbox_id = ?1 AND flags & 8 <> 0) AND NOT EXISTS (SELECT 1"
            " FROM placement p WHERE p.message_id = m.id AND (p.mailbox_id <> ?1 OR p.flags & 8 = 0))",
            (mailbox,),
        )
        return int(octets)

    def unseen_count(self, mailbox: Mailbox) -> int:
        r"""How many of its messages have no \Seen."""
        return mailbox.unseen

    def keywords(self, mailbox: MailboxId) -> list[str]:
        """The keywords known in *mailbox*, sorted."""
        return self._keywords.known(mailbox)

    def changed_uids(self, mailbox: MailboxId, since: ModSeq) -> "array[int]":
        """The UIDs of messages that came or changed after *since* and are still there, ascending."""
        return array(
            "I",
            sorted(
                [
                    uid
                    for (uid,) in self._db.each(
                        "SELECT uid FROM placement INDEXED BY placement_by_modseq"
                        " WHERE mailbox_id = ? AND modseq > ?",
                        (mailbox, since),
                    )
                ]
            ),
        )

    def expunged_uids(self, mailbox: MailboxId, since: ModSeq) -> "array[int] | None":
        """The UIDs of messages that left *mailbox* after *since*, ascending, also of those that had come after it.

        None where that is forgotten (RFC 7162 §5.3).
        """
        rows = self._db.rows("SELECT expunged_from FROM mailbox WHERE id = ?", (mailbox,))
        if not rows or since < rows[0][0]:
            return None
        return array(
            "I",
            sorted(
                [
                    uid
                    for (uid,) in self._db.each(
                        "SELECT uid FROM expunged WHERE mailbox_id = ? AND modseq > ?",
                        (mailbox, since),
                    )
                ]
            ),
        )

    def changes(self, mailbox: MailboxId, since: ModSeq) -> Delta:
        """What happened in *mailbox* after *since*; raises NotFound."""
        rows = self._db.rows(
            "SELECT modseq, uidnext, expunged_from FROM mailbox WHERE id = ? AND name IS NOT NULL",
            (mailbox,),
        )
        if not rows:
            raise NotFound("The mailbox is gone.")
        modseq, uidnext, known_from = rows[0]
        if modseq <= since:
            return Delta(modseq, uidnext, [], [])
        changed = self._db.rows(
            "SELECT uid, flags, keywords, modseq, created_modseq > ?2 FROM placement INDEXED BY placement_by_modseq"
            " WHERE mailbox_id = ?1 AND modseq > ?2",
            (mailbox, since),
        )
        is_known = since >= known_from
        gone = (
            self._db.rows(
                "SELECT uid FROM expunged WHERE mailbox_id = ?1 AND modseq > ?2 AND created_modseq <= ?2",
                (mailbox, since),
            )
            if is_known
            else []
        )
        return Delta(
            modseq,
            uidnext,
            sorted(
                FlagRow(uid, flags, keywords, changed_at, bool(is_new))
                for uid, flags, keywords, changed_at, is_new in changed
            ),
            sorted(uid for (uid,) in gone),
            None if is_known else self.uids(mailbox),
        )

    def flags(self, mailbox: MailboxId, which: Which) -> list[FlagRow]:
        """Flags, keywords and modseq of those of *which* that are there, ascending."""
        return [
            FlagRow(uid, flags, keywords, modseq, False)
            for uid, flags, keywords, modseq in self.rows(
                mailbox, which, "uid", "flags", "keywords", "modseq"
            )
        ]

    def rows(self, mailbox: MailboxId, which: Which, *columns: str) -> Iterator[tuple[Any, ...]]:
        """The *columns* (see COLUMNS) of those of *which* that are there, in the order of *which*.

        Rows are read as they are asked for: iterate within the job, and change nothing meanwhile.
        """
        if not which:
            return iter(())
        spans, one_by_one = _statements(columns)
        if isinstance(which[0], tuple):
            pairs = cast("Sequence[Span]", which)
            return chain.from_iterable(
                self._db.each(spans, (mailbox, low, high)) for low, high in pairs
            )
        return self._db.each(one_by_one, (mailbox, apsw.carray(array("q", which))))

    def places(self, mailbox: MailboxId) -> "tuple[array[int], array[int]]":
        """The messages in *mailbox* as array('q'), and their UIDs, ascending, as array('I')."""
        messages, uids = array("q"), array("I")
        for message, uid in self._db.each(
            "SELECT message_id, uid FROM placement WHERE mailbox_id = ? ORDER BY uid", (mailbox,)
        ):
            messages.append(message)
            uids.append(uid)
        return messages, uids

    def places_above(self, mailbox: MailboxId, message: int, most: int) -> list[int]:
        """UIDs in *mailbox* of its account's messages with ids above *message*, at most *most*, in no order."""
        rows = self._db.rows(
            "SELECT uid FROM placement INDEXED BY placement_by_message"
            " WHERE message_id > ?1 AND message_id <= ?1 | 4294967295 AND mailbox_id = ?2 LIMIT ?3",
            (message, mailbox, most),
        )
        return [row[0] for row in rows]

    def places_of(self, mailbox: MailboxId, messages: Sequence[int]) -> list[int]:
        """UIDs that *messages*, each of them once, have in *mailbox*, in no order; read in one step of SQLite."""
        rows = self._db.rows(
            "SELECT json_group_array(p.uid) FROM carray(?) CROSS JOIN placement p INDEXED BY placement_by_message"
            " WHERE p.message_id = carray.value AND p.mailbox_id = ?",
            (apsw.carray(array("q", messages)), mailbox),
        )
        uids: list[int] = json.loads(rows[0][0])
        return uids


def joins(places: Sequence[str]) -> str:
    """What has to be joined to placements for these values of COLUMNS."""
    has_blob = any("b." in place for place in places)
    has_message = has_blob or any(place.startswith("m.") for place in places)
    return (" JOIN message m ON m.id = p.message_id" if has_message else "") + (
        " JOIN blob b ON b.id = m.blob_id" if has_blob else ""
    )


@lru_cache(maxsize=1_000)
def _statements(columns: tuple[str, ...]) -> tuple[str, str]:
    places = [COLUMNS[column] for column in columns]
    select = f"SELECT {', '.join(places)} FROM placement p{joins(places)} WHERE p.mailbox_id = ? AND p.uid"
    return f"{select} BETWEEN ? AND ? ORDER BY p.uid", f"{select} IN carray(?) ORDER BY p.uid"
