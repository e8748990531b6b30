"""Messages that go from one account to another: a message of its own for each, with the same bytes.

Spec: RFC 9051 §6.4.7.  Status: complete.
"""

from array import array

import apsw

from mailserver.base.errors import NotFound, OverQuota
from mailserver.base.ids import AccountId, MailboxId, MessageId, Uid
from mailserver.store import flags as bits
from mailserver.store.messages import Messages
from mailserver.store.tally import Tally

#: a placement on its way: uid, flags, keywords, internal_at, size, message
Taken = tuple[int, int, str, int, int, int]

#: what a message is whoever has it
CARRIED = (
    "blob_id, size, header_size, sent_at, sent_day, hops, message_id, subject, base_subject, sort_from, sort_to,"
    " sort_cc, envelope, body, bodystructure, layout, ancestry, preview"
)


class Adopting(Messages):
    """Like `Messages`, and takes in what belongs to others."""

    __slots__ = ()

    def _adopted(self, giver: AccountId, taker: AccountId, taken: list[Taken]) -> list[Taken]:
        """*taken* with new messages of *taker* in place of *giver*'s, of the same bytes; raises OverQuota."""
        found = self._db.rows(
            "SELECT id, size, thread_id FROM message WHERE id IN carray(?) ORDER BY id",
            (apsw.carray(array("q", {row[5] for row in taken})),),
        )
        rows = self._db.rows(
            "UPDATE account SET used = used + ?1, messages = messages + ?2, last_message = last_message + ?2"
            " WHERE id = ?3 AND used + ?1 <="
            " coalesce(quota, (SELECT quota FROM domain WHERE id = domain_id), 9223372036854775807)"
            " AND messages + ?2 <="
            " coalesce(max_messages, (SELECT max_messages FROM domain WHERE id = domain_id), 9223372036854775807)"
            " RETURNING last_message - ?2 + 1",
            (sum(size for _, size, _ in found), len(found), taker),
        )
        if not rows:
            self._refuse(taker)
        modseq = self._journal.modseq(self._db, taker)
        threads: dict[int, int] = {}
        new: dict[int, MessageId] = {}
        for number, (message, _, thread) in enumerate(found, rows[0][0]):
            new[message] = MessageId(taker << 32 | number)
            if thread not in threads:
                keys = self._db.rows(
                    "SELECT key FROM thread_key WHERE account_id = ? AND thread_id = ? ORDER BY key",
                    (giver, thread),
                )
                threads[thread] = self._thread(taker, new[message], tuple(key for (key,) in keys))
            self._db.run(
                f"INSERT INTO message (id, thread_id, created_modseq, {CARRIED})"
                f" SELECT ?, ?, ?, {CARRIED} FROM message WHERE id = ?",
                (new[message], threads[thread], modseq, message),
            )
        return [(*row[:5], new[row[5]]) for row in taken]

    def _placed(
        self, account: AccountId, taken: list[Taken], target: MailboxId
    ) -> list[tuple[Uid, Uid]]:
        """Gives each of *taken* a place and a UID in *target*; both UIDs of each."""
        spelling = {
            words: bits.join(self._keywords.learn(target, words.split())) if words else ""
            for words in {row[2] for row in taken}
        }
        first = self._count_in(account, target, Tally.of([(r[0], r[1], r[4]) for r in taken]))
        modseq, now = self._journal.modseq(self._db, account), self._journal.now
        self._db.run_many(
            "INSERT INTO placement (mailbox_id, uid, flags, keywords, internal_at, size, message_id, modseq,"
            " created_modseq, saved_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    target,
                    uid,
                    flags,
                    spelling[words],
                    internal_at,
                    size,
                    message,
                    modseq,
                    modseq,
                    now,
                )
                for uid, (_, flags, words, internal_at, size, message) in enumerate(taken, first)
            ],
        )
        return [(Uid(row[0]), Uid(uid)) for uid, row in enumerate(taken, first)]

    def _refuse(self, account: AccountId) -> None:
        if self._db.rows("SELECT 1 FROM account WHERE id = ?", (account,)):
            raise OverQuota("The mailbox is full.")
        raise NotFound("No such account.")
