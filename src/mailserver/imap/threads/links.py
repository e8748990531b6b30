"""Makes trees of messages by their references.

Spec: RFC 5256 §3 (REFERENCES, steps 1 to 3).  Status: complete.

Messages are numbers from 0 in mailbox order; numbers from there on stand for messages that are referred to and are not
among them ("dummies").

Whether a link would close a loop is asked for each of them.  To climb up to the root every time would take time in
proportion to the square of a long thread.  But only a message without a parent, the root of its tree, gets one; so the
link closes a loop exactly if the other end is in the same tree, which sets that are merged tell at once.  Only where a
link was broken before may a set have more than one tree: then the way up is walked, within a budget; what goes beyond,
which no honest mail does, stays without a parent.
"""

from array import array
from collections.abc import Sequence
from typing import Final

from mailserver.imap.threads.kins import Kin

#: steps upwards, for every message and in any case
_STEPS: Final = 20
_STEPS_ANYWAY: Final = 100_000


class _Links:
    """The links made so far.  parent: by number, -1 for none."""

    __slots__ = ("_broken", "_left", "_sets", "parent")

    def __init__(self, count: int) -> None:
        self.parent = [-1] * count
        self._sets = list(
            range(count)
        )  # of merged sets, a number on the way to the one that stands for it
        self._broken: set[int] = set()  # sets that lost a link
        self._left = _STEPS_ANYWAY + _STEPS * count

    def dummy(self) -> int:
        """A new number."""
        number = len(self.parent)
        self.parent.append(-1)
        self._sets.append(number)
        return number

    def make(self, above: int, below: int) -> None:
        """Make *above* the parent of *below*, which has none, unless that closes a loop."""
        one, other = self._set_of(above), self._set_of(below)
        if one != other:
            self._sets[other] = one
            if other in self._broken:
                self._broken.add(one)
        elif one not in self._broken or self._is_above(below, above):
            return
        self.parent[below] = above

    def break_(self, below: int) -> None:
        """Take away the parent of *below*."""
        self.parent[below] = -1
        self._broken.add(self._set_of(below))

    def _set_of(self, number: int) -> int:
        sets = self._sets
        while sets[number] != number:
            sets[number] = number = sets[sets[number]]
        return number

    def _is_above(self, wanted: int, number: int) -> bool:
        parent = self.parent
        while number != -1:
            if number == wanted:
                return True
            number = parent[number]
            self._left -= 1
            if self._left < 0:
                return True
        return False


def parents(kin: Kin, rows: "array[int]") -> list[int]:
    """The parent of each of the messages *rows*, then of each dummy; -1 for none (RFC 5256 §3, step 1)."""
    count = len(rows)
    ids: dict[int, int] = {}
    own, refs, starts = kin.own, kin.refs, kin.starts
    for number, row in enumerate(rows):
        if own[row]:
            ids.setdefault(own[row], number)
    links = _Links(count)
    parent = links.parent
    for number, row in enumerate(rows):
        last = -1
        for at in range(starts[row], starts[row + 1]):
            one = ids.get(refs[at])
            if one is None:
                one = ids[refs[at]] = links.dummy()
            if last != -1 and parent[one] == -1 and one != last:
                links.make(last, one)
            last = one
        if parent[number] != last:
            if parent[number] != -1:
                links.break_(number)
            if last not in (-1, number):
                links.make(last, number)
    return parent


def pruned(parent: Sequence[int], count: int) -> list[int]:
    """The same for the *count* messages alone: dummies are left where they hold several roots together.

    RFC 5256 §3, steps 2 and 3.
    """
    above: list[int] = []
    ends: dict[int, int] = {}  # dummy -> the message above it, or the highest dummy
    held: dict[int, int] = {}  # highest dummy -> messages below it
    for number in range(count):
        up = parent[number]
        if up >= count:
            up = _end(parent, count, up, ends)
            if up >= count:
                held[up] = held.get(up, 0) + 1
        above.append(up)
    return [-1 if up >= count and held[up] == 1 else up for up in above]


def _end(parent: Sequence[int], count: int, dummy: int, ends: dict[int, int]) -> int:
    way: list[int] = []
    while dummy not in ends:
        way.append(dummy)
        up = parent[dummy]
        if up < count:
            ends[dummy] = dummy if up == -1 else up
        else:
            dummy = up
    end = ends[dummy]
    for passed in way:
        ends[passed] = end
    return end
