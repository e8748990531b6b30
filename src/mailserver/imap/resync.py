"""QRESYNC: what a client that was away has missed in a mailbox.

Spec: RFC 7162 §3.2.5, §3.2.6, §5.  Status: complete.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from mailserver.base.errors import PeerError
from mailserver.base.ids import MailboxId, ModSeq, Uid
from mailserver.base.numset import STAR, NumSet
from mailserver.imap.conversation import Effect, Read, Send
from mailserver.imap.dialect import vanished, vanished_ranges
from mailserver.imap.parser import Parser
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.tx import Read as ReadTx
from mailserver.store.values import Mailbox

#: messages whose flags one transaction reads
ROWS: Final = 1_000

#: an end of a range, both included
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Resync:
    """What a client says it knows.

    known:  UIDs it asks about; None: all there ever were.
    match:  message numbers and the UIDs they had, a sample.
    """

    uidvalidity: int
    modseq: ModSeq
    known: NumSet | None
    match: tuple[NumSet, NumSet] | None


class Missed(NamedTuple):
    """What is new to it.  vanished: how it is told.     changed: UIDs, ascending."""

    vanished: Sequence[Response]
    changed: "array[int]"


def parse_resync(p: Parser) -> Resync:
    """SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" (RFC 7162 §7)."""
    p.sp().open()
    uidvalidity = p.nz_number()
    modseq = ModSeq(p.sp().number64())
    if modseq == 0:
        raise p.error("modseqs begin at 1")
    known: NumSet | None = None
    match: tuple[NumSet, NumSet] | None = None
    if p.peek(b" ") and not p.peek(b" ("):
        known = _set(p.sp(), is_uid=True)
    if p.accept(b" "):
        p.open()
        numbers = _set(p, is_uid=False)
        match = numbers, _set(p.sp(), is_uid=True)
        if _count(numbers) != _count(match[1]):
            raise p.error("as many UIDs as message numbers were expected")
        p.close()
    p.close()
    return Resync(uidvalidity, modseq, known, match)


def missed(tx: ReadTx, mailbox: Mailbox, uids: "array[int]", resync: Resync) -> Missed:
    """What changed in *mailbox*, with *uids* in it now, since the client looked last; in a reader's thread.

    Without known UIDs it is asked about all there ever were (RFC 7162 §3.2.5.1).  Who remembers a modseq that is still
    to come has seen what a restored backup does not have: he is told everything.
    """
    since = resync.modseq if resync.modseq <= mailbox.modseq else ModSeq(-1)
    known = NumSet(((1, STAR),), True) if resync.known is None else resync.known
    spans = spans_of(known, (), mailbox.uidnext)
    changed = _within(tx.messages.changed_uids(mailbox.id, since), spans)
    agreed = _agreed(uids, resync.match)
    open_ = [(max(low, agreed + 1), high) for low, high in spans if high > agreed]
    return Missed(left(tx, mailbox.id, uids, open_, since), changed)


def left(
    tx: ReadTx, mailbox: MailboxId, uids: "array[int]", spans: Sequence[Span], since: ModSeq
) -> list[Response]:
    """VANISHED (EARLIER) with the UIDs in *spans* that left *mailbox* after *since* (RFC 7162 §3.2.6, §5).

    All that are not among *uids*, if it is forgotten what left so long ago.
    uids:  what the client counts.  What it counts and is gone all the same, it hears of as news.
    """
    gone = tx.messages.expunged_uids(mailbox, since)
    if gone is None:
        gaps = (str(a) if a == b else f"{a}:{b}" for a, b in _gaps(uids, spans))
        return vanished_ranges(gaps, earlier=True)
    counted = set(uids) if gone and uids and gone[0] <= uids[-1] else ()
    return vanished((uid for uid in _within(gone, spans) if uid not in counted), earlier=True)


def spans_of(asked: NumSet, saved: Sequence[int], uidnext: Uid) -> list[Span]:
    """Ascending spans of the UIDs *asked* about, without those that were never given; "*" is the last that was.

    saved: what "$" stands for.
    """
    if asked.is_saved:
        return [(uid, uid) for uid in saved]
    last = uidnext - 1
    return [(low, min(high, last)) for low, high in asked.resolve(last) if low <= last]


def tell_flags(session: Session, changed: "array[int]") -> Generator[Effect, Any, None]:
    """FETCH with the flags and modseqs of the messages *changed*, a slice at a time."""
    view = session.view
    for start in range(0, len(changed), ROWS):
        part = changed[start : start + ROWS]
        names, lines, highest = yield Read(partial(_flags, session, part))
        yield Send([*view.tell_keywords(names), lines])
        view.sent = max(view.sent, highest)


def _flags(session: Session, uids: "array[int]", tx: ReadTx) -> tuple[set[str], bytes, ModSeq]:
    """Keywords in use, FETCH responses, and the highest modseq in them; in a reader's thread."""
    view, dialect = session.view, session.dialect
    seqs = {uid: seq for seq, uid in view.numbered(uids)}
    rows = [row for row in tx.messages.flags(view.mailbox, uids) if row.uid in seqs]
    lines = b"".join([view.told(row, seqs[row.uid], dialect) for row in rows])
    highest = max((row.modseq for row in rows), default=ModSeq(0))
    return {row.keywords for row in rows if row.keywords}, lines, highest


def _within(uids: "array[int]", spans: Iterable[Span]) -> "array[int]":
    out = array("I")
    for low, high in spans:
        out.extend(uids[bisect_left(uids, low) : bisect_right(uids, high)])
    return out


def _gaps(uids: "array[int]", spans: Iterable[Span]) -> Iterator[Span]:
    """What of *spans* is not among *uids*."""
    for low, high in spans:
        for uid in uids[bisect_left(uids, low) : bisect_right(uids, high)]:
            if low < uid:
                yield low, uid - 1
            low = uid + 1
        if low <= high:
            yield low, high


def _agreed(uids: "array[int]", match: tuple[NumSet, NumSet] | None) -> int:
    """The UID up to which the client knows of everything that left, by the sample it gave (RFC 7162 §3.2.5.2)."""
    if match is None:
        return 0
    numbers, their_uids = (chain.from_iterable(range(a, b + 1) for a, b in s.ranges) for s in match)
    agreed = 0
    for number, uid in islice(zip(numbers, their_uids, strict=False), len(uids)):
        if number > len(uids) or uids[number - 1] != uid:
            break
        agreed = uid
    return agreed


def _set(p: Parser, *, is_uid: bool) -> NumSet:
    """A set without "*" (RFC 7162 §7); of samples, ascending."""
    found = p.numset(is_uid=is_uid)
    if found.is_saved or any(not (a and b) for a, b in found.ranges):
        raise p.error('"*" and "$" cannot be used here')
    return found


def _count(numbers: NumSet) -> int:
    """How many there are in a set that has to be ascending.  Raises PeerError."""
    last = 0
    for low, high in numbers.ranges:
        if not last < low <= high:
            raise PeerError("numbers in ascending order were expected")
        last = high
    return sum(high - low + 1 for low, high in numbers.ranges)
