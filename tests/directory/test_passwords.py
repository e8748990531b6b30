"""Hashing and verifying passwords."""

import bcrypt
import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.base.errors import Cannot
from mailserver.directory import passwords
from mailserver.directory.passwords import (
    check_policy,
    hash_password,
    is_known,
    needs_rehash,
    prepare,
    verify,
)


@pytest.mark.rfc(9106, "4")
def test_a_hash_verifies_its_password_and_no_other() -> None:
    encoded = hash_password("correct horse")
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify(encoded, "correct horse")
    assert not verify(encoded, "correct horsf")
    assert not needs_rehash(encoded)
    assert hash_password("correct horse") != encoded


@pytest.mark.parametrize("prefix", [b"2a", b"2b"])
def test_bcrypt_is_accepted_and_wants_replacing(prefix: bytes) -> None:
    encoded = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4, prefix)).decode()
    assert verify(encoded, "correct horse")
    assert verify(encoded.replace("$2b$", "$2y$"), "correct horse")
    assert not verify(encoded, "battery staple")
    assert needs_rehash(encoded)
    assert is_known(encoded)


def test_bcrypt_looks_at_72_octets_as_it_always_did() -> None:
    encoded = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert verify(encoded, "x" * 80)


def test_weaker_argon2_is_accepted_and_wants_replacing() -> None:
    encoded = PasswordHasher(1, 1024, 1).hash("correct horse")
    assert verify(encoded, "correct horse")
    assert needs_rehash(encoded)


@pytest.mark.parametrize(
    "encoded", ["", "secret", "$argon2id$", "$2b$", "$2b$04$short", "{SSHA}x", "$argon2id$v=19$m=x"]
)
def test_what_is_no_hash_verifies_nothing(encoded: str) -> None:
    assert not verify(encoded, "secret")
    assert not is_known(encoded)
    assert needs_rehash(encoded)


def test_the_dummy_costs_what_a_real_hash_costs() -> None:
    assert not needs_rehash(passwords.DUMMY)
    assert not verify(passwords.DUMMY, "anything")


@pytest.mark.rfc(8265, "4.2.2")
def test_spellings_of_one_password_are_one() -> None:
    assert prepare("cafe\u0301\u2003au lait") == prepare("café au lait")
    assert verify(hash_password("cafe\u0301 au lait"), "café au\u00a0lait")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "too short"),
        ("", "too short"),
        ("x" * 1025, "too long"),
        ("12345678\n", "control"),
    ],
)
def test_policy_says_why(password: str, reason: str) -> None:
    with pytest.raises(Cannot, match=reason):
        check_policy(password)


def test_policy_counts_characters_not_octets() -> None:
    check_policy("пароль12")
    with pytest.raises(Cannot):
        check_policy("пароль1")


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40), st.text(st.characters(codec="ascii"), max_size=70))
def test_garbage_hashes_never_raise(password: str, encoded: str) -> None:
    verify(encoded, password)
    verify("$argon2id$" + encoded, password)
    verify("$2b$" + encoded, password)
