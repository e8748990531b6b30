"""What the text index says about a command's keys, as UIDs of one mailbox; asked once, good for all its slices.

Spec: RFC 3501 §6.4.4.  Status: complete.

The index knows messages of an account by their ids.  A UID never stands for another message, so what was said of one
stays true while the search goes on, whatever happens to the mailbox; UIDs that came later are not spoken of.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress, islice

from mailserver.base.ids import AccountId, MailboxId
from mailserver.imap.searching.bits import full
from mailserver.imap.searching.key import Key
from mailserver.store.search import Hits, union
from mailserver.store.tx import Read
from mailserver.store.values import Mailbox

#: undecided messages of a slice from which on the index is asked; fewer are sooner read
WORTH = 50

_MOST = (
    32  # keys of a command that are asked about: each may have as many hits as there are messages
)
_ZERO, _ONE = b"01"
_PIECE = 4_096  # messages that are looked at in one go
_SPARSE = 4  # one member in so many messages: then they are looked for one by one
_FEW = 4  # up to one message in so many is new to the index: then these are looked up one by one


@dataclass(frozen=True, slots=True)
class Hint:
    """Of the messages with UIDs up to *upto*: *surely* match the key, those not in *perhaps* do not.  Ascending."""

    surely: Sequence[int]
    perhaps: Sequence[int]
    upto: int

    def on(self, uids: Sequence[int]) -> tuple[int, int]:
        """(surely, perhaps) as bits of the ascending *uids*."""
        beyond = full(len(uids) - bisect_right(uids, self.upto))
        surely = _bits(self.surely, uids)
        perhaps = surely if self.perhaps is self.surely else _bits(self.perhaps, uids)
        return surely, perhaps | beyond


@dataclass(slots=True)
class Hints:
    """The hints for the keys of one program, by their places in it, about the mailbox that was asked about last.

    What the index has said of the account is kept for its next mailbox.
    """

    mailbox: MailboxId | None = None
    known: dict[int, Hint] = field(default_factory=dict)
    account: AccountId | None = None
    said: Sequence[Hits] | None = None

    def about(self, mailbox: MailboxId) -> dict[int, Hint]:
        """What is known already."""
        return self.known if self.mailbox == mailbox else {}

    def ask(
        self, tx: Read, mailbox: MailboxId, keys: Sequence[Key], open_: int | None
    ) -> dict[int, Hint]:
        """Hints for those of *keys* that the index can say something about.

        open_: about how many messages would have to be read without; None: the index is needed.
        """
        if self.mailbox == mailbox:
            return self.known
        known = ((n, k.sought) for n, k in enumerate(keys) if k.sought and k.sought.is_known)
        asked = dict(islice(known, _MOST))
        box = tx.mailboxes.by_id(mailbox) if asked else None
        if box is None:
            return {}
        if self.said is None or self.account != box.account:
            self.account = box.account
            self.said = tx.search.ask(box.account, list(asked.values()), open_)
        if self.said is None:
            return {}
        self.mailbox, self.known = mailbox, _placed(tx, box, list(asked), self.said)
        return self.known


def _placed(tx: Read, box: Mailbox, keys: Sequence[int], said: Sequence[Hits]) -> dict[int, Hint]:
    """What was *said* of each of *keys*, about the mailbox *box*."""
    places = _Places(tx, box.id, box.exists)
    unknown = {upto: places.above(upto) for upto in {hits.upto for hits in said}}
    hints: dict[int, Hint] = {}
    for n, (yes, maybe, upto) in zip(keys, said, strict=True):
        surely = places.of(yes)
        perhaps = surely if maybe is yes else places.of(maybe)
        hints[n] = Hint(surely, union(perhaps, unknown[upto]), box.uidnext - 1)
    return hints


class _Places:
    """Where messages are in a mailbox; read one by one, or all at once when more are asked for than it has."""

    def __init__(self, tx: Read, mailbox: MailboxId, exists: int) -> None:
        self._tx, self._mailbox, self._exists = tx, mailbox, exists
        self._all: tuple[array[int], array[int]] | None = None

    def of(self, messages: Sequence[int]) -> "array[int]":
        """UIDs of *messages*, ascending."""
        if not messages:
            return array("I")
        if self._all is None and len(messages) <= self._exists:
            return array("I", sorted(self._tx.messages.places_of(self._mailbox, messages)))
        wanted: set[int] = set()
        for start in range(0, len(messages), _PIECE):
            wanted.update(messages[start : start + _PIECE])
        there, uids = self._everything()
        return array("I", compress(uids, [message in wanted for message in there]))

    def above(self, message: int) -> "array[int]":
        """UIDs of the messages with ids above *message*, ascending."""
        found = self._tx.messages.places_above(self._mailbox, message, self._exists // _FEW + 1)
        if len(found) <= self._exists // _FEW:
            return array("I", sorted(found))
        there, uids = self._everything()
        return array("I", compress(uids, [other > message for other in there]))

    def _everything(self) -> "tuple[array[int], array[int]]":
        if self._all is None:
            self._all = self._tx.messages.places(self._mailbox)
        return self._all


def _bits(members: Sequence[int], uids: Sequence[int]) -> int:
    """Those of the ascending *uids* that are among the ascending *members*."""
    if not members:
        return 0
    digits = bytearray()
    for start in range(0, len(uids), _PIECE):
        part = uids[start : start + _PIECE]
        here = members[bisect_left(members, part[0]) : bisect_right(members, part[-1])]
        digits += _digits(here, part)
    return int(bytes(digits) or b"0", 2)


def _digits(here: Sequence[int], uids: Sequence[int]) -> bytes:
    """For each of *uids* a 1 if it is among *here*, which ascend too and lie between the first and the last; else 0."""
    size = len(uids)
    if len(here) == size and here == uids:
        return b"1" * size
    if len(here) * _SPARSE > size:
        wanted = frozenset(here)
        return bytes([_ONE if uid in wanted else _ZERO for uid in uids])
    digits = bytearray(b"0" * size)
    first = uids[0]
    if uids[-1] - first + 1 == size:  # no UID is left out
        for uid in here:
            digits[uid - first] = _ONE
        return bytes(digits)
    place = 0
    for uid in here:
        place = bisect_left(uids, uid, place)
        if uids[place] == uid:
            digits[place] = _ONE
    return bytes(digits)
