"""Secrets that cost little, for tests that are not about them: else they are most of what a command takes."""

from functools import cache
from itertools import count

import pytest

from mailserver.directory import dkim_keys, passwords, proofs
from mailserver.mailauth.dkim import keys
from mailserver.mailauth.dkim.keys import KeyType, PrivateKey

RSA_KEYS = 6  # more than any one test asks for

_turn = count()


def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process hash passwords with the least that there is, and find their RSA keys ready made."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 8)
    monkeypatch.setattr(passwords, "PASSES", 1)
    monkeypatch.setattr(proofs, "ITERATIONS", 4_096)
    monkeypatch.setattr(dkim_keys, "generate_private", _generate)


def _generate(kind: KeyType) -> PrivateKey:
    return keys.generate(kind) if kind == "ed25519" else _kept(kind, next(_turn) % RSA_KEYS)


@cache
def _kept(kind: KeyType, number: int) -> PrivateKey:
    return keys.generate(kind)
