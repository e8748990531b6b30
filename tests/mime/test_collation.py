"""i;unicode-casemap (RFC 5051)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.collation import collated


@pytest.mark.rfc(5051, "2")
@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("", ""),
        ("Hello, World_1", "HELLO, WORLD_1"),
        (
            "\u01c4",
            "D\u007a\u030c",
        ),  # the example of RFC 5051 §2: its titlecase is taken apart twice
        ("é", "E\u0301"),
        ("e\u0301", "E\u0301"),
        ("ß", "ß"),  # two capitals are no simple mapping
        ("ﬁ", "fi"),
        ("각", "각"),  # syllables have no decomposition of their own
        ("ａ", "A"),
        ("ÿ", "Y\u0308"),
        ("Отпуск", "ОТПУСК"),
        ("й", "И\u0306"),
        ("a\u0323\u0307", "A\u0323\u0307"),
        ("a\u0307\u0323", "A\u0307\u0323"),  # marks are not reordered
    ],
)
def test_examples(value: str, key: str) -> None:
    assert collated(value) == key


@given(st.text())
def test_case_and_composition_do_not_matter(text: str) -> None:
    key = collated(text)
    assert (
        collated(key) == collated(key.upper())
        or "ß" in text
        or any(len(c.upper()) > 1 for c in key)
    )
    for c in text:
        if len(c.title()) == 1 and len(c.upper()) == 1 and c.upper().title() == c.title():
            assert collated(c) == collated(c.upper())


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_is_upper_case(text: str) -> None:
    assert collated(text) == text.upper()


def test_every_character_ends() -> None:
    for n in range(0x110000):
        if not 0xD800 <= n < 0xE000:
            for c in collated(chr(n)):
                assert not unicodedata.decomposition(c) or c == chr(n), hex(n)
