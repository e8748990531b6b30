"""The algorithms that THREAD offers.

Spec: RFC 5256 §3 (ORDEREDSUBJECT, REFERENCES).  Status: complete.

REFS is that of draft-ietf-morg-inthread-01, as other servers have it: threads by references alone, in the order of what
was sent last in each.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mailserver.imap.sorting.pieces import in_order
from mailserver.imap.threads.kins import Kin
from mailserver.imap.threads.links import parents, pruned


@dataclass(frozen=True, slots=True)
class Forest:
    """Messages are numbers from 0 up to, and without, *count*; others hold several of them together.

    roots, children: in the order in which they are told.
    """

    count: int
    roots: Sequence[int]
    children: dict[int, list[int]] = field(default_factory=dict)


#: from what is known of messages, and which of them are meant, to threads
Algorithm: TypeAlias = Callable[[Kin, "array[int]"], Forest]


def ordered_subject(kin: Kin, rows: "array[int]") -> Forest:
    """Those with the same base subject; the first one is the parent of the others (RFC 5256 §3)."""
    children: dict[int, list[int]] = {}
    roots: list[int] = []
    first: dict[int, int] = {}
    for number in _by(kin.sent, rows):
        subject = kin.subject[rows[number]]
        root = first.setdefault(subject, number)
        if root == number:
            roots.append(number)
        else:
            children.setdefault(root, []).append(number)
    return Forest(len(rows), roots, children)


def references(kin: Kin, rows: "array[int]") -> Forest:
    """By references, then by subject (RFC 5256 §3)."""
    above = pruned(parents(kin, rows), len(rows))
    order = _by(kin.sent, rows)
    forest = _grown(above, order)
    _join_subjects(kin, rows, forest, above)
    return _grown(above, order)


def refs(kin: Kin, rows: "array[int]") -> Forest:
    """By references alone; the thread that somebody wrote in last is the last one."""
    above = pruned(parents(kin, rows), len(rows))
    order = _by(kin.sent, rows)
    forest = _grown(above, order)
    top: dict[int, int] = {}
    latest: dict[int, int] = {}
    for number in order:
        way = []
        at = number
        while at not in top and at < forest.count and above[at] != -1:
            way.append(at)
            at = above[at]
        root = top.get(at, at)
        for passed in way:
            top[passed] = root
        latest.pop(root, None)  # to the end
        latest[root] = number
    return Forest(forest.count, list(latest), forest.children)


ALGORITHMS: Final[dict[str, Algorithm]] = {
    "ORDEREDSUBJECT": ordered_subject,
    "REFERENCES": references,
    "REFS": refs,
}


def _by(dates: "array[int]", rows: "array[int]") -> list[int]:
    """The numbers of the messages in the order of *dates*, equal ones in mailbox order (RFC 5256 §2.2)."""
    count = len(rows)
    keys = [dates[row] * count + number for number, row in enumerate(rows)]
    return [key % count for key in in_order(keys)]


def _grown(above: Sequence[int], order: Sequence[int]) -> Forest:
    """The forest whose siblings are in the *order* of all messages; what holds several together is as its first."""
    count = len(above)
    roots: list[int] = []
    children: dict[int, list[int]] = {}
    for number in order:
        up = above[number]
        if up == -1:
            roots.append(number)
        elif up in children:
            children[up].append(number)
        else:
            children[up] = [number]
            if up >= count:
                roots.append(up)
    return Forest(count, roots, children)


def _join_subjects(kin: Kin, rows: "array[int]", forest: Forest, above: list[int]) -> None:
    """Put threads with the same subject together, by changing what is *above* their roots (RFC 5256 §3, step 5)."""
    count = forest.count
    next_dummy = max([count, *[root + 1 for root in forest.roots]])
    table: dict[int, int] = {}

    def row(root: int) -> int:
        return rows[root if root < count else forest.children[root][0]]

    for root in forest.roots:  # (B)
        subject = kin.subject[row(root)]
        if subject:
            other = table.setdefault(subject, root)
            if (
                other != root
                and other < count
                and (root >= count or (kin.is_reply[rows[other]] and not kin.is_reply[rows[root]]))
            ):
                table[subject] = root
    for root in forest.roots:  # (C)
        subject = kin.subject[row(root)]
        other = table.get(subject, root) if subject else root
        if other == root:
            continue
        if other >= count:
            if root >= count:
                for child in forest.children[root]:
                    above[child] = other
            else:
                above[root] = other
        elif root < count and kin.is_reply[rows[root]] and not kin.is_reply[rows[other]]:
            above[root] = other
        else:
            above[root] = above[other] = table[subject] = next_dummy
            next_dummy += 1
