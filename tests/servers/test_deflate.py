"""DEFLATE on a connection: whole, piece by piece, hostile (RFC 1951, RFC 4978)."""

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.servers.deflate import STEP, Deflate


def taken(deflate: Deflate) -> bytes:
    out = b""
    while deflate.has_more:
        piece = deflate.take()
        assert len(piece) <= STEP
        out += piece
    return out


@given(st.lists(st.binary(max_size=300)), st.integers(1, 50), st.lists(st.booleans()))
@pytest.mark.rfc(4978, "3")
def test_round_trip(pieces: list[bytes], step: int, forgets: list[bool]) -> None:
    """What one side compresses the other has in full after each piece, also when memory was given back between."""
    ours, theirs = Deflate(), Deflate()
    forget = iter(forgets)
    for piece in pieces:
        wire = ours.compress(piece)
        got = b""
        for start in range(0, len(wire), step):
            theirs.feed(wire[start : start + step])
            got += taken(theirs)
        assert got == piece
        if next(forget, False):
            ours.let_go()
    theirs.feed(ours.finish() + b"plain")
    assert taken(theirs) == b""
    assert theirs.is_over
    assert theirs.rest() == b"plain"


def test_a_small_window_is_read_by_everybody() -> None:
    ours = Deflate()
    data = b"* 1 FETCH (FLAGS (\\Seen))\r\n" * 10_000
    wire = ours.compress(data)
    assert len(wire) < len(data) / 50
    assert zlib.decompressobj(-15).decompress(wire) == data


@pytest.mark.rfc(4978, "6")
def test_a_bomb_is_never_in_memory() -> None:
    wire = zlib.compress(bytes(20_000_000), 9, wbits=-15)
    theirs = Deflate()
    theirs.feed(wire)
    assert theirs.held < 30_000
    total = 0
    while theirs.has_more:
        piece = theirs.take()
        assert len(piece) <= STEP
        assert theirs.held <= len(wire)
        total += len(piece)
    assert total == 20_000_000


@given(st.binary(max_size=500))
def test_garbage(data: bytes) -> None:
    theirs = Deflate()
    theirs.feed(data)
    with contextlib.suppress(zlib.error):
        taken(theirs)
