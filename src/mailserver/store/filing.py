"""Messages, filed: added, copied, moved, expunged; counters, quota and the change log in the same transaction.

Spec: RFC 9051 §2.3.1.1, §6.3.12, §6.4.3, §6.4.7, §6.4.8; RFC 7162 §3.  Status: complete.
"""

from array import array
from collections.abc import Iterable, Sequence

import apsw

from mailserver.base.errors import Cannot, NoTarget, NotFound, OverQuota
from mailserver.base.ids import AccountId, BlobId, MailboxId, MessageId, ModSeq, ThreadId, Uid
from mailserver.mime.derived import Derived
from mailserver.store import flags as bits
from mailserver.store.lookup import Lookup
from mailserver.store.tally import Tally
from mailserver.store.values import Placed


class Filing(Lookup):
    """Puts messages into mailboxes and takes them out.

    Invariants of every method: a UID is given once (uidnext only grows); a mailbox's counters are those of its
    placements; an account's `used` and `messages` count each of its messages once, in however many mailboxes it is;
    a message lives while it has a placement, a blob while it has a message.  A method that raises a MailError has
    changed nothing.
    """

    __slots__ = ()

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
        """A new message of *account* in *mailbox*, with the bytes of *blob*.

        Raises OverQuota, NoTarget if the mailbox is not there, LimitReached for keywords, NotFound.
        """
        journal, db = self._journal, self._db
        size = journal.sizes.get(blob)
        if size is None:
            size = self._blobs.size(blob)
        before, number, uid = self._room(account, mailbox, size)
        words = bits.join(self._keywords.learn(mailbox, keywords)) if keywords else ""
        modseq = journal.modseqs.get(account)
        if modseq is None:
            modseq = ModSeq(before + 1)
        db.run(
            "UPDATE account SET used = used + ?, messages = messages + 1, last_message = ?, modseq = ? WHERE id = ?",
            (size, number, modseq, account),
        )
        db.run(
            "UPDATE mailbox SET uidnext = ?, messages = messages + 1, unseen = unseen + ?, deleted = deleted + ?,"
            " size = size + ?, modseq = ? WHERE id = ?",
            (
                uid + 1,
                0 if flags & bits.SEEN else 1,
                1 if flags & bits.DELETED else 0,
                size,
                modseq,
                mailbox,
            ),
        )
        message = MessageId(account << 32 | number)
        thread = self._thread(account, message, derived.thread_keys)
        db.run(
            "INSERT INTO message (id, blob_id, thread_id, size, created_modseq, header_size, sent_at,"
            " sent_day, hops, message_id, subject, base_subject, sort_from, sort_to, sort_cc, envelope, body,"
            " bodystructure, layout, ancestry) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message,
                blob,
                thread,
                size,
                modseq,
                derived.header_size,
                derived.sent_at,
                derived.sent_day,
                derived.hops,
                derived.message_id,
                derived.subject,
                derived.base_subject,
                derived.sort_from,
                derived.sort_to,
                derived.sort_cc,
                derived.envelope,
                derived.body,
                derived.bodystructure,
                derived.layout,
                derived.ancestry,
            ),
        )
        db.run(
            "INSERT INTO placement (mailbox_id, uid, flags, keywords, internal_at, size, message_id, modseq,"
            " created_modseq, saved_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                mailbox,
                uid,
                flags,
                words,
                internal_at,
                size,
                message,
                modseq,
                modseq,
                journal.now,
            ),
        )
        journal.fresh.discard(blob)
        journal.modseqs[account] = modseq
        journal.accounts.add(account)
        journal.mailboxes.add((account, mailbox))
        return Placed(uid, message, thread, modseq)

    def copy(
        self, source: MailboxId, uids: Sequence[Uid], target: MailboxId
    ) -> list[tuple[Uid, Uid]]:
        """(UID in *source*, UID in *target*) of each message that was there, ascending (RFC 9051 §6.4.7).

        Flags, keywords and internal date go with it; the message itself is shared, so quota does not change.
        Raises NoTarget, LimitReached for keywords, Cannot between accounts.
        """
        if not uids:
            return []
        account = self._same_account(source, target)
        there = self._there(source, uids)
        pairs = self._place(account, source, there, target)
        self._carry_seen(account, source, pairs, target)
        return pairs

    def move(
        self, source: MailboxId, uids: Sequence[Uid], target: MailboxId
    ) -> list[tuple[Uid, Uid]]:
        """(UID in *source*, UID in *target*) of each message that was there, ascending (RFC 9051 §6.4.8).

        Raises NoTarget, LimitReached for keywords, Cannot between accounts.
        """
        if not uids:
            return []
        account = self._same_account(source, target)
        there = self._there(source, uids)
        pairs = self._place(account, source, there, target)
        if pairs:
            self._carry_seen(account, source, pairs, target)
            self._db.run(
                "INSERT INTO expunged (mailbox_id, modseq, uid, created_modseq)"
                " SELECT mailbox_id, ?, uid, created_modseq FROM placement WHERE mailbox_id = ? AND uid IN carray(?)",
                (self._count_out(account, source, there), source, apsw.carray(there.uids)),
            )
            self._db.run(
                "DELETE FROM placement WHERE mailbox_id = ? AND uid IN carray(?)",
                (source, apsw.carray(there.uids)),
            )
        return pairs

    def expunge(self, mailbox: MailboxId, uids: Sequence[Uid] | None = None) -> list[Uid]:
        r"""The UIDs that are gone now, ascending: of those given, or of all, the ones with \Deleted."""
        account = self._account(mailbox)
        if uids is None:
            taken = self._db.rows(
                "DELETE FROM placement INDEXED BY placement_deleted WHERE mailbox_id = ? AND flags & 8 <> 0"
                " RETURNING uid, flags, size, created_modseq, message_id",
                (mailbox,),
            )
        elif uids:
            taken = self._db.rows(
                "DELETE FROM placement WHERE mailbox_id = ? AND uid IN carray(?) AND flags & 8 <> 0"
                " RETURNING uid, flags, size, created_modseq, message_id",
                (mailbox, apsw.carray(array("q", uids))),
            )
        else:
            return []
        if not taken:
            return []
        taken.sort()
        self._leave(account, mailbox, [r[:4] for r in taken])
        self._drop(account, [r[4] for r in taken])
        return [r[0] for r in taken]

    def drain(self, account: AccountId, mailbox: MailboxId, most: int) -> int:
        """How many messages and tombstones were taken out of a deleted mailbox, at most *most*.

        They leave no tombstones: its UIDs mean nothing any more.
        """
        taken = self._db.rows(
            "DELETE FROM placement WHERE mailbox_id = ?1 AND uid IN"
            " (SELECT uid FROM placement WHERE mailbox_id = ?1 ORDER BY uid LIMIT ?2) RETURNING message_id",
            (mailbox, most),
        )
        self._drop(account, [message for (message,) in taken])
        if len(taken) == most:
            return most
        forgotten = self._db.rows(
            "DELETE FROM expunged WHERE mailbox_id = ?1 AND (modseq, uid) IN (SELECT modseq, uid FROM expunged"
            " WHERE mailbox_id = ?1 ORDER BY modseq, uid LIMIT ?2) RETURNING uid",
            (mailbox, most - len(taken)),
        )
        return len(taken) + len(forgotten)

    def _thread(self, account: AccountId, message: MessageId, keys: tuple[int, ...]) -> ThreadId:
        """The thread of the first of *keys* that is known, or else a new one; later messages find it by all keys.

        A thread is chosen once: a message that would join two of them does not merge them (RFC 8474 §5.2).
        """
        if not keys:
            return ThreadId(message)
        if len(keys) == 1:
            if self._db.insert(
                "INSERT INTO thread_key (account_id, key, thread_id) VALUES (?, ?, ?)"
                " ON CONFLICT (account_id, key) DO NOTHING",
                (account, keys[0], message),
            ):
                return ThreadId(message)
            ((thread,),) = self._db.rows(
                "SELECT thread_id FROM thread_key WHERE account_id = ? AND key = ?",
                (account, keys[0]),
            )
            return ThreadId(thread)
        known: dict[int, int] = dict(
            self._db.rows(
                "SELECT key, thread_id FROM thread_key WHERE account_id = ? AND key IN carray(?)",
                (account, apsw.carray(array("q", keys))),
            )
        )
        thread = next((known[key] for key in keys if key in known), message)
        self._db.run_many(
            "INSERT OR IGNORE INTO thread_key (account_id, key, thread_id) VALUES (?, ?, ?)",
            [(account, key, thread) for key in keys if key not in known],
        )
        return ThreadId(thread)

    def _there(self, mailbox: MailboxId, uids: Sequence[Uid]) -> Tally:
        """Those of *uids* that are in *mailbox*."""
        wanted = array("q", sorted(uids))
        where = "FROM placement WHERE mailbox_id = ? AND uid IN carray(?)"
        ((count, unseen, deleted, size, words),) = self._db.rows(
            "SELECT count(*), ifnull(sum(flags & 1 = 0), 0), ifnull(sum(flags & 8 <> 0), 0), ifnull(sum(size), 0),"
            f" ifnull(max(keywords), '') {where}",
            (mailbox, apsw.carray(wanted)),
        )
        if count < len(wanted):
            rows = self._db.rows(f"SELECT uid {where} ORDER BY uid", (mailbox, apsw.carray(wanted)))
            wanted = array("q", [uid for (uid,) in rows])
        return Tally(wanted, unseen, deleted, size, words != "")

    def _place(
        self, account: AccountId, source: MailboxId, some: Tally, target: MailboxId
    ) -> list[tuple[Uid, Uid]]:
        """Gives each of these messages of *source* a place and a UID in *target*; both UIDs of each."""
        if not some.uids:
            return []
        spelling = self._learn(target, source, some) if some.has_keywords else {}
        first = self._count_in(account, target, some)
        modseq = self._journal.modseq(self._db, account)
        # the rowid of a carray's element is its place, from 1 on
        self._db.run(
            "INSERT INTO placement (mailbox_id, uid, flags, keywords, internal_at, size, message_id, modseq,"
            " created_modseq, saved_at) SELECT ?1, ?2 + carray.rowid - 1, p.flags, p.keywords, p.internal_at, p.size,"
            " p.message_id, ?3, ?3, ?4 FROM carray(?5)"
            " CROSS JOIN placement p ON p.mailbox_id = ?6 AND p.uid = carray.value",
            (target, first, modseq, self._journal.now, apsw.carray(some.uids), source),
        )
        last = first + len(some.uids) - 1
        for written, known in spelling.items():
            if known != written:
                self._db.run(
                    "UPDATE placement SET keywords = ? WHERE mailbox_id = ? AND uid BETWEEN ? AND ? AND keywords = ?",
                    (known, target, first, last, written),
                )
        return [
            (Uid(old), Uid(new)) for old, new in zip(some.uids, range(first, last + 1), strict=True)
        ]

    def _carry_seen(
        self,
        account: AccountId,
        source: MailboxId,
        pairs: list[tuple[Uid, Uid]],
        target: MailboxId,
    ) -> None:
        """Guests who have seen a message in *source* have seen it in *target*."""
        if pairs and self._readers.are_there(source):
            modseq = self._journal.modseq(self._db, account)
            self._readers.carry(source, target, pairs, modseq)

    def _count_in(self, account: AccountId, mailbox: MailboxId, some: Tally) -> Uid:
        """Counts these messages in; from the UID returned on there is one for each."""
        ((first,),) = self._db.rows(
            "UPDATE mailbox SET uidnext = uidnext + ?1, messages = messages + ?1, unseen = unseen + ?,"
            " deleted = deleted + ?, size = size + ?, modseq = ? WHERE id = ? RETURNING uidnext - ?1",
            (*some.counts, self._journal.modseq(self._db, account), mailbox),
        )
        self._journal.mailboxes.add((account, mailbox))
        return Uid(first)

    def _count_out(self, account: AccountId, mailbox: MailboxId, some: Tally) -> ModSeq:
        """Counts these messages out; the modseq that their tombstones have."""
        modseq = self._journal.modseq(self._db, account)
        ((has_readers,),) = self._db.rows(
            "UPDATE mailbox SET messages = messages - ?, unseen = unseen - ?, deleted = deleted - ?,"
            " size = size - ?, modseq = ? WHERE id = ?"
            " RETURNING EXISTS (SELECT 1 FROM reader WHERE mailbox_id = mailbox.id)",
            (*some.counts, modseq, mailbox),
        )
        if has_readers:
            self._readers.forget(mailbox, some.uids)
        self._journal.mailboxes.add((account, mailbox))
        return modseq

    def _leave(
        self, account: AccountId, mailbox: MailboxId, taken: list[tuple[int, int, int, ModSeq]]
    ) -> None:
        """Counts down for *taken* (uid, flags, size, created_modseq) and leaves their tombstones."""
        some = Tally.of([row[:3] for row in taken])
        modseq = self._count_out(account, mailbox, some)
        self._db.run_many(
            "INSERT INTO expunged (mailbox_id, modseq, uid, created_modseq) VALUES (?, ?, ?, ?)",
            [(mailbox, modseq, row[0], row[3]) for row in taken],
        )

    def _drop(self, account: AccountId, messages: list[MessageId]) -> None:
        """Removes those of *messages* that are in no mailbox any more, with all that was only theirs."""
        if not messages:
            return
        modseq = self._journal.modseq(self._db, account)
        gone = self._db.rows(
            "DELETE FROM message WHERE id IN carray(?)"
            " AND NOT EXISTS (SELECT 1 FROM placement WHERE message_id = message.id)"
            " RETURNING id, blob_id, thread_id, size, created_modseq",
            (apsw.carray(array("q", messages)),),
        )
        if not gone:
            return
        self._db.run(
            "UPDATE account SET used = used - ?, messages = messages - ? WHERE id = ?",
            (sum(r[3] for r in gone), len(gone), account),
        )
        self._db.run_many(
            "INSERT INTO message_gone (account_id, modseq, message_id, created_modseq) VALUES (?, ?, ?, ?)",
            [(account, modseq, r[0], r[4]) for r in gone],
        )
        self._db.run(
            "DELETE FROM thread_key WHERE thread_id IN carray(?)"
            " AND NOT EXISTS (SELECT 1 FROM message WHERE thread_id = thread_key.thread_id)",
            (apsw.carray(array("q", {r[2] for r in gone})),),
        )
        self._blobs.release([r[1] for r in gone])

    def _learn(self, target: MailboxId, source: MailboxId, some: Tally) -> dict[str, str]:
        """Makes the keywords of these messages known in *target*: as they are stored -> as they are spelled there."""
        found = self._db.rows(
            "SELECT DISTINCT keywords FROM placement WHERE mailbox_id = ? AND uid IN carray(?) AND keywords <> ''",
            (source, apsw.carray(some.uids)),
        )
        known = self._keywords.learn(target, {word for (words,) in found for word in words.split()})
        spelling = {word.lower(): word for word in known}
        return {
            words: bits.join(spelling[word.lower()] for word in words.split()) for (words,) in found
        }

    def _same_account(self, source: MailboxId, target: MailboxId) -> AccountId:
        rows = self._db.rows(
            "SELECT account_id FROM mailbox WHERE id = ? AND is_selectable", (target,)
        )
        if not rows:
            raise NoTarget("No such mailbox.")
        account = AccountId(rows[0][0])
        if self._account(source) != account:
            raise Cannot("Messages cannot be copied or moved to another account.")
        return account

    def _account(self, mailbox: MailboxId) -> AccountId:
        rows = self._db.rows(
            "SELECT account_id FROM mailbox WHERE id = ? AND name IS NOT NULL", (mailbox,)
        )
        if not rows:
            raise NotFound("The mailbox is gone.")
        return AccountId(rows[0][0])

    def _room(self, account: AccountId, mailbox: MailboxId, size: int) -> tuple[ModSeq, int, Uid]:
        """The account's modseq so far, the number of its next message, and the UID that this gets in *mailbox*.

        One look before anything is changed: a statement that changes a row and answers with it (RETURNING) makes a
        table in memory for its answer, which costs more than this.  Raises NotFound, OverQuota, NoTarget.
        """
        rows = self._db.rows(
            "SELECT a.modseq, a.last_message + 1, b.uidnext, a.used + ?3 <= coalesce(a.quota, d.quota, a.used + ?3)"
            " AND a.messages < coalesce(a.max_messages, d.max_messages, a.messages + 1)"
            " FROM account a LEFT JOIN domain d ON d.id = a.domain_id"
            " LEFT JOIN mailbox b ON b.id = ?2 AND b.account_id = a.id AND b.is_selectable WHERE a.id = ?1",
            (account, mailbox, size),
        )
        if not rows:
            raise NotFound("No such account.")
        ((modseq, number, uid, has_room),) = rows
        if not has_room:
            raise OverQuota("The mailbox is full.")
        if uid is None:
            raise NoTarget("No such mailbox.")
        return modseq, number, uid
