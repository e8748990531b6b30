"""Tag lists: what is written is read, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mailauth.dkim.tags import (
    BadTags,
    base64,
    colon_list,
    emptied,
    parse_tags,
    quoted_printable,
    without_space,
)

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True)
VALUES = st.from_regex(r"([!-:<-~ü]([!-:<-~ ]*[!-:<-~])?)?", fullmatch=True)
SPACE = st.sampled_from(["", " ", "\t", "\r\n ", " \r\n\t"])


@pytest.mark.rfc(6376, "3.2")
@given(st.dictionaries(NAMES, VALUES, min_size=1), st.data())
def test_what_is_written_is_read(tags, data):
    text, rest = "", list(tags.items())
    for name, value in rest:
        a, b, c, d = (data.draw(SPACE) for _ in range(4))
        text += f"{a}{name}{b}={c}{value}{d};"
    if data.draw(st.booleans()):
        text = text[:-1]
    found = parse_tags(text.encode())
    unfolded = {name: value.replace("\r\n", "") for name, value in tags.items()}
    assert {name: value.decode() for name, value in found.items()} == unfolded
    for name, value in rest:
        without = emptied(text.encode(), name.encode())
        assert parse_tags(without) == found | {name: b""}
        assert len(text.encode()) - len(without) >= len(value.encode())


@pytest.mark.rfc(6376, "3.2")
@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b";", b"a", b"a=1;;b=2", b";a=1", b"a=1; a=2", b"1a=1", b"a b=1", b"=1", b"a=1;b",
        b"a=\0", b"a=\x7f", b"a=1\n", b"a=1\r\n", b"a=1\r", b"a=1\r\nb=2", b"a=\xff", b"_a=1",
    ],
)  # fmt: skip
def test_what_is_no_list(text):
    with pytest.raises(BadTags):
        parse_tags(text)


@given(st.binary(max_size=200))
def test_garbage_raises_or_is_read(text):
    try:
        tags = parse_tags(text)
    except BadTags:
        return
    assert tags


@pytest.mark.rfc(6376, "3.2")
def test_names_have_a_case_and_values_keep_their_inner_space():
    tags = parse_tags(b" a = x \t y ; A=;")
    assert (tags["a"], tags["A"]) == (b"x \t y", b"")
    assert without_space(b"a \r\n\tb") == b"ab"


@pytest.mark.rfc(6376, "2.11")
@given(st.binary(max_size=50))
def test_quoted_printable(octets):
    written = b" ".join(b"=%02X" % c for c in octets)
    assert quoted_printable(written) == octets
    assert quoted_printable(b"a\r\n b=3Dc") == b"ab=c"
    for bad in (b"=", b"=a", b"=4g", b"=3d"):
        with pytest.raises(BadTags):
            quoted_printable(bad)


@pytest.mark.parametrize("value", [b"A", b"AA", b"A*AA", b"=AAA", b"AA==AA==", b"AAA"])
def test_what_is_not_base64(value):
    with pytest.raises(BadTags):
        base64(value)


def test_lists_and_base64_with_white_space():
    assert base64(b" AQ\r\n I= ") == b"\1\2"
    assert colon_list(b"a :\r\n b:c ") == [b"a", b"b", b"c"]
