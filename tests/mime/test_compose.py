"""Fields we write ourselves."""

import email
import email.policy
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.addresses import Budget, parse_addresses
from mailserver.mime.compose import encode_phrase, encode_text, field, format_date
from mailserver.mime.headers import decode_words, split_fields, unfold


@pytest.mark.rfc(5322, "3.3")
@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
        (1_700_000_000, "Tue, 14 Nov 2023 22:13:20 +0000"),
        (1_709_164_800.9, "Thu, 29 Feb 2024 00:00:00 +0000"),
    ],
)
def test_format_date(at, expected):
    assert format_date(at) == expected


@pytest.mark.rfc(5322, "2.1.1", "2.2.3")
def test_a_long_field_is_folded_at_white_space():
    value = "from client.example.org (mx.example.org [192.0.2.1]) by mail.example.test with ESMTPS id 4711; x"
    assert field("Received", value) == (
        b"Received: from client.example.org (mx.example.org [192.0.2.1]) by\r\n"
        b" mail.example.test with ESMTPS id 4711; x\r\n"
    )
    assert field("X", "a" * 200) == b"X: " + b"a" * 200 + b"\r\n"
    assert field("X", "") == b"X:\r\n"


@pytest.mark.parametrize("value", ["a\r\nBcc: b", "a\nBcc: b", "a\rBcc: b", "a\0\r\n\r\nbody"])
def test_a_value_never_adds_a_field(value):
    written = field("X", value)
    assert len(split_fields(written)) == 1
    assert written.count(b"\n") == 1
    assert b"\n" not in encode_text(value).encode()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)


@given(TEXTS)
def test_one_field_whatever_the_value(value):
    written = field("Name", value)
    assert [name for name, _ in split_fields(written)] == [b"Name"]
    assert written.endswith(b"\r\n")
    for line in written.split(b"\r\n")[:-1]:
        assert line.strip()
        assert not any(octet < 32 and octet != 9 for octet in line)


@given(st.text("ab c", max_size=200))
def test_folding_takes_nothing_away(value):
    written = field("Name", value)
    assert unfold(written.partition(b":")[2]).decode() == value.strip()


@pytest.mark.rfc(5322, "3.2.5")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada Quill", "Ada Quill"),
        ("Quill, Ada", '"Quill, Ada"'),
        ('Ada "Ink" \\', '"Ada \\"Ink\\" \\\\"'),
        ("Jörg", "=?utf-8?B?SsO2cmc=?="),
        ("=?utf-8?Q?a?=", "=?utf-8?B?PT91dGYtOD9RP2E/PQ==?="),
    ],
)
def test_encode_phrase(name, expected):
    assert encode_phrase(name) == expected


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=60
    ).filter(str.strip)
)
def test_a_display_name_is_read_by_us_and_by_python(name):
    written = f"{encode_phrase(name)} <a@example.org>"
    (address,) = parse_addresses(written.encode(), Budget(5))
    assert address.mailbox == b"a"
    assert decode_words(address.name or b"").split() == name.split()
    assert parseaddr(written)[1] == "a@example.org"
    message = email.message_from_string(f"From: {written}\n\n", policy=email.policy.default)
    assert message["From"].addresses[0].addr_spec == "a@example.org"
