r"""What this process knows of mailboxes, so that opening one again costs next to nothing and its clients share it.

A snapshot is right for its modseq for ever; whoever has a newer one replaces it.  Nothing here is needed to be correct:
an empty cache only means reading the UIDs again.

Spec: RFC 3501 §2.3.1.1, §2.3.2.  Status: complete.
"""

from array import array
from bisect import bisect_left
from typing import NamedTuple

from mailserver.base.ids import MailboxId, ModSeq, Uid, UidValidity
from mailserver.store.tx import Read
from mailserver.store.values import Delta, Mailbox


class Snapshot(NamedTuple):
    """The UIDs of a mailbox as of *modseq*, ascending; the array is never changed."""

    uidvalidity: UidValidity
    modseq: ModSeq
    uids: "array[int]"


def advance(snapshot: Snapshot, delta: Delta) -> Snapshot:
    """*snapshot* with *delta*, which starts at the snapshot's modseq, or else ends there.  In any thread.

    Not before: a delta is silent about messages that came and went after its start.
    """
    if snapshot.modseq == delta.modseq:
        return snapshot
    uids = snapshot.uids
    if delta.present is not None:
        return Snapshot(snapshot.uidvalidity, delta.modseq, array("I", delta.present))
    if delta.expunged:
        rest, at = array("I"), 0
        for uid in delta.expunged:
            index = bisect_left(uids, uid, at)
            if index < len(uids) and uids[index] == uid:
                rest.extend(uids[at:index])
                at = index + 1
        rest.extend(uids[at:])
        uids = rest
    new = array("I", (row.uid for row in delta.flags if row.is_new))
    return Snapshot(snapshot.uidvalidity, delta.modseq, uids + new if new else uids)


class Snapshots:
    r"""The snapshots of one process, and up to where its sessions were given \Recent messages.

    *size* bounds the UIDs held, 4 octets each; the mailbox used longest ago goes first.
    unstored: mailboxes of which messages were given out as \Recent and the store does not know yet; whoever drives
              the sessions calls `mailboxes.claim_recent` for them soon, and takes them out.
    """

    __slots__ = ("_held", "_kept", "_recent", "_size", "unstored")

    def __init__(self, size: int = 4_000_000) -> None:
        self._size, self._held = size, 0
        self._kept: dict[MailboxId, Snapshot] = {}
        self._recent: dict[tuple[MailboxId, UidValidity], Uid] = {}
        self.unstored: set[MailboxId] = set()

    def get(self, mailbox: MailboxId) -> Snapshot | None:
        """The newest one known here.  May be called in any thread."""
        return self._kept.get(mailbox)

    def read(self, tx: Read, mailbox: Mailbox) -> Snapshot:
        """The snapshot of *mailbox* as *tx* sees it.  May be called in any thread; changes nothing here."""
        known = self._kept.get(mailbox.id)
        if known is not None and known.uidvalidity == mailbox.uidvalidity:
            if known.modseq == mailbox.modseq:
                return known
            if known.modseq < mailbox.modseq:
                moved = advance(known, tx.messages.changes(mailbox.id, known.modseq))
                if len(moved.uids) == mailbox.exists:
                    return moved
        return Snapshot(mailbox.uidvalidity, mailbox.modseq, tx.messages.uids(mailbox.id))

    def put(self, mailbox: MailboxId, snapshot: Snapshot) -> None:
        """Keep *snapshot* if it is newer.  In the loop's thread only."""
        known = self._kept.pop(mailbox, None)
        if known is not None:
            self._held -= len(known.uids)
            if known.uidvalidity == snapshot.uidvalidity and known.modseq >= snapshot.modseq:
                snapshot = known
        self._kept[mailbox] = snapshot
        self._held += len(snapshot.uids)
        while (self._held > self._size or len(self._kept) > 10_000) and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            self._held -= len(self._kept.pop(oldest).uids)

    def before(self, mailbox: MailboxId, since: ModSeq, delta: Delta) -> Snapshot | None:
        """What is known here of *mailbox* as of *since*, to be moved on by `advance` and put back; or as of *delta*.

        None if neither is known.
        """
        known = self._kept.get(mailbox)
        return known if known is not None and known.modseq in (since, delta.modseq) else None

    def recent_from(self, mailbox: MailboxId, uidvalidity: UidValidity, stored: Uid) -> Uid:
        r"""From where on messages have been \Recent in no session, as far as known; *stored* is the store's word."""
        return max(stored, self._recent.get((mailbox, uidvalidity), stored))

    def claim(self, mailbox: MailboxId, uidvalidity: UidValidity, stored: Uid, uidnext: Uid) -> Uid:
        r"""Take all messages before *uidnext* as \Recent for one session; from the UID returned on they are its own.

        Other processes learn of it when it is stored; until then the same message may be \Recent in two of them, as
        RFC 3501 §2.3.2 allows where it cannot be known.
        """
        first = self.recent_from(mailbox, uidvalidity, stored)
        if uidnext > first:
            self.unstored.add(mailbox)
            if len(self._recent) > 10_000:
                self._recent.clear()  # what was given out is stored by now, or may be given out again
        self._recent[mailbox, uidvalidity] = max(first, uidnext)
        return first
