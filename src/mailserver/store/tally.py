"""Messages of one mailbox, and what they add to its counters."""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from mailserver.store import flags as bits


class Tally(NamedTuple):
    """Some messages that come or go together."""

    uids: "array[int]"
    unseen: int
    deleted: int
    size: int
    has_keywords: bool = False

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int]]) -> "Tally":
        """Of (uid, flags, size)."""
        return cls(
            array("q", [row[0] for row in rows]),
            sum(1 for row in rows if not row[1] & bits.SEEN),
            sum(1 for row in rows if row[1] & bits.DELETED),
            sum(row[2] for row in rows),
        )

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """How many, without \\Seen, with \\Deleted, octets."""
        return len(self.uids), self.unseen, self.deleted, self.size
