"""The messages one FETCH is about: numbers and UIDs side by side.

Spec: RFC 3501 §2.3.1.  Status: complete.
"""

from array import array
from bisect import bisect_left
from collections.abc import Container, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chosen:
    """Messages as the client counts them, ascending; seqs[n] is the number of uids[n]."""

    seqs: Sequence[int]
    uids: "array[int]"

    def __len__(self) -> int:
        return len(self.uids)

    def part(self, start: int, end: int) -> "Chosen":
        """Those from place *start* up to, and without, *end*."""
        return Chosen(self.seqs[start:end], self.uids[start:end])

    def among(self, uids: Container[int]) -> "Chosen":
        """Those whose UIDs are among *uids*."""
        both = [(s, u) for s, u in zip(self.seqs, self.uids, strict=True) if u in uids]
        return Chosen(array("I", [s for s, _ in both]), array("I", [u for _, u in both]))

    def which(self) -> Sequence[int] | Sequence[tuple[int, int]]:
        """What to ask the store for: one span of UIDs where no other message known to the client lies between."""
        if self.uids and self.seqs[-1] - self.seqs[0] + 1 == len(self.seqs):
            return [(self.uids[0], self.uids[-1])]
        return self.uids

    def numbers_of(self, uids: Sequence[int]) -> Sequence[int]:
        """The sequence numbers of *uids*, ascending, which all are among these messages."""
        if len(uids) == len(self.uids):
            return self.seqs
        found: list[int] = []
        at = 0
        for uid in uids:
            at = bisect_left(self.uids, uid, at)
            found.append(self.seqs[at])
        return found


def choose(uids: "array[int]", spans: Sequence[tuple[int, int]]) -> Chosen:
    """The messages in ascending, disjoint (first, end) index *spans* of a view's *uids*."""
    if len(spans) == 1:
        ((first, end),) = spans
        return Chosen(range(first + 1, end + 1), uids[first:end])
    chosen, seqs = array("I"), array("I")
    for first, end in spans:
        chosen.extend(uids[first:end])
        seqs.extend(range(first + 1, end + 1))
    return Chosen(seqs, chosen)
