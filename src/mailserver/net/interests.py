"""What each worker wants to hear of, where the others can see it: whoever needs no wake-up is not woken.

A table in memory that all workers share, made before they are.  Each writes its own row only.  A row has a mark for
each remainder of an id, so it may say yes for somebody else's mailbox and never says no for one that is wanted.
"""

import mmap
from collections import Counter

from mailserver.base.ids import AccountId, MailboxId
from mailserver.store.values import Changes

MAILBOXES = 8_192  #: marks for mailboxes
ACCOUNTS = 4_095  #: marks for accounts
_QUEUE = MAILBOXES + ACCOUNTS  # the last mark: whoever sends what waits
ROW = _QUEUE + 1


class Interests:
    """The table.  A mark is set before the first look at what it stands for, and read after the COMMIT."""

    __slots__ = ("_marks",)

    def __init__(self, workers: int) -> None:
        self._marks = mmap.mmap(-1, workers * ROW)

    def wants(self, worker: int, changes: Changes) -> bool:
        """Whether *worker* may need to know of *changes*; everybody does of the directory."""
        marks, at = self._marks, worker * ROW
        if changes.directory or (changes.queue and marks[at + _QUEUE]):
            return True
        for _, mailbox in changes.mailboxes:
            if marks[at + mailbox % MAILBOXES]:
                return True
        at += MAILBOXES
        return any(marks[at + account % ACCOUNTS] for account in changes.accounts)

    def row(self, worker: int) -> "Row":
        """The row of *worker*, empty, to be written by it alone."""
        return Row(self._marks, worker * ROW)


class Row:
    """One worker's wishes."""

    __slots__ = ("_at", "_counts", "_marks")

    def __init__(self, marks: mmap.mmap, at: int) -> None:
        self._marks, self._at = marks, at
        self._counts: Counter[int] = Counter()  # wishes behind each mark
        marks[at : at + ROW] = bytes(ROW)

    def mailbox(self, mailbox: MailboxId, *, wanted: bool) -> None:
        """Changes of *mailbox* are wanted, or no more; as often the one as the other."""
        self._count(mailbox % MAILBOXES, wanted)

    def account(self, account: AccountId, *, wanted: bool) -> None:
        """The same for anything in *account*."""
        self._count(MAILBOXES + account % ACCOUNTS, wanted)

    def queue(self, *, wanted: bool) -> None:
        """The same for something new to send."""
        self._count(_QUEUE, wanted)

    def _count(self, mark: int, wanted: bool) -> None:
        counts = self._counts
        counts[mark] += 1 if wanted else -1
        if not counts[mark]:
            del counts[mark]
        self._marks[self._at + mark] = mark in counts
