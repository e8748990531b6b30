"""Messages, flagged: the whole of what can be done with messages, reading and filing included.

Spec: RFC 9051 §2.3.2, §6.4.6; RFC 7162 §3.1.  Status: complete.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import apsw

from mailserver.base.ids import AccountId, MailboxId, MessageId, ModSeq, Uid
from mailserver.store import flags as bits
from mailserver.store.filing import Filing
from mailserver.store.values import FlagRow

How = Literal["add", "remove", "replace"]


class Messages(Filing):
    """Everything about messages: see `lookup` for reading, `filing` for adding, copying, moving, expunging."""

    __slots__ = ()

    def change_flags(
        self,
        mailbox: MailboxId,
        uids: Sequence[Uid],
        how: How,
        flags: int = 0,
        keywords: Iterable[str] = (),
    ) -> list[FlagRow]:
        """The flags of those of *uids* that are there, ascending, after the change.

        A message whose flags were like that before keeps its modseq (RFC 7162 §3.1.3 asks for no more).
        Raises LimitReached for keywords.
        """
        if not uids:
            return []
        account = self._account(mailbox)
        words = list(keywords)
        if how != "remove":
            words = self._keywords.learn(mailbox, words)
        before = self._db.rows(
            "SELECT uid, flags, keywords, modseq FROM placement WHERE mailbox_id = ? AND uid IN carray(?) ORDER BY uid",
            (mailbox, apsw.carray(array("q", uids))),
        )
        after: list[tuple[Uid, int, str, ModSeq | None]] = []  # modseq None: a new one
        changed: dict[tuple[int, str], array[int]] = {}  # new flags and keywords -> UIDs
        unseen = deleted = 0
        for uid, old_flags, old_words, modseq in before:
            new_flags, new_words = old_flags, old_words
            if how == "add":
                new_flags |= flags
                if words:
                    new_words = bits.add(old_words, words)
            elif how == "remove":
                new_flags &= ~flags
                if words and old_words:
                    new_words = bits.remove(old_words, words)
            else:
                new_flags = flags
                new_words = bits.join(words) if words else ""
            if new_flags == old_flags and new_words == old_words:
                after.append((uid, new_flags, new_words, modseq))
            else:
                after.append((uid, new_flags, new_words, None))
                changed.setdefault((new_flags, new_words), array("q")).append(uid)
                unseen += (old_flags & bits.SEEN) - (new_flags & bits.SEEN)
                deleted += (new_flags & bits.DELETED) - (old_flags & bits.DELETED)
        given = self._rewrite(account, mailbox, changed, unseen, deleted) if changed else ModSeq(0)
        return [FlagRow(uid, now, text, old or given, False) for uid, now, text, old in after]

    def keep_previews(self, previews: Mapping[MessageId, str]) -> None:
        """Keep the first words of messages, of those that have none yet and are there (RFC 8970)."""
        self._db.run_many(
            "UPDATE message SET preview = ? WHERE id = ? AND preview IS NULL",
            [(text, message) for message, text in previews.items()],
        )

    def keep_ancestry(self, ancestry: Mapping[MessageId, bytes]) -> None:
        """Keep what was derived of messages that were stored without it (RFC 5256 §3)."""
        self._db.run_many(
            "UPDATE message SET ancestry = ? WHERE id = ? AND ancestry IS NULL",
            [(packed, message) for message, packed in ancestry.items()],
        )

    def _rewrite(
        self,
        account: AccountId,
        mailbox: MailboxId,
        changed: "dict[tuple[int, str], array[int]]",
        unseen: int,
        deleted: int,
    ) -> ModSeq:
        """Writes flags and keywords, one statement for all messages that end up alike; the modseq they have now.

        unseen, deleted: by how much the counters change, *deleted* in units of the flag's bit.
        """
        modseq = self._journal.modseq(self._db, account)
        for (flags, words), uids in changed.items():
            self._db.run(
                "UPDATE placement SET flags = ?, keywords = ?, modseq = ? WHERE mailbox_id = ? AND uid IN carray(?)",
                (flags, words, modseq, mailbox, apsw.carray(uids)),
            )
        self._db.run(
            "UPDATE mailbox SET unseen = unseen + ?, deleted = deleted + ?, modseq = ? WHERE id = ?",
            (unseen, deleted // bits.DELETED, modseq, mailbox),
        )
        self._journal.mailboxes.add((account, mailbox))
        return modseq
