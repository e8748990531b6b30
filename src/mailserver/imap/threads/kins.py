"""What this process remembers of how the messages of mailboxes belong together.

Spec: none.  Status: complete.

An empty memory costs time, nothing else.
"""

from array import array
from collections.abc import Sequence
from typing import TypeAlias

from mailserver.base.ids import MailboxId, UidValidity

#: a mailbox of which something is known
KinKey: TypeAlias = tuple[MailboxId, UidValidity]


class Kin:
    """Messages, ascending by UID, a number each in every column.

    own:      hash of the Message-ID, 0 without one.
    refs:     hashes of references, those of message n are refs[starts[n]:starts[n + 1]], the oldest first.
    sent:     sent date (RFC 5256 §2.2), seconds.
    subject:  hash of the base subject, 0 for the empty one.
    is_reply: the subject is that of a reply or forward, 1 or 0.
    said:     answers about all of some UIDs: algorithm, whether they name UIDs -> those UIDs, octets.
    """

    __slots__ = ("is_reply", "own", "refs", "said", "sent", "starts", "subject", "uids")

    def __init__(self) -> None:
        self.uids, self.starts = array("I"), array("I", [0])
        self.own, self.refs = array("q"), array("q")
        self.sent, self.subject = array("q"), array("q")
        self.is_reply = bytearray()
        self.said: dict[tuple[str, bool], tuple[array[int], list[bytes]]] = {}

    def add(
        self,
        uid: int,
        ancestry: "array[int]",
        sent: int,
        subject: int,
        is_reply: bool,
    ) -> None:
        """One more message, after all others."""
        self.uids.append(uid)
        self.own.append(ancestry[0])
        self.refs.extend(ancestry[1:])
        self.starts.append(len(self.refs))
        self.sent.append(sent)
        self.subject.append(subject)
        self.is_reply.append(is_reply)

    def extend(self, more: "Kin") -> None:
        """The messages of *more* after all others."""
        shift = len(self.refs)
        self.uids.extend(more.uids)
        self.own.extend(more.own)
        self.refs.extend(more.refs)
        self.starts.extend([start + shift for start in more.starts[1:]])
        self.sent.extend(more.sent)
        self.subject.extend(more.subject)
        self.is_reply.extend(more.is_reply)

    def copy(self) -> "Kin":
        """Another one with the same messages, to be extended."""
        other = Kin()
        other.uids, other.starts = self.uids[:], self.starts[:]
        other.own, other.refs = self.own[:], self.refs[:]
        other.sent, other.subject = self.sent[:], self.subject[:]
        other.is_reply = self.is_reply[:]
        return other

    def rows_of(self, uids: Sequence[int], places: Sequence[int]) -> "array[int]":
        """Where the messages at *places* among the ascending *uids* are in here; those that are not are left out."""
        if len(places) == len(uids) == len(self.uids) and self.uids == uids:
            return array("I", range(len(uids)))
        here, count = self.uids, len(self.uids)
        rows = array("I")
        at = 0
        for place in places:
            uid = uids[place]
            while at < count and here[at] < uid:
                at += 1
            if at < count and here[at] == uid:
                rows.append(at)
        return rows


class Kins:
    """Kin by mailbox; what was used longest ago goes first.  In the loop's thread only."""

    __slots__ = ("_held", "_kept")

    def __init__(self) -> None:
        self._kept: dict[KinKey, Kin] = {}
        self._held = 0  # messages of all of them

    def get(self, key: KinKey) -> Kin | None:
        """What is known of the mailbox.  It is not to be changed."""
        return self._kept.get(key)

    def put(self, key: KinKey, kin: Kin, most: int) -> None:
        """Remember *kin*, and of all mailboxes together no more than *most* messages."""
        self._drop(key)
        if len(kin.uids) > most:
            return
        self._kept[key] = kin
        self._held += len(kin.uids)
        while self._held > most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: KinKey) -> None:
        known = self._kept.pop(key, None)
        if known is not None:
            self._held -= len(known.uids)
