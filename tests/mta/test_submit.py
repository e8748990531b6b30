"""What happens to a submitted message: Date, Message-ID, Bcc, and nothing else."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mta.submit import NAME_SIZE, Submitted

DATE = b"Date: today\r\n"
ID = b"Message-ID: <id@mx>\r\n"


def submitted(message: bytes, chop: int = 0, most: int = 1_000_000) -> bytes:
    filter = Submitted("today", "<id@mx>", most)
    step = chop or len(message) or 1
    out = b"".join(filter.feed(message[i : i + step]) for i in range(0, len(message), step))
    return out + filter.end()


@pytest.mark.rfc(6409, "8.2", "8.3")
@pytest.mark.rfc(5322, "3.6.3")
@pytest.mark.parametrize("chop", [0, 1, 2, 3, 7])
@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (b"From: a@b\r\n\r\nx\r\n", b"From: a@b\r\n" + DATE + ID + b"\r\nx\r\n"),
        (b"From: a@b\r\nDATE : d\r\n\r\nx", b"From: a@b\r\nDATE : d\r\n" + ID + b"\r\nx"),
        (b"message-id:\r\n <x@y>\r\n\r\n", b"message-id:\r\n <x@y>\r\n" + DATE + b"\r\n"),
        (DATE + b"Bcc: c@d\r\n" + ID + b"\r\nBcc: stays\r\n", DATE + ID + b"\r\nBcc: stays\r\n"),
        (DATE + ID + b"BCC :\r\n c@d,\r\n\te@f\r\nTo: g\r\n\r\n", DATE + ID + b"To: g\r\n\r\n"),
        (DATE + ID + b"Resent-Bcc: c@d\r\nReturn-Path: <a@b>\r\n\r\n", DATE + ID + b"\r\n"),
        (DATE + ID + b"Bcc-To: x\r\nX-Bcc: y\r\nBc: z\r\n\r\n", None),
        (DATE + ID + b"To: a\r\n b\r\n \r\n\r\nx\r\n\r\ny", None),
        # a message without a body, and one that ends in the middle of a line
        (b"From: a@b\r\n", b"From: a@b\r\n" + DATE + ID),
        (b"From: a@b", b"From: a@b\r\n" + DATE + ID),
        (DATE + ID + b"From: a@b", None),
        (DATE + b"Bcc: c@d", DATE + ID),
        (b"\r\nbody", DATE + ID + b"\r\nbody"),
        (b"", DATE + ID),
        # broken header sections: lines that belong to nothing
        (b"From: a@b\r\nthe quick brown\r\n\r\nx", None),
        (b"From: a@b\r\nBcc: c@d,\r\ne@f\r\nTo: g\r\n\r\nx", b"From: a@b\r\nTo: g\r\n\r\nx"),
        (b"Bcc: c@d\r\nno field: x\r\n\r\n", b"no field: x\r\n\r\n"),
        (b"just text\r\nmore text\r\n", None),
    ],
)
def test_fields_are_added_and_taken_out(message: bytes, wanted: bytes | None, chop: int) -> None:
    assert submitted(message, chop) == (message if wanted is None else wanted)


LINE = st.sampled_from(
    [b"From: a@b", b"bcc: c@d", b" folded, e@f", b"Subject: x", b"Date: d", b"Message-Id: <m>", b"junk", b"x y: z",
     b"X: " + b"y" * NAME_SIZE, b"Bcc: " + b"y@z," * NAME_SIZE, b"", b"\tX", b"Resent-BCC :h@i"]
)  # fmt: skip
MESSAGE = st.lists(LINE).map(lambda lines: b"".join(line + b"\r\n" for line in lines))


@given(MESSAGE, st.integers(1, 50), st.booleans())
def test_pieces_do_not_matter(message: bytes, chop: int, is_cut: bool) -> None:
    message = message[:-3] if is_cut else message
    assert submitted(message, chop) == submitted(message)


@given(MESSAGE)
@pytest.mark.rfc(5322, "3.6")
def test_what_leaves_has_no_blind_copies_and_all_else_in_its_order(message: bytes) -> None:
    out = submitted(message)
    head, empty, body = (b"\r\n" + message).partition(b"\r\n\r\n")
    new_head, _, new_body = (b"\r\n" + out).partition(b"\r\n\r\n")
    if empty:
        assert new_body == body
    assert not re.search(rb"(?im)^(bcc|resent-bcc)[ \t]*:", new_head)
    rest = new_head.replace(b"\r\n" + DATE[:-2], b"", 1).replace(b"\r\n" + ID[:-2], b"", 1)
    lines = iter(head.split(b"\r\n"))
    assert all(line in lines for line in rest.split(b"\r\n")), "an order of its own"


@given(st.binary(max_size=300), st.integers(1, 20))
def test_garbage_does_not_raise(message: bytes, chop: int) -> None:
    out = submitted(message, chop)
    assert out == submitted(message)
    assert len(out) <= len(message) + len(DATE + ID) + 2


def test_a_header_without_end_is_left_alone_and_takes_no_time() -> None:
    began = time.thread_time()
    lines = b"X: y\r\n" * 300_000
    assert submitted(lines, 65_536, most=1_000) == lines
    endless = b"x" * 2_000_000
    assert submitted(endless, 65_536) == endless
    filter = Submitted("today", "<id@mx>", 1_000_000)
    for _ in range(100):
        filter.feed(b"Bcc: " + b"x" * 65_536)
        assert filter.more < NAME_SIZE + 100
    assert time.thread_time() - began < 5
