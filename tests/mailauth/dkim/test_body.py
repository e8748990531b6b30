"""Canonical bodies, compared with the RFC's steps taken one by one."""

import base64
import hashlib
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mailauth.dkim.body import Bodies, Wanted

SIMPLE, RELAXED = Wanted("simple"), Wanted("relaxed")
BODIES = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b" ", b"\t", b"  ", b"a", b".", b"\xff", b"\r\n\r\n"]),
    max_size=25,
).map(b"".join)


def digest(body: bytes, wanted: Wanted, cuts=()) -> tuple[bytes, int]:
    bodies = Bodies()
    bodies.want(wanted)
    for start, end in pairwise([0, *sorted(cuts), len(body)]):
        bodies.feed(body[start:end])
    return bodies.digest(wanted)


def simple(body: bytes) -> bytes:
    """RFC 6376 §3.4.3, as it is written."""
    while body.endswith(b"\r\n"):
        body = body[:-2]
    return body + b"\r\n"


def relaxed(body: bytes) -> bytes:
    """RFC 6376 §3.4.4, as it is written."""
    lines = body.split(b"\r\n")
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" \t") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


@pytest.mark.rfc(6376, "3.4.3", "3.4.4")
def test_empty_bodies():
    """The two hashes that the RFC gives."""
    assert base64.b64encode(digest(b"", SIMPLE)[0]) == (
        b"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="
    )
    assert base64.b64encode(digest(b"", RELAXED)[0]) == (
        b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    )


@pytest.mark.rfc(6376, "3.4.5")
@pytest.mark.parametrize(
    ("wanted", "canonical"),
    [
        (RELAXED, b" C\r\nD E\r\n"),
        (SIMPLE, b" C \r\nD \t E\r\n"),
    ],
)
def test_the_examples(wanted, canonical):
    found = digest(b" C \r\nD \t E\r\n\r\n\r\n", wanted)
    assert found == (hashlib.sha256(canonical).digest(), len(canonical))


@pytest.mark.rfc(6376, "3.4.3", "3.4.4", "3.7")
@given(BODIES, st.lists(st.integers(0, 50), max_size=8), st.integers(0, 40))
def test_any_body_in_any_pieces(body, cuts, length):
    cuts = [cut for cut in cuts if cut <= len(body)]
    for wanted, canonical in ((SIMPLE, simple(body)), (RELAXED, relaxed(body))):
        expected = (hashlib.sha256(canonical).digest(), len(canonical))
        assert digest(body, wanted, cuts) == expected
        part = (hashlib.sha256(canonical[:length]).digest(), len(canonical))
        assert digest(body, Wanted(wanted.form, length), cuts) == part


@pytest.mark.rfc(6376, "5.3.1")
def test_many_hashes_in_one_reading():
    bodies = Bodies()
    all_of_them = [Wanted(form, n) for form in ("simple", "relaxed") for n in (None, 0, 5, 99)]
    for wanted in all_of_them * 2:
        bodies.want(wanted)
    bodies.feed(b"a  b\r\nc")
    texts = {"simple": b"a  b\r\nc\r\n", "relaxed": b"a b\r\nc\r\n"}
    for form, n in all_of_them:
        assert bodies.digest(Wanted(form, n)).digest == hashlib.sha256(texts[form][:n]).digest()


def test_it_is_too_late_to_want_another_hash():
    bodies = Bodies()
    bodies.feed(b"")
    with pytest.raises(AssertionError):
        bodies.want(SIMPLE)


def test_large_bodies_are_read_in_little_memory():
    """Twenty megabytes of what is held back: line ends, blanks, CRs."""
    bodies = Bodies()
    bodies.want(RELAXED)
    bodies.want(SIMPLE)
    for octets in (b"\r\n", b" ", b"\r"):
        piece = octets * (65_536 // len(octets))
        for _ in range(100):
            bodies.feed(piece)
    assert bodies.digest(SIMPLE).size == 300 * 65_536 + 2
    assert bodies.digest(RELAXED).size == 100 * 65_536 + 1 + 100 * 65_536 + 2
