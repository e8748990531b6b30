"""The schema's history: what is applied, what is refused, what is kept of the past."""

from pathlib import Path

import apsw
import pytest

from mailserver.base.errors import Cannot
from mailserver.base.ids import BlobId
from mailserver.store.database import Database, connect
from mailserver.store.migrate import Step, migrate, steps
from mailserver.store.queue_values import NewQueued, NewRecipient
from mailserver.store.store import Store
from mailserver.store.tx import Write

ONE = Step(1, "one", "CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT; INSERT INTO a VALUES (7);")
TWO = Step(2, "two", "ALTER TABLE a ADD COLUMN b TEXT; CREATE TABLE c (x INTEGER) STRICT;")
BROKEN = Step(2, "broken", "CREATE TABLE c (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);")
DANGLING = Step(
    2, "dangling", "PRAGMA defer_foreign_keys = ON; CREATE TABLE d (a INTEGER REFERENCES a);"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mailserver.db"


def run(path: Path, *history: Step) -> None:
    db = connect(path, cache_kib=1000)
    try:
        migrate(db, path, list(history))
    finally:
        db.connection.close()


def ask(path: Path, sql: str) -> list[tuple]:
    db = Database(apsw.Connection(str(path)))
    try:
        return db.rows(sql)
    finally:
        db.connection.close()


def test_a_new_database_has_all_steps_and_its_pragmas(path: Path) -> None:
    run(path, ONE, TWO)
    assert ask(path, "SELECT id, b FROM a") == [(7, None)]
    for pragma, value in (
        ("user_version", 2),
        ("auto_vacuum", 2),
        ("page_size", 8192),
        ("journal_mode", "wal"),
        ("application_id", 0x4D41494C),
    ):
        assert ask(path, f"PRAGMA {pragma}") == [(value,)]
    assert not path.with_name("mailserver.db.before-0002").exists()


def test_an_older_one_is_copied_and_brought_forward(path: Path) -> None:
    run(path, ONE)
    run(path, ONE, TWO)
    assert ask(path, "PRAGMA user_version") == [(2,)]
    before = path.with_name("mailserver.db.before-0002")
    assert ask(before, "PRAGMA user_version") == [(1,)]
    assert ask(before, "SELECT * FROM a") == [(7,)]
    # and the copy is what undoes the upgrade
    before.replace(path)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    run(path, ONE)


def test_a_step_that_fails_changes_nothing(path: Path) -> None:
    run(path, ONE)
    with pytest.raises(apsw.SQLError):
        run(path, ONE, BROKEN)
    assert ask(path, "PRAGMA user_version") == [(1,)]
    assert ask(path, "SELECT name FROM sqlite_schema") == [("a",)]
    run(path, ONE, TWO)


def test_a_step_that_leaves_broken_references_changes_nothing(path: Path) -> None:
    run(path, ONE)
    dangling = Step(2, "x", DANGLING.sql + "INSERT INTO d VALUES (99);")
    with pytest.raises(RuntimeError, match="broken references"):
        run(path, ONE, dangling)
    assert ask(path, "PRAGMA user_version") == [(1,)]


def test_a_newer_database_is_refused_in_plain_words(path: Path) -> None:
    run(path, ONE, TWO)
    with pytest.raises(Cannot, match=r"has schema 2.*up to 1.*newer version.*before-") as refused:
        run(path, ONE)
    assert str(path) in str(refused.value)
    assert ask(path, "PRAGMA user_version") == [(2,)]


@pytest.mark.parametrize("version", [0, 1])
def test_a_database_of_another_program_is_left_alone(path: Path, version: int) -> None:
    db = apsw.Connection(str(path))
    db.execute(f"CREATE TABLE theirs (x); PRAGMA user_version = {version}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(Cannot, match="another program"):
        run(path, ONE)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"not a database, but somebody's thesis\n" * 100)
    with pytest.raises(Cannot, match="not a database"):
        run(path, ONE)
    assert path.read_bytes().startswith(b"not a database")


def test_the_files_are_numbered_without_a_gap() -> None:
    history = steps()
    assert [step.number for step in history] == list(range(1, len(history) + 1))
    assert all(step.sql.strip() for step in history)


def test_opening_twice_is_opening_once(tmp_path: Path) -> None:
    for _ in range(2):
        store = Store(tmp_path)
        store.open()
        store.close()
    assert not list(tmp_path.glob("*.before-*"))
    assert (tmp_path / "mailserver.db").stat().st_mode & 0o777 == 0o600


def test_schema_golden(tmp_path: Path, golden) -> None:
    store = Store(tmp_path)
    store.open()
    rows = ask(
        store.path, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY tbl_name, rowid"
    )
    golden("schema.sql", "".join(f"{sql};\n\n" for (sql,) in rows))


def test_an_upgrade_to_the_queue_keeps_everything(tmp_path: Path) -> None:
    """A database as the first version left it, with mail in it."""
    first = steps()[:1]
    path = tmp_path / "mailserver.db"
    run(path, *first)
    db = Database(apsw.Connection(str(path)))
    for sql in (
        "INSERT INTO domain (id, name, created_at) VALUES (1, 'example.test', 1)",
        "INSERT INTO account (id, domain_id, localpart, password_hash, used, messages, created_at,"
        " modseq, last_uidvalidity) VALUES (1, 1, 'alice', 'h', 5, 1, 1, 3, 2)",
        "INSERT INTO mailbox (id, account_id, name, uidvalidity, uidnext, modseq, messages, unseen, size,"
        " created_modseq, modified_modseq) VALUES (1, 1, 'INBOX', 2, 2, 3, 1, 1, 5, 2, 2)",
        "INSERT INTO blob (id, sha256, size, data) VALUES (1, unhex('2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e7"
        "3043362938b9824'), 5, CAST('hello' AS BLOB))",
        "INSERT INTO message VALUES (4294967297, 1, 4294967297, 5, 3, 0, NULL, NULL, 0, '', '', '', '', '', '',"
        " x'', x'', x'', x'')",
        "INSERT INTO placement VALUES (1, 1, 0, '', 1, 5, 4294967297, 3, 3, 1)",
    ):
        db.run(sql)
    db.connection.close()
    store = Store(tmp_path)
    store.open()
    try:
        assert store.read_now(lambda tx: tx.verify.problems()) == []
        account = store.read_now(lambda tx: tx.accounts.by_address("alice", "example.test"))
        assert account is not None
        assert (account.used, account.messages) == (5, 1)
        assert store.read_now(lambda tx: tx.blobs.read(BlobId(1))) == b"hello"
        assert store.read_now(lambda tx: tx.queue.depth(0)).messages == 0

        def queue_it(tx: Write) -> None:
            new = NewQueued(
                "t", account.id, "alice@example.test", BlobId(1), 0, b"", 5, "submitted", None,
                False, False, False, "", "", "", "", None, None, 9,
            )  # fmt: skip
            tx.queue.add(new, [NewRecipient("b@b.test", "b.test", "b.test")])

        store.write_now(queue_it)
        assert store.read_now(lambda tx: tx.verify.problems()) == []
    finally:
        store.close()
    before = tmp_path / f"mailserver.db.before-{len(steps()):04}"
    assert ask(before, "SELECT count(*) FROM message") == [(1,)]
    assert ask(before, "PRAGMA user_version") == [(1,)]


def test_mailboxes_where_those_of_others_appear_now_have_another_name(path: Path) -> None:
    """Whatever was called "Shared" goes on as "My Shared"; nothing is lost where that was taken, too."""
    run(path, *steps()[:8])
    db = connect(path, cache_kib=1000)
    db.run("INSERT INTO domain (name, created_at) VALUES ('a.test', 0)")
    db.run(
        "INSERT INTO account (domain_id, localpart, password_hash, created_at, last_uidvalidity)"
        " VALUES (1, 'a', '', 0, 1)"
    )
    names = ["INBOX", "My Shared", "Other Users", "Shared", "Shared/x", "Sharedx", "shared"]
    for name in names:
        db.run(
            "INSERT INTO mailbox (account_id, name, uidvalidity, modseq, created_modseq, modified_modseq)"
            " VALUES (1, ?, 1, 1, 1, 1)",
            (name,),
        )
        db.run("INSERT INTO subscription (account_id, name) VALUES (1, ?)", (name,))
    db.connection.close()
    run(path, *steps()[:9])
    renamed = [
        "INBOX",
        "My 4 Shared",
        "My Other Users",
        "My Shared",
        "My Shared/x",
        "Sharedx",
        "shared",
    ]
    assert [name for (name,) in ask(path, "SELECT name FROM mailbox ORDER BY name")] == renamed
    subscribed = {name for (name,) in ask(path, "SELECT name FROM subscription")}
    assert {"INBOX", "My Shared", "My Shared/x", "My Other Users"} <= subscribed
