r"""The flags of whole mailboxes as this process knows them, so that telling all of them again reads only what changed.

What is known is right for its modseq for ever; whoever uses it compares that with the mailbox in the same transaction,
so nothing here is needed to be correct: without it the rows are read.

Spec: RFC 3501 §6.4.5; RFC 7162 §3.1.  Status: complete.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from mailserver.base.ids import AccountId, MailboxId, ModSeq, Uid, UidValidity
from mailserver.imap.fetching.item import FlagSets
from mailserver.store.tx import Read
from mailserver.store.values import Delta, Mailbox

#: different sets of flags in one mailbox; where there are more, nothing is kept of it
KINDS: Final = 4_096


class MailboxFlags(NamedTuple):
    """The flags of all messages of a mailbox as of *modseq*; nothing of it is ever changed.

    uids:  ascending.      kinds: the sets of flags in use.      which: of each UID the place of its set in *kinds*.
    """

    uidvalidity: UidValidity
    modseq: ModSeq
    uids: "array[int]"
    which: "array[int]"
    kinds: Sequence[tuple[int, str]]

    @property
    def widest(self) -> int:
        """Octets of the longest line of keywords."""
        return max((len(words) for _, words in self.kinds), default=0)

    def of(self, uids: "array[int]") -> tuple["array[int]", FlagSets]:
        """Those of the ascending *uids* that are there, and their flags."""
        first = bisect_left(self.uids, uids[0]) if uids else 0
        end = first + len(uids)
        if self.uids[first:end] == uids:
            return uids, FlagSets(self.kinds, self.which[first:end])
        found, which = array("I"), array("H")
        at = first
        for uid in uids:
            at = bisect_left(self.uids, uid, at)
            if at < len(self.uids) and self.uids[at] == uid:
                found.append(uid)
                which.append(self.which[at])
        return found, FlagSets(self.kinds, which)


class KnownFlags:
    """The flags of some mailboxes, six octets for each of their messages."""

    __slots__ = ("_held", "_kept")

    def __init__(self) -> None:
        self._held = 0  # messages
        self._kept: dict[MailboxId, MailboxFlags] = {}

    def read(
        self, tx: Read, mailbox: MailboxId, owner: AccountId, *, is_needed: bool = True
    ) -> MailboxFlags | None:
        """The flags in *mailbox* as *tx* sees them; None for too many kinds, and where it is not that account's own.

        Another user's \\Seen may be another.  May be called in any thread; keeps nothing.
        is_needed: without, what is not known yet is not read.
        """
        box = tx.mailboxes.by_id(mailbox)
        if box is None or box.account != owner:
            return None
        known = self._kept.get(mailbox)
        if known is not None and known.uidvalidity == box.uidvalidity:
            if known.modseq == box.modseq:
                return known
            if known.modseq < box.modseq:
                later = advance(known, tx.messages.changes(mailbox, known.modseq))
                if later is not None and len(later.uids) == box.exists:
                    return later
        return _read_all(tx, box) if is_needed else None

    def keep(self, mailbox: MailboxId, flags: MailboxFlags, most: int) -> None:
        """Keep what `read` gave, of at most so many messages in all; the mailbox asked about longest ago goes first.

        In the loop's thread only.
        """
        known = self._kept.pop(mailbox, None)
        if known is not None:
            self._held -= len(known.uids)
        self._kept[mailbox] = flags
        self._held += len(flags.uids)
        while self._held > most:
            oldest = next(iter(self._kept))
            self._held -= len(self._kept.pop(oldest).uids)


def advance(known: MailboxFlags, delta: Delta) -> MailboxFlags | None:
    """*known* with *delta*, which starts at its modseq; None for too many kinds."""
    uids, which = known.uids, known.which[:]
    places = {kind: n for n, kind in enumerate(known.kinds)}
    more, more_which = array("I"), array("H")
    for row in delta.flags:
        place = places.setdefault((row.flags, row.keywords), len(places))
        if place >= KINDS:
            return None
        at = bisect_left(uids, row.uid)
        if at < len(uids) and uids[at] == row.uid:
            which[at] = place
        else:
            more.append(row.uid)
            more_which.append(place)
    if delta.expunged:
        uids, which = _without(uids, which, delta.expunged)
    if more:
        uids, which = uids + more, which + more_which
    return MailboxFlags(known.uidvalidity, delta.modseq, uids, which, tuple(places))


def _without(
    uids: "array[int]", which: "array[int]", gone: Sequence[Uid]
) -> tuple["array[int]", "array[int]"]:
    """Both arrays without the ascending UIDs that are *gone*."""
    rest, rest_which, at = array("I"), array("H"), 0
    for uid in gone:
        index = bisect_left(uids, uid, at)
        if index < len(uids) and uids[index] == uid:
            rest.extend(uids[at:index])
            rest_which.extend(which[at:index])
            at = index + 1
    rest.extend(uids[at:])
    rest_which.extend(which[at:])
    return rest, rest_which


def _read_all(tx: Read, box: Mailbox) -> MailboxFlags | None:
    uids, which = array("I"), array("H")
    places: dict[tuple[int, str], int] = {}
    for uid, flags, keywords in tx.messages.rows(
        box.id, [(1, box.uidnext)], "uid", "flags", "keywords"
    ):
        place = places.setdefault((flags, keywords), len(places))
        if place >= KINDS:
            return None
        uids.append(uid)
        which.append(place)
    return MailboxFlags(box.uidvalidity, box.modseq, uids, which, tuple(places))
