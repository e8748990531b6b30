"""The keywords known in each mailbox, in the spelling that came first.

Spec: RFC 9051 §2.3.2.  Status: complete.
"""

from collections.abc import Iterable

from mailserver.base.errors import LimitReached
from mailserver.base.ids import MailboxId
from mailserver.base.limits import ImapLimits
from mailserver.store.database import Database


class Keywords:
    """What a FLAGS response lists besides the system flags."""

    __slots__ = ("_db", "_limits")

    def __init__(self, db: Database, limits: ImapLimits) -> None:
        self._db = db
        self._limits = limits

    def known(self, mailbox: MailboxId) -> list[str]:
        """The keywords of *mailbox*, sorted without regard to case."""
        return [
            keyword
            for (keyword,) in self._db.each(
                "SELECT keyword FROM mailbox_keyword WHERE mailbox_id = ? ORDER BY folded",
                (mailbox,),
            )
        ]

    def learn(self, mailbox: MailboxId, words: Iterable[str]) -> list[str]:
        """*words* in the spelling *mailbox* knows them by; new ones become known.

        Raises LimitReached beyond the bounds on a keyword's size and on the number of different ones in a mailbox;
        keywords that no message has any more do not count.
        """
        wanted = {word.lower(): word for word in words}
        if not wanted:
            return []
        if any(len(word) > self._limits.keyword_size for word in wanted):
            raise LimitReached(f"A keyword has at most {self._limits.keyword_size} characters.")
        known = self._known(mailbox)
        fresh = wanted.keys() - known.keys()
        if len(known) + len(fresh) > self._limits.keywords:
            known = self._forget_unused(mailbox, known)
            fresh = wanted.keys() - known.keys()
            if len(known) + len(fresh) > self._limits.keywords:
                raise LimitReached(f"A mailbox has at most {self._limits.keywords} keywords.")
        self._db.run_many(
            "INSERT INTO mailbox_keyword (mailbox_id, folded, keyword) VALUES (?, ?, ?)",
            [(mailbox, folded, wanted[folded]) for folded in sorted(fresh)],
        )
        return [known.get(folded, word) for folded, word in wanted.items()]

    def _known(self, mailbox: MailboxId) -> dict[str, str]:
        return dict(
            self._db.rows(
                "SELECT folded, keyword FROM mailbox_keyword WHERE mailbox_id = ?", (mailbox,)
            )
        )

    def _forget_unused(self, mailbox: MailboxId, known: dict[str, str]) -> dict[str, str]:
        used = {
            word.lower()
            for (words,) in self._db.each(
                "SELECT DISTINCT keywords FROM placement WHERE mailbox_id = ? AND keywords <> ''",
                (mailbox,),
            )
            for word in words.split()
        }
        self._db.run_many(
            "DELETE FROM mailbox_keyword WHERE mailbox_id = ? AND folded = ?",
            [(mailbox, folded) for folded in known.keys() - used],
        )
        return {folded: word for folded, word in known.items() if folded in used}
