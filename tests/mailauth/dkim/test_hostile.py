"""Messages that somebody made to be verified for a long time, garbage, and bodies that come in odd pieces."""

import asyncio
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailauth.dkim.signing import KEYS, MESSAGE, ZONE, signed, split
from mailserver.mailauth.dkim.keys import record_text
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.record import read_record
from mailserver.mailauth.dkim.verify import Verification, verify


def check(message, zone=ZONE, now=2_000, **rest):
    header, body = split(message)
    return asyncio.run(verify(header, [body], zone, now=now, **rest))


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"DKIM-Signature: v=1\r\n" * 1_000 + MESSAGE, id="a thousand signatures"),
        pytest.param(
            b"DKIM-Signature: v=1; a=rsa-sha256; d=a.b; s=c; bh=AAAA; b=AAAA; h=from"
            + b":a" * 32_768
            + b"\r\n"
            + MESSAGE,
            id="64 kB of h=",
        ),
        pytest.param(
            (
                b"DKIM-Signature: v=1; a=rsa-sha256; d=a.b; s=c; bh=AAAA; b=AAAA; h=from"
                + b":a" * 999
                + b"\r\n"
            )
            * 10
            + b"a: \t \t\r\n" * 50_000
            + MESSAGE,
            id="many names, many fields",
        ),
        pytest.param(
            b"DKIM-Signature: " + b"".join(b"t%d=;" % n for n in range(4_000)) + b"\r\n" + MESSAGE,
            id="many tags",
        ),
        pytest.param(b"DKIM-Signature: v" + b" " * 32_000 + b"\r\n" + MESSAGE, id="blanks"),
        pytest.param(signed() + b" \r\n" * 1_000_000, id="a million empty lines"),
        pytest.param(signed() + b" \t" * 2_000_000 + b"x", id="four megabytes of blanks"),
        pytest.param(signed() + b"\r" * 4_000_000, id="four megabytes of CR"),
        pytest.param(signed() + b"\n\r\n" * 1_000_000, id="bare line ends"),
        pytest.param(b"X:\r\n" + b" x\r\n" * 200_000 + signed(), id="a folded field"),
    ],
)
def test_hostile_messages_cost_little(message):
    start = time.process_time()
    results = check(message)
    assert time.process_time() - start < 10
    assert results
    assert len(results) <= 11


@given(st.lists(st.integers(0, 30), max_size=12))
def test_pieces_do_not_matter(cuts):
    """However the body is cut, the results are the same."""
    header, body = split(signed(key_list=KEYS))
    message = Message(header)
    verification = Verification(message, now=2_000)
    for start, end in pairwise([0, *sorted(cuts), len(body)]):
        message.feed(body[start:end])
    records = {key.record_name: read_record(record_text(key.private).encode()) for key in KEYS}
    assert [r.result for r in verification.results(records)] == ["pass", "pass"]


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_garbage_never_fails(field, body):
    results = check(b"DKIM-Signature:" + field + b"\r\nFrom: a@example.org\r\n\r\n" + body)
    assert all(r.result != "pass" for r in results)


@given(st.text("vabhdsictlxq=;: \t0123rsa-", max_size=120))
def test_tag_soup_never_fails(text):
    results = check(b"DKIM-Signature:" + text.encode() + b"\r\nFrom: a@example.org\r\n\r\n")
    assert all(r.result not in {"pass", "temperror"} for r in results)
