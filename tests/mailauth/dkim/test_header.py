"""Header fields, cut and chosen."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mailauth.dkim.header import Header, in_turns

FIELDS = st.lists(
    st.tuples(
        st.sampled_from([b"From", b"to", b"X-A", b"!"]),
        st.sampled_from([b"", b" ", b"\t "]),
        st.lists(
            st.sampled_from([b" ", b"\t", b"a", b":", b"\xc3\xbc", b"\r\n ", b"\0"]), max_size=9
        ),
    ),
    max_size=6,
)


@pytest.mark.rfc(6376, "3.4.1", "3.4.2")
@given(FIELDS)
def test_any_fields(fields):
    lines = [name + space + b":" + b"".join(text) for name, space, text in fields]
    header = Header(b"".join(line + b"\r\n" for line in lines))
    assert not header.fault
    assert [f.canonical("simple") for f in header.fields] == lines
    for (name, _, text), field in zip(fields, header.fields, strict=True):
        value = b"".join(text).replace(b"\r\n", b"")
        value = re.sub(rb"[ \t]+", b" ", value).strip(b" ")
        assert field.canonical("relaxed") == name.lower() + b":" + value
    for form in ("simple", "relaxed"):
        names = [field.name for field in header.fields]
        chosen = header.chosen(in_turns(names))
        assert sorted(raw for _, raw in chosen) == sorted(lines)
        known = {field.raw: field for field in header.fields}
        text = b"".join(known[raw].canonical(form) + b"\r\n" for _, raw in chosen)
        assert header.signed_text(in_turns(names), form) == text


@pytest.mark.rfc(6376, "3.4.5")
def test_the_example():
    header = Header(b"A: X\r\nB : Y\t\r\n\tZ  \r\n")
    wanted = in_turns([b"a", b"b"])
    assert header.signed_text(wanted, "relaxed") == b"a:X\r\nb:Y Z\r\n"
    assert header.signed_text(wanted, "simple") == b"A: X\r\nB : Y\t\r\n\tZ  \r\n"


@pytest.mark.rfc(6376, "5.4.2")
def test_fields_are_taken_from_the_bottom_up():
    header = Header(b"Received: A\r\nX: x\r\nreceived: B\r\nReceived: C\r\n\r\n")
    chosen = header.chosen(in_turns([b"received", b"none", b"received"]))
    assert chosen == [(b"received", b"Received: C"), (b"received", b"received: B")]
    assert len(header.chosen(in_turns([b"received"] * 9))) == 3


@given(st.binary(max_size=60))
def test_garbage_is_a_fault_or_fields(block):
    header = Header(block)
    text = b"".join(f.raw + b"\r\n" for f in header.fields)
    assert header.fault or text in {block, block + b"\r\n", block[:-2]}


def test_the_last_line_may_lack_its_end():
    assert Header(b"A: b").fields[0].raw == b"A: b"
    assert Header(b"").fields == Header(b"\r\n").fields == []
    assert Header(b"A: b\r\n\r\nbody").fault
