"""One search key with its arguments: its tests, from the cheapest to the dearest.

Spec: RFC 3501 §6.4.4.  Status: complete.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from mailserver.store.search import Sought

#: True and False are final; None: this test cannot tell, ask the next one
Verdict: TypeAlias = bool | None


@dataclass(frozen=True, slots=True)
class Slice:
    r"""Some messages of the mailbox as this client sees it, mostly consecutive ones.

    uids:     ascending.                     first:  the sequence number of the first of them.
    exists:   messages in the whole mailbox. last:   UID of the last of these, 0 in an empty mailbox.
    recent:   spans of UIDs that have \Recent, both ends included.
    every:    the UIDs of the whole mailbox, ascending.
    saved:    UIDs that "$" stands for, ascending (RFC 5182 §2.1).
    now:      UTC epoch seconds when the command began (RFC 5032 §2).
    is_dense: no other message of the mailbox lies between these.
    """

    uids: Sequence[int]
    first: int
    exists: int
    last: int
    recent: Sequence[tuple[int, int]]
    every: Sequence[int] = ()
    saved: Sequence[int] = ()
    now: int = 0
    is_dense: bool = True


@dataclass(frozen=True, slots=True)
class Key:
    """A key's tests.  Those that a key has are asked in this order, each only for messages that are undecided.

    The last one is final.

    by_number:  the messages of the slice, as bits, that can match, from what the session knows.
    ranges:     how many ranges of numbers it looks through for that.
    by_flags:   whether it matches with these system flags, as bits, and these keywords, joined with spaces.
    by_columns: a verdict for each message, from these *columns* of `messages.rows`, one sequence a column.
    by_header:  a verdict from the message's header block.
    sought:     what the text index is asked before any of the following.
    in_body:    folded text to look for in the body.      in_headers: also in the header and in those of the parts.
    """

    by_number: Callable[[Slice], int] | None = None
    ranges: int = 0
    by_flags: Callable[[int, str], bool] | None = None
    columns: tuple[str, ...] = ()
    by_columns: Callable[..., Iterable[Verdict]] | None = None
    by_header: Callable[[bytes], Verdict] | None = None
    sought: Sought | None = None
    in_body: str | None = None
    in_headers: bool = False

    def loosely(self) -> "Key":
        """The same key in search of words in any order, in attached documents as well (RFC 6203 §3).

        What is not in the index yet is searched as before.
        """
        if self.sought is None or self.sought.also:  # HEADER asks for one field
            return self
        return replace(self, sought=self.sought._replace(loosely=True))
