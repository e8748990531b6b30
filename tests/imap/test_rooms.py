"""Appending many messages in a row: what is remembered of a mailbox saves a look, and decides nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imap.engine import Client, House, logged_in
from mailserver.base.ids import AccountId
from mailserver.base.limits import ImapLimits
from mailserver.imap.rooms import SIZE, Room, Rooms

RAW = b"Subject: a\r\n\r\n" + b"x" * 100


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, ImapLimits(append_size=10_000))
    yield house
    house.close()


def append(client: Client, raw: bytes = RAW, mailbox: bytes = b"Sent") -> bytes:
    return client(b"a APPEND %b {%d+}\r\n%b\r\n" % (mailbox, len(raw), raw))


def reads(house: House, client: Client, raw: bytes = RAW) -> tuple[int, bytes]:
    """How often the store was read for an APPEND of *raw*, and what it said."""
    count, read = 0, house.store.read_now

    def counted(job):
        nonlocal count
        count += 1
        return read(job)

    house.store.read_now = counted  # type: ignore[method-assign]  # counts on the way
    try:
        said = append(client, raw)
    finally:
        house.store.read_now = read  # type: ignore[method-assign]  # as it was
    return count, said


def test_the_second_message_needs_no_look(house: House) -> None:
    client = logged_in(house)
    first, said = reads(house, client)
    assert b"a OK" in said
    second, said = reads(house, client)
    assert b"a OK" in said
    assert second == first - 1


@pytest.mark.rfc(9208, "6")
def test_a_quota_that_was_filled_by_others_holds(house: House) -> None:
    client, owner = logged_in(house), house.accounts["alice"]
    house.store.write_now(lambda tx: tx.accounts.set(owner.id, quota=500))
    assert b"a OK" in append(client)
    house.deliver(b"Subject: b\r\n\r\n" + b"x" * 300)
    assert b"a NO [OVERQUOTA]" in append(client)


@pytest.mark.rfc(9208, "6")
def test_room_that_somebody_made_is_found(house: House) -> None:
    client, owner = logged_in(house), house.accounts["alice"]
    house.deliver(b"Subject: b\r\n\r\n" + b"x" * 300)
    house.store.write_now(lambda tx: tx.accounts.set(owner.id, quota=500))
    assert b"a OK" in append(client)
    inbox = house.store.read_now(lambda tx: tx.mailboxes.get(owner.id, "INBOX").id)
    house.store.write_now(lambda tx: tx.messages.change_flags(inbox, [1], "add", 8))
    house.store.write_now(lambda tx: tx.messages.expunge(inbox))
    assert b"a OK" in append(client, RAW + b"x" * 200)


@pytest.mark.rfc(7889, "3")
def test_a_limit_that_was_lowered_holds(house: House) -> None:
    client, owner = logged_in(house), house.accounts["alice"]
    assert b"a OK" in append(client)
    house.store.write_now(lambda tx: tx.accounts.set(owner.id, message_size=100))
    assert b"a NO [TOOBIG]" in append(client)
    house.store.write_now(lambda tx: tx.accounts.set(owner.id, message_size=1_000))
    assert b"a OK" in append(client)


@pytest.mark.rfc(3501, "6.3.11")
def test_a_mailbox_that_went(house: House) -> None:
    client = logged_in(house)
    client(b"c CREATE box\r\n")
    assert b"a OK" in append(client, mailbox=b"box")
    assert b"d OK" in logged_in(house)(b"d DELETE box\r\n")
    assert b"a NO [TRYCREATE]" in append(client, mailbox=b"box")


def test_who_asks_before_he_sends_is_told_how_it_is_now(house: House) -> None:
    client, owner = logged_in(house), house.accounts["alice"]
    house.store.write_now(lambda tx: tx.accounts.set(owner.id, quota=500))
    assert b"a OK" in append(client)
    house.deliver(b"Subject: b\r\n\r\n" + b"x" * 300)
    assert client(b"a APPEND Sent {117}\r\n").startswith(b"a NO [OVERQUOTA]")


def test_they_are_bounded_and_forgotten() -> None:
    rooms, room = Rooms(), Room(1, None, None, 1)
    for n in range(SIZE + 1):
        rooms.put(AccountId(n), "INBOX", room, rooms.epoch)
    assert rooms.get(AccountId(0), "INBOX") is None
    assert rooms.get(AccountId(1), "INBOX") is room
    epoch = rooms.epoch
    rooms.clear()
    assert rooms.get(AccountId(1), "INBOX") is None
    rooms.put(AccountId(1), "INBOX", room, epoch)  # was looked up before
    assert rooms.get(AccountId(1), "INBOX") is None
