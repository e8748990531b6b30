"""Sequence sets against the plainest reading of the RFC: every number of every range."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.numset import STAR, NumSet, compress

ranges = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6)
numbers = st.sets(st.integers(1, 30)).map(sorted)


def plainly(pairs: list[tuple[int, int]], largest: int) -> set[int]:
    """The numbers that *pairs* stand for when "*" is *largest*."""
    named = [(a or largest, b or largest) for a, b in pairs]
    return {n for a, b in named if a and b for n in range(min(a, b), max(a, b) + 1)}


@pytest.mark.rfc(9051, "9")
@pytest.mark.parametrize(
    ("pairs", "there", "chosen"),
    [
        (((2, 4),), [1, 2, 3, 5], [2, 3]),
        (((4, 2),), [1, 2, 3, 5], [2, 3]),
        (((STAR, STAR),), [1, 2, 5], [5]),
        (((4, STAR),), [1, 2, 5], [5]),
        (((9, STAR),), [1, 2, 5], [5]),  # "*" is the largest even when the other end is beyond it
        (((1, 1), (1, 3), (3, 1)), [1, 2, 3], [1, 2, 3]),
        (((1, STAR),), [], []),
        (((STAR, STAR),), [], []),
        (((1, 4_294_967_295),), [7], [7]),
    ],
)
def test_what_a_set_selects(pairs, there, chosen):
    assert NumSet(pairs, is_uid=True).select(there) == chosen


@given(ranges, numbers)
def test_select_is_the_plain_reading(pairs, there):
    chosen = NumSet(tuple(pairs), is_uid=False).select(there)
    assert chosen == sorted(plainly(pairs, there[-1] if there else 0) & set(there))


@given(ranges, st.integers(0, 30))
def test_resolved_ranges_ascend_apart_and_say_the_same(pairs, largest):
    resolved = NumSet(tuple(pairs), is_uid=True).resolve(largest)
    assert all(low <= high for low, high in resolved)
    assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(resolved))
    assert {n for a, b in resolved for n in range(a, b + 1)} == plainly(pairs, largest)


def test_a_huge_range_costs_nothing():
    everything = NumSet(((1, 4_294_967_295),) * 10_000, is_uid=True)
    assert everything.resolve(10) == [(1, 4_294_967_295)]


@pytest.mark.parametrize(
    ("given_", "text"),
    [([], ""), ([5], "5"), ([1, 2, 3, 7], "1:3,7"), ([3, 2, 1], "3,2,1"), ([1, 2, 2], "1:2,2")],
)
def test_compress(given_, text):
    assert compress(given_) == text


@given(st.lists(st.integers(1, 50)))
def test_what_is_compressed_can_be_read_back_in_order(given_):
    out = []
    for part in filter(None, compress(given_).split(",")):
        low, _, high = part.partition(":")
        out += range(int(low), int(high or low) + 1)
    assert out == given_
