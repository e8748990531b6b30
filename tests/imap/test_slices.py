"""Commands on many messages, bounds, and what happens between two steps of a command."""

from pathlib import Path

import pytest

from imap.engine import House, logged_in
from mailserver.base.errors import TryLater
from mailserver.base.limits import ImapLimits
from mailserver.imap.commands import copy, expunge, store


def lines(said: bytes) -> list[str]:
    return said.decode().split("\r\n")[:-1]


@pytest.fixture
def seven(house: House) -> House:
    for _ in range(7):
        house.deliver()
    return house


def test_store_goes_on_slice_by_slice(seven: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SLICE", 3)
    client, other = logged_in(seven, select="INBOX"), logged_in(seven, select="INBOX")
    said = lines(client(b"a STORE 1:* +FLAGS (\\Seen)\r\n"))
    assert said == [
        *(rf"* {n} FETCH (UID {n} FLAGS (\Seen \Recent))" for n in range(1, 8)),
        "a OK STORE completed.",
    ]
    said = lines(other(b"a NOOP\r\n"))
    assert said == [
        *(rf"* {n} FETCH (UID {n} FLAGS (\Seen))" for n in range(1, 8)),
        "a OK NOOP completed.",
    ]


@pytest.mark.rfc(4315, "3")
def test_a_long_copyuid_is_said_in_full(house: House) -> None:
    for _ in range(400):
        house.deliver()
    client = logged_in(house, select="INBOX")
    odd = ",".join(str(n) for n in range(1, 400, 2))
    said = client(f"a COPY {odd} Archive\r\n".encode()).decode()
    assert said.split()[2:4] == ["[COPYUID", said.split()[3]]
    assert said.split()[4:6] == [odd, "1:200]"]


@pytest.mark.rfc(6851, "3.3")
def test_move_says_copyuid_for_each_slice(seven: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy, "SLICE", 3)
    client = logged_in(seven, select="INBOX")
    said = [line.split(" Moved")[0] for line in lines(client(b"a UID MOVE 1:* Archive\r\n"))]
    validity = said[0].split()[3]
    assert [line for line in said if "EXPUNGE" not in line and "RECENT" not in line] == [
        f"* OK [COPYUID {validity} 1:3 1:3]",
        f"* OK [COPYUID {validity} 4:6 4:6]",
        f"* OK [COPYUID {validity} 7 7]",
        "a OK UID MOVE completed.",
    ]
    assert [line for line in said if "EXPUNGE" in line] == [
        *("* 3 EXPUNGE", "* 2 EXPUNGE", "* 1 EXPUNGE"),
        *("* 3 EXPUNGE", "* 2 EXPUNGE", "* 1 EXPUNGE"),
        "* 1 EXPUNGE",
    ]


def test_expunge_in_slices_is_told_once(seven: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expunge, "SLICE", 2)
    client = logged_in(seven, select="INBOX")
    client(b"a STORE 2:6 +FLAGS.SILENT (\\Deleted)\r\n")
    said = lines(client(b"b EXPUNGE\r\n"))
    assert said == [
        *(f"* {n} EXPUNGE" for n in (6, 5, 4, 3, 2)),
        "* 2 RECENT",
        "b OK EXPUNGE completed.",
    ]


@pytest.mark.rfc(3501, "6.4.7")
def test_copy_is_all_or_nothing_and_bounded(tmp_path: Path) -> None:
    house = House(tmp_path, ImapLimits(copy_messages=2, keywords=3))
    for n in range(3):
        house.deliver(keywords=(f"k{n}",))
    client = logged_in(house, select="INBOX")
    assert client(b"a COPY 1:3 Archive\r\n") == b"a NO [LIMIT] At most 2 messages in one COPY\r\n"
    assert client(b"b COPY 1:2 Archive\r\n").startswith(b"b OK [COPYUID ")

    # the second of two messages brings one keyword too many: nothing is copied
    client(b"c STORE 2 FLAGS.SILENT (x1)\r\n")
    client(b"c STORE 1 FLAGS.SILENT (k1 k2)\r\n")
    client(b"c APPEND Trash (t1 t2) {1+}\r\nx\r\n")
    assert client(b"d COPY 1:2 Trash\r\n").startswith(b"d NO [LIMIT]")
    assert b"(MESSAGES 1)" in client(b"e STATUS Trash (MESSAGES)\r\n")
    house.close()


def test_when_the_disk_is_full(seven: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client hears NO, its view is as it was, and all goes on when there is room again."""
    client = logged_in(seven, select="INBOX")
    write = seven.store.write_now

    def full(job: object) -> None:
        raise TryLater("The storage is not available at the moment.")

    for command in (b"STORE 1 +FLAGS (\\Seen)", b"COPY 1 Trash", b"MOVE 1 Trash", b"CREATE x"):
        monkeypatch.setattr(seven.store, "write_now", full)
        said = client(b"a " + command + b"\r\n")
        assert said == b"a NO [UNAVAILABLE] The storage is not available at the moment.\r\n"
        monkeypatch.setattr(seven.store, "write_now", write)
        assert client(b"b NOOP\r\n") == b"b OK NOOP completed.\r\n"
    assert len(client.session.view) == 7
    assert b"* 1 FETCH" in client(b"c STORE 1 +FLAGS (\\Seen)\r\n")


@pytest.mark.parametrize("command", [b"STORE 1 +FLAGS (\\Seen)", b"NOOP", b"COPY 1 Trash"])
def test_what_a_failure_kept_back_comes_with_the_next_command(
    seven: House, monkeypatch: pytest.MonkeyPatch, command: bytes
) -> None:
    client = logged_in(seven, select="INBOX")
    client(b"a NOOP\r\n")
    seven.deliver()

    def fails(job: object) -> None:
        raise TryLater("The storage is not available at the moment.")

    with monkeypatch.context() as patch:
        patch.setattr(seven.store, "write_now", fails)
        patch.setattr(seven.store, "read_now", fails)
        assert client(b"a " + command + b"\r\n").startswith(b"a NO [UNAVAILABLE]")
    assert client(b"b FETCH 1 UID\r\n").startswith(b"* 1 FETCH (UID 1)\r\n* 8 EXISTS")


def test_a_bug_is_one_answer_and_a_log_line(
    seven: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = logged_in(seven, select="INBOX")
    monkeypatch.setattr(seven.store, "write_now", lambda job: 1 // 0)
    assert (
        client(b"a STORE 1 +FLAGS (\\Seen)\r\n")
        == b"a NO [SERVERBUG] Something went wrong here\r\n"
    )
    monkeypatch.undo()
    assert client(b"b NOOP\r\n") == b"b OK NOOP completed.\r\n"
    (record,) = caplog.records
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


def test_what_arrives_while_a_mailbox_is_opened_is_not_missed(
    seven: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the mailbox and the moment from which its news are heard."""
    client, read, looks = logged_in(seven), seven.store.read_now, []

    def and_then_a_message_comes(job: object) -> object:
        value = read(job)
        looks.append(job)
        if len(looks) == 1:
            seven.deliver()
        return value

    monkeypatch.setattr(seven.store, "read_now", and_then_a_message_comes)
    said = lines(client(b"a SELECT INBOX\r\n"))
    assert "* 7 EXISTS" in said
    assert said[-3:] == ["* 8 EXISTS", "* 8 RECENT", "a OK [READ-WRITE] SELECT completed."]


def test_quota_is_looked_at_before_the_message_is_sent(house: House) -> None:
    alice = house.accounts["alice"].id
    house.store.write_now(lambda tx: tx.accounts.set(alice, quota=100))
    client = logged_in(house)
    assert client(b"a APPEND INBOX {101}\r\n") == b"a NO [OVERQUOTA] The mailbox is full.\r\n"
    assert client(b"b APPEND INBOX {60}\r\n") == b"+ Ready\r\n"
    assert client(b"x" * 60 + b"\r\n").startswith(b"b OK [APPENDUID ")
    assert client(b"c APPEND INBOX {60+}\r\n" + b"x" * 60 + b"\r\n").startswith(b"c NO [OVERQUOTA]")
    # a copy is the same message in another place
    client(b"d SELECT INBOX\r\n")
    assert client(b"e COPY 1 Archive\r\n").startswith(b"e OK [COPYUID ")
