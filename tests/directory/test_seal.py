"""Sealed secrets open with their key and for their purpose, or not at all."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import Corrupt, NotFound
from mailserver.directory.seal import FILE, Seal, load, load_or_make

SEAL = Seal(bytes(32))


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_sealed_opens_again(secret, about):
    sealed = SEAL.close(secret, about)
    assert SEAL.open(sealed, about) == secret
    assert SEAL.close(secret, about) != sealed
    assert len(secret) < 4 or secret not in sealed


@given(st.integers(0, 40), st.integers(1, 255))
def test_a_changed_octet_is_noticed(at, change):
    sealed = bytearray(SEAL.close(b"a secret", "next hop"))
    sealed[at % len(sealed)] ^= change
    with pytest.raises(Corrupt):
        SEAL.open(bytes(sealed), "next hop")


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(12), bytes(40)])
def test_what_was_never_sealed_does_not_open(sealed):
    with pytest.raises(Corrupt, match="next hop"):
        SEAL.open(sealed, "next hop")


def test_another_purpose_or_another_key():
    sealed = SEAL.close(b"a secret", "next hop a")
    with pytest.raises(Corrupt):
        SEAL.open(sealed, "next hop b")
    with pytest.raises(Corrupt):
        Seal(b"\1" * 32).open(sealed, "next hop a")


def test_the_key_is_made_once(tmp_path):
    with pytest.raises(NotFound):
        load(tmp_path)
    sealed = load_or_make(tmp_path).close(b"a secret", "x")
    assert load_or_make(tmp_path).open(sealed, "x") == b"a secret"
    assert load(tmp_path).open(sealed, "x") == b"a secret"
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_many_make_it_at_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        seals = list(pool.map(lambda _: load_or_make(tmp_path), range(8)))
    sealed = seals[0].close(b"a secret", "x")
    assert {seal.open(sealed, "x") for seal in seals} == {b"a secret"}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_key_of_the_wrong_size(tmp_path):
    (tmp_path / FILE).write_bytes(b"too short")
    with pytest.raises(Corrupt, match="32 octets"):
        load_or_make(tmp_path)
