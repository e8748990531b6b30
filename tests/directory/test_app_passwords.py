"""App passwords: what they look like, who may have how many, what is kept of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver.base.errors import AlreadyExists, Cannot, LimitReached, NotFound
from mailserver.directory import accounts, app_passwords, domains, proofs
from mailserver.directory.addresses import parse
from mailserver.directory.app_passwords import LENGTH, LETTERS, Made, create, digest, make
from mailserver.directory.seal import Seal
from mailserver.sasl.scram import make_keys
from mailserver.store.store import Store
from mailserver.store.tx import Write
from mailserver.store.values import Account, ScramRow

SEAL = Seal(bytes(32))
PEOPLE = ("alice@example.test", "bob@example.test")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    def people(tx: Write) -> None:
        domains.create(tx, "example.test", {})
        for name in ("alice", "bob"):
            accounts.create(tx, parse(f"{name}@example.test"), "hash")

    store = Store(tmp_path)
    store.open()
    store.write_now(people)
    yield store
    store.close()


def who(store: Store, name: str = "alice") -> tuple[Account, ScramRow]:
    def look(tx: Write) -> tuple[Account, ScramRow]:
        account = accounts.at(tx, parse(f"{name}@example.test"))
        return account, proofs.row_of(tx, account)._replace(iterations=4096)

    return store.write_now(look)


def add(store: Store, name: str, seal: Seal | None = None) -> Made:
    account, row = who(store)
    made = make(account, row, seal)
    store.write_now(lambda tx: create(tx, account, name, row, made))
    return made


def test_one_is_random_and_readable(store: Store) -> None:
    account, row = who(store)
    made = [make(account, row, None).password for _ in range(20)]
    assert len(set(made)) == 20
    assert all(len(p) == LENGTH and set(p) <= set(LETTERS) for p in made)
    assert not set("0o1li") & set(LETTERS)


def test_what_is_kept_of_it(store: Store) -> None:
    made = add(store, "telephone", SEAL)
    account, row = who(store)
    ((_, kept),) = store.read_now(lambda tx: tx.app_passwords.secrets(account.id))
    keys = make_keys(made.password.encode(), row.salt, row.iterations)
    assert (kept.stored_key, kept.server_key) == (keys.stored, keys.server)
    assert kept.sealed is not None
    assert SEAL.open(kept.sealed, proofs.about(account)) == made.password.encode()
    files = [path.read_bytes() for path in store.path.parent.iterdir() if path.is_file()]
    assert not any(made.password.encode() in data for data in files)


def test_it_is_found_by_its_account_only(store: Store) -> None:
    made = add(store, "telephone")
    alice, bob = who(store)[0].id, who(store, "bob")[0].id
    found = store.read_now(lambda tx: tx.app_passwords.find(alice, digest(made.password)))
    assert found is not None
    assert found.name == "telephone"
    assert store.read_now(lambda tx: tx.app_passwords.find(bob, digest(made.password))) is None
    assert store.read_now(lambda tx: tx.app_passwords.find(alice, digest("wrong"))) is None


def test_names_and_bounds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_passwords, "MOST", 2)
    add(store, "telephone")
    with pytest.raises(AlreadyExists):
        add(store, "telephone")
    for name in ("", "  ", "two\nlines", "x" * 101):
        with pytest.raises(Cannot):
            add(store, name)
    add(store, "printer")
    with pytest.raises(LimitReached):
        add(store, "one too many")


def test_it_goes_when_it_is_revoked_and_with_its_account(store: Store) -> None:
    add(store, "telephone")
    add(store, "printer")
    account = who(store)[0].id
    store.write_now(lambda tx: tx.app_passwords.remove(account, "telephone"))
    with pytest.raises(NotFound):
        store.write_now(lambda tx: tx.app_passwords.remove(account, "telephone"))
    assert [p.name for p in store.read_now(lambda tx: tx.app_passwords.list(account))] == [
        "printer"
    ]

    def remove(tx: Write) -> tuple[int, ScramRow | None]:
        tx.accounts.remove(account)
        return len(tx.app_passwords.list(account)), tx.scram.of(account)

    assert store.write_now(remove) == (0, None)


def test_keys_are_complete_when_everybody_who_may_log_in_has_some(store: Store) -> None:
    assert store.read_now(lambda tx: tx.scram.lacking()) in PEOPLE
    for name in ("alice", "bob"):
        account, row = who(store, name)
        keyed = proofs.with_keys(row, "secret")
        store.write_now(lambda tx, a=account, r=keyed: tx.scram.put(a.id, r))
        lacking = store.read_now(lambda tx: tx.scram.lacking())
        assert lacking == ("bob@example.test" if name == "alice" else None)
    bob = who(store, "bob")[0].id
    store.write_now(lambda tx: tx.accounts.set(bob, password_hash="another"))
    assert store.read_now(lambda tx: tx.scram.lacking()) == "bob@example.test"
    store.write_now(lambda tx: tx.accounts.set(bob, is_active=False))
    assert store.read_now(lambda tx: tx.scram.lacking()) is None
    store.write_now(lambda tx: tx.accounts.set(bob, is_active=True))
    store.write_now(lambda tx: domains.change(tx, "example.test", {"is_active": False}))
    assert store.read_now(lambda tx: tx.scram.lacking()) is None


def test_keys_are_not_kept_for_a_password_that_has_changed(store: Store) -> None:
    account, row = who(store)
    keyed = proofs.with_keys(row, "secret")
    assert store.write_now(lambda tx: proofs.keep(tx, account, "hash", keyed))
    assert not store.write_now(lambda tx: proofs.keep(tx, account, "another", keyed))


def test_salts_do_not_tell_who_is_there(store: Store) -> None:
    known = store.read_now(lambda tx: proofs.scram(tx, "x", parse("alice@example.test")))
    unknown = store.read_now(lambda tx: proofs.scram(tx, "x", parse("nobody@example.test")))
    no_address = store.read_now(lambda tx: proofs.scram(tx, "x", None))
    again = store.read_now(lambda tx: proofs.scram(tx, "y", parse("nobody@example.test")))
    salts = {known.secrets.salt, unknown.secrets.salt, no_address.secrets.salt}
    assert len(salts) == 3
    assert {len(salt) for salt in salts} == {16}
    assert again.secrets == unknown.secrets
    assert {k.secrets.iterations for k in (known, unknown, no_address)} == {proofs.ITERATIONS}
    assert who(store)[1].salt == known.secrets.salt
