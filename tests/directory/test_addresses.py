"""One spelling for each address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import Cannot
from mailserver.directory.addresses import base_and_detail, domain_name, fold, parse
from mailserver.smtp.address import Address


@pytest.mark.rfc(5321, "2.4")
@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("alice@example.test", Address("alice", "example.test")),
        (" Alice@EXAMPLE.test ", Address("alice", "example.test")),
        ("MÜLLER@bücher.example", Address("müller", "xn--bcher-kva.example")),
        ("mu\u0308ller@xn--bcher-kva.example", Address("müller", "xn--bcher-kva.example")),
        ('"john smith"@example.test', Address("john smith", "example.test")),
    ],
)
def test_parse(typed: str, address: Address) -> None:
    assert parse(typed) == address


@pytest.mark.parametrize(
    "typed", ["", "alice", "alice@", "@example.test", "a b@c", "<a@b>", "a@b c"]
)
def test_parse_says_what_is_wrong(typed: str) -> None:
    with pytest.raises(Cannot, match=r"is no mail address"):
        parse(typed)


def test_error_texts_are_printable() -> None:
    with pytest.raises(Cannot) as caught:
        parse("a\x1b[31m\n" + "x" * 500)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Example.TEST", "example.test"),
        ("example.test.", "example.test"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_domain_name(typed: str, name: str) -> None:
    assert domain_name(typed) == name


@pytest.mark.parametrize(
    "typed", ["", ".", "a b", "under_score.test", "[192.0.2.1]", "a@b", "-x.test"]
)
def test_domain_name_refuses(typed: str) -> None:
    with pytest.raises(Cannot, match="is no domain name"):
        domain_name(typed)


@pytest.mark.rfc(5233, "1")
@pytest.mark.parametrize(
    ("localpart", "separators", "parts"),
    [
        ("alice+news", "+", ("alice", "news")),
        ("alice+news+more", "+", ("alice", "news+more")),
        ("alice+", "+", ("alice", "")),
        ("alice-a+b", "+-", ("alice", "a+b")),
        ("alice", "+", None),
        ("+alice", "+", None),
        ("alice+news", "", None),
    ],
)
def test_subaddress(localpart: str, separators: str, parts: tuple[str, str] | None) -> None:
    assert base_and_detail(localpart, separators) == parts


@given(st.text(max_size=20))
def test_folding_twice_is_folding_once(localpart: str) -> None:
    assert fold(fold(localpart)) == fold(localpart)


@given(st.text("abcxyzäöüßéñçαβγσςабвж", max_size=20))
def test_case_does_not_matter(localpart: str) -> None:
    assert fold(localpart.upper()) == fold(localpart)
