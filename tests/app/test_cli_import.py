"""`mailserver user import`: many at once, all or none, every mistake with its line."""

import threading

import pytest

from mailserver.app import importing
from mailserver.base.errors import TryLater
from mailserver.directory.passwords import hash_password, verify
from mailserver.store.store import Store

HASH = hash_password("a long password")
BCRYPT = "$2b$12$CqHhCv0UIy.kMWYWqVyxK.8nMHy2zZC4FYC2eKmEBzq3AzlI9FH8O"


@pytest.fixture
def example(cli):
    assert cli("domain add example.test").status == 0
    return cli


def accounts(folder):
    store = Store(folder / "data")
    store.open()
    try:
        listed = store.read_now(lambda tx: tx.accounts.list(limit=20_000))
        return {
            account.localpart: (
                account,
                store.read_now(
                    lambda tx, a=account: tx.accounts.credentials(a.localpart, a.domain)
                ).password_hash,
            )
            for account in listed[:5]
        } | {account.localpart: (account, None) for account in listed[5:]}
    finally:
        store.close()


def test_lines_become_users(example, tmp_path):
    (tmp_path / "users.csv").write_text(
        "\ufeffaddress,password,name,quota\n"
        'Alice@example.test,"correct horse, battery",Alice A.,5G\n'
        f"bob@example.test,{HASH},,\n"
        "\n"
        f"carol@example.test,{{BLF-CRYPT}}{BCRYPT},Carol,none\n"
        "dave@example.test,pässwörd-lang\n",
        encoding="utf-8",
    )
    answer = example("user import users.csv")
    assert (answer.status, answer.out, answer.err) == (0, "4 users added\n", "")
    found = accounts(tmp_path)
    alice, alice_hash = found["alice"]
    assert (alice.name, alice.quota) == ("Alice A.", 5 << 30)
    assert verify(alice_hash, "correct horse, battery")
    assert found["bob"][1] == HASH
    assert found["carol"][1] == BCRYPT
    assert found["carol"][0].quota is None
    assert verify(found["dave"][1], "pässwörd-lang")


def test_one_mistake_and_nobody_is_added(example, tmp_path):
    example("user add old@example.test --password-stdin", "long enough")
    example("alias add team@example.test old@example.test")
    (tmp_path / "users.csv").write_text(
        "alice@example.test,long enough\n"
        "bob,long enough\n"
        "carol@example.test,short\n"
        "dave@example.org,long enough\n"
        "erin@example.test,long enough,Erin,lots\n"
        "Alice@Example.Test,long enough\n"
        "old@example.test,long enough\n"
        "team@example.test,long enough\n"
        "frank@example.test\n"
        'grace@example.test,"long\nenough"\n'
        "heidi@example.test,$6$salt$hash\n"
        "ivan+x@example.test,long enough\n"
        "judy@example.test,long enough,Ju\x07dy\n"
    )
    answer = example("user import users.csv")
    assert answer.status == 1
    lines = answer.err.splitlines()
    assert lines[-1] == "nothing was added"
    assert [line.split(": ", 1) for line in lines[:-1]] == [
        ["users.csv:2", '"bob" is no mail address: an address has the form local-part@domain'],
        ["users.csv:3", "the password is too short: at least 8 characters"],
        ["users.csv:4", "no domain example.org here"],
        ["users.csv:5", "'lots' is no size, as 500M, 5G or none are"],
        ["users.csv:6", "alice@example.test is in line 1 already"],
        ["users.csv:7", "old@example.test exists already"],
        ["users.csv:8", "team@example.test exists already"],
        ["users.csv:9", "expected address,password,name,quota; found 1 fields"],
        ["users.csv:10", "the password has control characters, which no log-in can carry safely"],
        ["users.csv:12", "a hash of a kind this server does not know; argon2 and bcrypt it does"],
        ["users.csv:13", '"ivan+x" has a "+", which separates details in this domain'],
        ["users.csv:14", "a name has no control characters or line ends"],
    ]
    assert set(accounts(tmp_path)) == {"old"}


def test_many_mistakes_are_counted(example, tmp_path):
    (tmp_path / "users.csv").write_text("nobody\n" * 1_000)
    answer = example("user import users.csv --json")
    assert answer.status == 1
    lines = example("user import users.csv").err.splitlines()
    assert len(lines) == 22
    assert lines[-2:] == ["... and 980 more", "nothing was added"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"alice@example.test,\xff\xff\xff\xff\xff\xff\xff\xff\n", "users.csv: is not UTF-8"),
        (b'alice@example.test,"unfinished\n', "users.csv: unexpected end of data"),
        (b"alice@example.test," + b"x" * 200_000 + b"\n", "users.csv: field larger than field limit"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(example, tmp_path, content, reason):
    (tmp_path / "users.csv").write_bytes(content)
    answer = example("user import users.csv")
    assert answer.status == 1
    assert answer.err.startswith(reason)


def test_a_file_that_is_not_there_is_wrong_usage(example):
    assert example("user import none.csv").status == 2


def test_those_who_exist_can_be_left_out(example, tmp_path):
    (tmp_path / "users.csv").write_text(f"a@example.test,{HASH}\nb@example.test,{HASH}\n")
    example("user import users.csv")
    (tmp_path / "users.csv").write_text(f"a@example.test,{HASH}\nc@example.test,{HASH}\n")
    assert example("user import users.csv").status == 1
    assert example("user import users.csv --skip-existing --json").json == {"added": 1}
    assert set(accounts(tmp_path)) == {"a", "b", "c"}


def test_ten_thousand_in_one_go(example, tmp_path):
    with (tmp_path / "users.csv").open("w") as file:
        file.writelines(f"user{n}@example.test,{HASH},User {n},1G\n" for n in range(10_000))
    answer = example("user import users.csv --json")
    assert answer.json == {"added": 10_000}
    found = accounts(tmp_path)
    assert len(found) == 10_000
    assert found["user9999"][0].name == "User 9999"


def test_a_failure_in_the_middle_takes_back_what_was_added(example, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "SLICE", 2)
    (tmp_path / "users.csv").write_text("".join(f"user{n}@example.test,{HASH}\n" for n in range(7)))
    real, calls = importing.accounts.create, []

    def create(tx, address, *args, **kwargs):
        calls.append(address)
        if len(calls) == 6:
            raise TryLater("The storage is not available at the moment.")
        return real(tx, address, *args, **kwargs)

    monkeypatch.setattr(importing.accounts, "create", create)
    answer = example("user import users.csv")
    assert (answer.status, answer.err) == (1, "The storage is not available at the moment.\n")
    assert accounts(tmp_path) == {}


def test_progress_is_told_while_passwords_are_hashed(monkeypatch):
    monkeypatch.setattr(importing, "REPORT_S", 0.0)
    monkeypatch.setattr(importing, "hash_password", lambda password: f"hash of {password}")
    rows = [
        importing.Row(n, None, "$hash" if n % 2 else f"password {n}", "", None) for n in range(4)
    ]
    told = []
    hashes = [kept.password for kept in importing.hashed(rows, told.append)]
    assert hashes == ["hash of password 0", "$hash", "hash of password 2", "$hash"]
    assert told[-1].startswith("2 of 2 passwords hashed, 0 s left")


def test_passwords_are_hashed_beside_each_other(monkeypatch):
    monkeypatch.setattr(importing.os, "cpu_count", lambda: 2)
    both = threading.Barrier(2, timeout=20)

    def slow(password):
        both.wait()  # passes only when another password is being hashed at the same time
        return password

    monkeypatch.setattr(importing, "hash_password", slow)
    rows = [importing.Row(n, None, f"password {n}", "", None) for n in range(6)]
    hashes = [kept.password for kept in importing.hashed(rows, lambda text: None)]
    assert hashes == [f"password {n}" for n in range(6)]
