"""Batches of UIDs part a mailbox (RFC 10022)."""

from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.imap.commands.uidbatches import batches


@pytest.mark.rfc(10022, "3.1")
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (50, [(50, 1)]),
        (25, [(50, 23), (22, 1)]),
        (10, [(50, 38), (37, 28), (27, 18), (17, 4), (3, 1)]),
    ],
)
def test_with_gaps(size: int, expected: list[tuple[int, int]]) -> None:
    gone = {1, 14, 15, 16, 17, 41, 43, 45}
    assert batches(array("I", [n for n in range(1, 51) if n not in gone]), size) == expected


@given(st.sets(st.integers(1, 300)), st.integers(1, 40))
def test_every_message_is_in_one_batch_and_all_but_the_last_are_full(
    uids: set[int], size: int
) -> None:
    found = batches(array("I", sorted(uids)), size)
    members = [{uid for uid in uids if low <= uid <= high} for high, low in found]
    assert set().union(*members) == uids
    assert sum(map(len, members)) == len(uids)
    assert all(len(m) == size for m in members[:-1])
    if found:
        assert 1 <= len(members[-1]) <= size
        assert found[-1][1] == 1
        assert all(above[1] == below[0] + 1 for above, below in pairwise(found))
