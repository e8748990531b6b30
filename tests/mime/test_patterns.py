"""Runs that are never given back say what the plain loop says, and need no memory that grows with them."""

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.headers import split_fields
from mailserver.mime.patterns import many

BLOCK = st.lists(st.sampled_from([b"a", b":", b" ", b"\t", b"\r\n", b"\n", b"\\", b"("])).map(
    b"".join
)


@pytest.mark.parametrize("count", [0, 1, 2, 99, 100, 101, 12_345])
def test_a_run_is_taken_whole(count):
    assert re.match(rb"(%b)" % many(rb"ab?"), b"aba" * count)[1] == b"aba" * count


def test_a_run_is_not_given_back():
    assert re.match(many(rb"a") + rb"a", b"aaa") is None


@given(BLOCK)
def test_fields_are_those_of_a_plain_loop(block):
    """A field and its folded lines, read line by line; lines without a colon belong to the field before."""
    wanted: list[bytes] = []
    in_field = False
    for line in re.findall(rb"[^\n]*\n|[^\n]+", block):
        text = line.rstrip(b"\n")
        goes_on = text[:1] in (b" ", b"\t") or (
            text[:1] not in (b"", b"\r", b":") and b":" not in text
        )
        if in_field and goes_on:
            wanted[-1] += line
        elif re.match(rb"[!-9;-~]+[ \t]*:", line):
            wanted.append(line)
            in_field = True
        else:
            in_field = False
    assert [field for _, field in split_fields(block)] == wanted


def test_a_million_octets_of_folds_cost_next_to_nothing():
    block = b"X: " + b"\r\n a" * 250_000 + b"\r\n"
    tracemalloc.start()
    try:
        assert len(split_fields(block)) == 1
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
