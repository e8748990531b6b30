"""A store with two domains and a few people."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver.directory import accounts, aliases, domains
from mailserver.directory.addresses import parse
from mailserver.store.store import Store
from mailserver.store.tx import Write


def people(tx: Write) -> None:
    """alice, bob, carol (off) in example.test; dave in other.test; eve in off.test, which is switched off."""
    for name in ("example.test", "other.test", "off.test"):
        domains.create(tx, name, {})
    for address in (
        "alice@example.test",
        "bob@example.test",
        "carol@example.test",
        "dave@other.test",
        "eve@off.test",
    ):
        accounts.create(tx, parse(address), "hash")
    tx.accounts.set(accounts.at(tx, parse("carol@example.test")).id, is_active=False)
    domains.change(tx, "off.test", {"is_active": False})
    for alias, *targets in (
        ("info@example.test", "alice@example.test"),
        ("team@example.test", "alice@example.test", "bob@example.test", "carol@example.test"),
        ("all@other.test", "team@example.test", "dave@other.test"),
        ("carols@example.test", "carol@example.test"),
        ("away@example.test", "alice@example.test", "friend@elsewhere.test"),
        ("detail@example.test", "alice+x@example.test"),
    ):
        aliases.create(tx, parse(alias), [parse(t) for t in targets])


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, copied for each test."""
    folder = tmp_path_factory.mktemp("directory") / "made"
    store = Store(folder)
    store.open()
    store.write_now(people)
    store.close()
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(made, tmp_path / "data")
    store = Store(tmp_path / "data")
    store.open()
    yield store
    store.close()
