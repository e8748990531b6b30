"""Header blocks and encoded words."""

from email.header import Header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.headers import decode_words, leading_fields, pick_fields, split_fields, unfold

BLOCK = (
    b"From nobody Tue Jan  2 10:11:12 2024\r\n"
    b"To: a@b,\r\n\tc@d\r\n"
    b"Subject : one\r\n"
    b"two\r\n"
    b"X-Bl\xe4h: no field\r\n"
    b"to:e@f\r\n"
    b"\r\n"
)


@pytest.mark.rfc(7103, "7.2", "7.4")
def test_split_fields():
    assert split_fields(BLOCK) == [
        (b"To", b"To: a@b,\r\n\tc@d\r\n"),
        (b"Subject", b"Subject : one\r\ntwo\r\n"),
        (b"to", b"to:e@f\r\n"),
    ]


@pytest.mark.rfc(3501, "6.4.5")
def test_pick_fields():
    assert pick_fields(BLOCK, {b"to"}) == b"To: a@b,\r\n\tc@d\r\nto:e@f\r\n"
    assert pick_fields(BLOCK, {b"to"}, others=True) == b"Subject : one\r\ntwo\r\n"
    assert pick_fields(b"A: b", {b"a"}) == b"A: b"
    assert pick_fields(b"", {b"a"}) == b""


@pytest.mark.rfc(7103, "7.2")
@pytest.mark.parametrize(
    ("block", "size"),
    [
        (b"", 0),
        (b"text", 0),
        (b"A: b\r\n", 6),
        (b"A: b\r\n c", 8),
        (b"A: b\r\ntext\r\n", 6),
        (b"A: b\r\ntext\r\nC: d\r\ntext", 18),
    ],
)
def test_a_header_without_an_empty_line(block, size):
    assert leading_fields(block) == size


@pytest.mark.rfc(5322, "2.2.3")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b" a\r\n b\r\n", b"a b"),
        (b"a\r\n\t b", b"a\t b"),
        (b"a\n b", b"a b"),
        (b"\r\n a", b"a"),
        (b"a\r\nb", b"a b"),
        (b"a\rb\0c", b"a bc"),
        (b"a  b", b"a  b"),
    ],
)
def test_unfold(value, text):
    assert unfold(value) == text


@pytest.mark.rfc(2047, "2", "4.1", "4.2", "6.2", "8")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
        (b"=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?= <paf@nada.kth.se>", "Patrik Fältström <paf@nada.kth.se>"),
        (b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
         "If you can read this you understand the example."),
        (b"(=?ISO-8859-1?Q?a?=)", "(a)"),
        (b"(=?ISO-8859-1?Q?a?= b)", "(a b)"),
        (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
        (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        (b"=?utf-8*de?q?=C3=BC?=", "ü"),  # RFC 2231 §5
        # damage
        (b"=?utf-8?B?w7w?=", "ü"),  # no padding
        (b"=?utf-8?B?w7w===?=", "ü"),
        (b"=?utf-8?B?w!7w=?=", "ü"),
        (b"=?utf-8?B?w?=", ""),
        (b"=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "ü"),  # a character in two words
        (b"=?utf-8?B?ww==?= =?utf-8?B?vA==?=", "ü"),
        (b"=?utf-8?Q?=C3=ZZ?=", "\ufffd=ZZ"),
        (b"=?utf-8?Q?two words?=", "two words"),
        (b"=?utf-8?Q?what? now?=", "what? now"),
        (b"=?utf-8?Q??=", ""),
        (b"a=?utf-8?Q?b?=c", "abc"),
        (b"=?utf-8?Q?open", "=?utf-8?Q?open"),
        (b"=?utf-8?Q?open =?utf-8?Q?b?=", "=?utf-8?Q?open b"),
        (b"=?utf-8?X?a?=", "=?utf-8?X?a?="),
        (b"=?no-such?Q?a=FC?=", "a\ufffd"),
        (b"=?gb2312?B?yerH69T2vNM=?=", "申请增加"),
        (b"=?utf-7?Q?+APw-?=", "ü"),
        (b"=?unknown-8bit?Q?=FC?=", "ü"),
        (b"=?utf-8?Q?a=0D=0ABcc:_b=00c?=", "a  Bcc: bc"),
        (b"=?utf-7?Q?+2AA-?=", "\ufffd"),
        (b"raw \xc3\xbc", "raw ü"),
        (b"raw \xfc", "raw ü"),
        (b"\xfc =?utf-8?q?=C3=BC?= \xfc", "ü ü ü"),
    ],
)  # fmt: skip
def test_decode_words(value, text):
    assert decode_words(value) == text


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=80)


@pytest.mark.rfc(2047, "2", "5")
@given(TEXTS.filter(lambda s: s == s.strip()), st.sampled_from(["utf-8", "utf-16-be", "gb18030"]))
def test_pythons_words_are_read(text, charset):
    written = Header(text, charset).encode(linesep="\r\n")
    assert decode_words(unfold(written.encode())) == text


@given(st.binary(max_size=100) | st.text("=?utf-8QBqb_ \r\n", max_size=80).map(str.encode))
def test_garbage_gives_text(value):
    decode_words(value)
    fields = split_fields(value)
    assert b"".join(field for _, field in fields) in value or len(fields) > 1
    assert 0 <= leading_fields(value) <= len(value)


NAMES = st.text("ABCabc-", min_size=1, max_size=10).map(str.encode)
BODIES = st.lists(
    st.text("ab: ;=\xe4", max_size=10).map(lambda s: s.encode("latin1")), min_size=1, max_size=3
).map(b"\r\n x".join)


@given(st.lists(st.tuples(NAMES, BODIES), max_size=6))
def test_fields_that_are_written_are_read(fields):
    written = [(name, b"%b: %b\r\n" % (name, body)) for name, body in fields]
    block = b"".join(field for _, field in written)
    assert split_fields(block) == written
    assert split_fields(block + b"\r\n") == written
    assert leading_fields(block) == len(block)
    assert pick_fields(block, {b"a"}) + pick_fields(block, {b"a"}, others=True) == b"".join(
        sorted((f for _, f in written), key=lambda f: f[:2].lower() != b"a:")
    )
