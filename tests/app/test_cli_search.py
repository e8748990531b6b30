"""`mailserver search`: how much is indexed, and making the index anew."""

from pathlib import Path

import pytest

from mailserver.app import lock
from mailserver.mime.scan import derive
from mailserver.store.search_file import SearchFile
from mailserver.store.spool import body_of
from mailserver.store.store import Store

DATA = Path("data")


@pytest.fixture
def example(cli):
    """alice@example.test with three messages; nothing is indexed."""
    cli("domain add example.test")
    cli("user add alice@example.test --password-stdin", "correct horse")
    deliver(3)
    return cli


def deliver(count):
    store = Store(DATA)
    store.open()
    for n in range(count):
        raw = b"Subject: letter %d\r\n\r\nneedle\r\n" % n
        prepared = store.prepare(body_of(raw), 100_000)

        def job(tx, prepared=prepared, raw=raw):
            alice = tx.accounts.by_address("alice", "example.test").id
            inbox = tx.mailboxes.get(alice, "INBOX").id
            tx.messages.add(alice, inbox, tx.blobs.put(prepared), derive(raw), internal_at=0)

        store.write_now(job)
    store.close()


def test_it_is_made_at_once_where_no_server_runs(example):
    cli = example
    before = cli("search status --json").json
    assert (before["messages"], before["indexed"], before["waiting"]) == (3, 0, 3)
    answer = cli("search rebuild")
    assert answer.status == 0, answer.err
    assert answer.out == "3 messages are in the index\n"
    deliver(2)
    after = cli("search status alice@example.test --json").json
    assert (after["messages"], after["indexed"], after["waiting"]) == (5, 3, 2)
    assert after["size"] > 0
    assert after["partly"] == 0
    assert after["read_when_searched"] == []
    assert cli("search status").out.startswith("3 of 5 messages are in the index, which takes ")
    assert cli("search rebuild --json").json["indexed"] == 5


def test_a_server_that_runs_makes_it(example, monkeypatch):
    cli = example
    cli("search rebuild")
    monkeypatch.setattr(lock, "running", lambda _folder: 4711)
    answer = cli("search rebuild")
    assert answer.out == "the server makes the index anew: 3 messages\n"
    assert cli("search status --json").json["indexed"] == 0
    assert cli("search rebuild --json").json["in_background"] is True


def test_messages_that_are_only_partly_indexed_are_listed(example):
    cli = example
    with Path("mailserver.yaml").open("a") as file:
        file.write("limits: {search: {text_size: 4}}\n")
    cli("search rebuild")
    told = cli("search status --json").json
    assert told["indexed"] == told["partly"] == 3
    assert "text_size" in told["read_when_searched"][0]["reason"]
    assert "of 3 only a part" in cli("search status").out


def test_nobody_of_that_name(example):
    answer = example("search status bob@example.test")
    assert answer.status == 1
    assert "bob@example.test" in answer.err


def test_a_damaged_file_is_said_to_be_so(example):
    cli = example
    (DATA / "search.db").write_bytes(b"no database" * 1_000)
    assert cli("search status").status == 0  # opening the store has put it aside
    assert (DATA / "search.db.damaged").exists()
    assert cli("search rebuild").status == 0


def test_an_index_that_knows_more_than_the_database_is_not_believed(example):
    """As after `mailserver.db` was replaced by an older one: new messages get the ids of others."""
    cli = example
    cli("search rebuild")
    older = (DATA / "mailserver.db").read_bytes()
    deliver(4)
    cli("search rebuild")
    (DATA / "mailserver.db").write_bytes(older)
    file = SearchFile(DATA)
    assert len(file.status().fed) == 1
    told = cli("search status --json").json
    assert (told["messages"], told["indexed"]) == (3, 0)
    assert file.status().fed == {}
    assert file.remains()
    file.close()
    cli("search rebuild")
    assert cli("search status --json").json["indexed"] == 3
