"""`mailserver app-password` and what it needs of `user` and `domain`."""

import re
from pathlib import Path

import pytest

from mailserver.directory import accounts, proofs
from mailserver.directory.addresses import parse
from mailserver.store.store import Store

DATA = Path("data")


@pytest.fixture
def example(cli):
    cli("domain add example.test")
    cli("user add alice@example.test --password-stdin", "correct horse")
    return cli


def kept(address):
    store = Store(DATA)
    store.open()
    try:
        return store.read_now(lambda tx: tx.scram.of(accounts.at(tx, parse(address)).id))
    finally:
        store.close()


def test_add_list_revoke(example):
    cli = example
    answer = cli("app-password add alice@example.test telephone")
    assert answer.status == 0, answer.err
    password, note = answer.out.splitlines()
    assert re.fullmatch(r"[a-z0-9]{20}", password)
    assert "this once" in note
    assert password not in cli("app-password list alice@example.test --json").out
    (row,) = cli("app-password list alice@example.test --json").json
    assert row.pop("created_at").startswith("20")
    assert row == {"name": "telephone", "cram_md5": False, "last_used_at": None}
    assert cli("app-password add alice@example.test telephone").status == 1
    assert cli("app-password revoke alice@example.test telephone").status == 0
    assert cli("app-password revoke alice@example.test telephone").status == 1
    assert cli("app-password list alice@example.test").out == ""


@pytest.mark.parametrize(
    "line",
    [
        "app-password add nobody@example.test telephone",
        "app-password list nobody@example.test",
        "app-password revoke alice@example.test none",
    ],
)
def test_refusals(example, line):
    answer = example(line)
    assert answer.status == 1
    assert len(answer.err.splitlines()) == 1


def test_cram_md5_is_for_those_made_while_it_is_on(example):
    cli = example
    cli("app-password add alice@example.test before")
    assert cli("domain set example.test --cram-md5 on").status == 0
    assert cli("domain show example.test --json").json["cram_md5"] is True
    cli("app-password add alice@example.test after")
    assert (DATA / "seal.key").stat().st_mode & 0o777 == 0o600
    rows = cli("app-password list alice@example.test --json").json
    assert {row["name"]: row["cram_md5"] for row in rows} == {"before": False, "after": True}
    cli("domain set example.test --cram-md5 off")
    rows = cli("app-password list alice@example.test --json").json
    assert not any(row["cram_md5"] for row in rows)


def test_a_password_that_is_set_has_its_keys(example):
    cli = example
    cli("user add carol@example.test --password-stdin", "first password\n")
    first = kept("carol@example.test")
    assert first == proofs.with_keys(first, "first password")
    cli("user passwd carol@example.test --password-stdin", "second password\n")
    second = kept("carol@example.test")
    assert second == proofs.with_keys(first, "second password")


def test_no_keys_where_the_configuration_wants_none(example, monkeypatch):
    monkeypatch.setenv("MAILSERVER_AUTH__SCRAM", "off")
    example("user add carol@example.test --password-stdin", "first password\n")
    assert kept("carol@example.test") is None


def test_an_import_makes_keys_of_plain_passwords(example):
    (Path("users.csv")).write_text(
        "dave@example.test,plain password\n"
        "eve@example.test,$2b$10$abcdefghijklmnopqrstuuNzYOsJJ6zcbxCGyKJZDyHTHZ0rNhzHO\n"
    )
    assert example("user import users.csv").status == 0
    made = kept("dave@example.test")
    assert made == proofs.with_keys(made, "plain password")
    assert kept("eve@example.test") is None
