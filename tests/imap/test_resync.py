"""Clients that were away for long, and those that look up after long (RFC 7162 §3.2.5, §5)."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imap.believer import unrolled
from imap.mailroom import Mailroom, Reader
from mailserver.base.ids import Uid
from mailserver.imap import resync, transact
from mailserver.imap.conversation import Read, Thread

MESSAGES = 4_000


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Mailroom]:
    room = Mailroom(tmp_path)
    yield room
    room.close()


def lines(said: bytes) -> list[bytes]:
    return said.split(b"\r\n")[:-1]


def vanished(said: bytes, earlier: str = " (EARLIER)") -> set[int]:
    head = f"* VANISHED{earlier} ".encode()
    found = [line.removeprefix(head) for line in lines(said) if line.startswith(head)]
    return {uid for line in found for uid in unrolled(line)}


def told(said: bytes) -> dict[int, bytes]:
    """UID -> flags of each FETCH response."""
    out = {}
    for line in lines(said):
        if b" FETCH (UID " in line:
            uid, rest = line.split(b"(UID ")[1].split(b" ", 1)
            out[int(uid)] = rest.split(b"(")[1].split(b")")[0].removesuffix(rb" \Recent")
    return out


def select(room: Mailroom, since: int, known: str = "") -> tuple[Reader, bytes]:
    reader = room.reader()
    validity = reader.session.view.uidvalidity
    reader.ask("ENABLE QRESYNC")
    return reader, reader.ask(f"SELECT INBOX (QRESYNC ({validity} {since}{known}))")


def modseq(room: Mailroom) -> int:
    return room.store.read_now(lambda tx: tx.mailboxes.by_id(room.inbox).modseq)


def flag(room: Mailroom, uids: list[int], bits: int) -> None:
    wanted = [Uid(u) for u in uids]
    room.write(lambda tx: tx.messages.change_flags(room.inbox, wanted, "add", bits))


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mailroom, int]]:
    """A mailbox, and the modseq before ten thousand changes to it."""
    room = Mailroom(tmp_path_factory.mktemp("busy"))
    room.put_all([(b"Subject: a\r\n\r\na", 0, (), 0)] * MESSAGES)
    start = modseq(room)
    for bits in (1, 4):  # 6,000 changes of flags
        for first in range(1, 3_001, 1_000):
            flag(room, list(range(first, first + 1_000)), bits)
    for first in range(2_001, 4_001, 500):  # 2,000 more, and as many expunges
        room.expunge(*range(first, first + 500))
    yield room, start
    room.close()


@pytest.mark.rfc(7162, "3.2.5.1")
def test_away_for_ten_thousand_changes(busy: tuple[Mailroom, int]) -> None:
    room, start = busy
    began = time.process_time()
    reader, said = select(room, start)
    spent = time.process_time() - began
    assert vanished(said) == set(range(2_001, 4_001))
    assert told(said) == dict.fromkeys(range(1, 2_001), rb"\Flagged \Seen")
    assert len([e for e in reader.effects if isinstance(e, Read)]) == 2 + 2_000 // resync.ROWS
    assert spent < 3, "some hundredths of a second, where nothing else runs"


def test_who_missed_little_is_told_little(busy: tuple[Mailroom, int]) -> None:
    room, _ = busy
    start = modseq(room)
    flag(room, [7], 2)
    reader, said = select(room, start)
    assert told(said) == {7: rb"\Answered \Flagged \Seen"}
    assert vanished(said) == set()
    assert len(said) < 900
    reader, said = select(room, modseq(room))
    assert told(said) == {}
    assert len([e for e in reader.effects if isinstance(e, Read)]) == 2


@pytest.mark.rfc(7162, "3.2.5.2", "5.3")
def test_who_was_away_for_longer_than_is_remembered(busy: tuple[Mailroom, int]) -> None:
    """All that is not there is told, less what the client is known to know."""
    room, start = busy
    room.expunge(3)
    room.write(lambda tx: tx.tombstones.forget(room.inbox, 1, 10_000))
    _, said = select(room, start)
    assert vanished(said) == {3, *range(2_001, 4_001)}
    assert b"VANISHED (EARLIER) 3,2001:4000\r\n" in said
    _, said = select(room, start, " 1:5,3990:9999")
    assert vanished(said) == {3, *range(3_990, 4_001)}
    _, said = select(room, start, " 1:4000 (1:3 1:3)")
    assert vanished(said) == {3, *range(2_001, 4_001)}
    _, said = select(room, start, " 1:4000 (2,1999 2,2000)")
    assert vanished(said) == set(range(2_001, 4_001))
    reader = room.reader()
    reader.ask("ENABLE QRESYNC")
    said = reader.ask(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {start} VANISHED)")
    assert vanished(said) == {3, *range(2_001, 4_001)}


def test_who_remembers_what_a_restored_backup_has_not_seen(room: Mailroom) -> None:
    room.put_all([(b"a: b\r\n\r\n", 1, (), 0)] * 4)
    room.expunge(2)
    _, said = select(room, modseq(room) + 100)
    assert vanished(said) == {2}
    assert told(said) == {1: rb"\Seen", 3: rb"\Seen", 4: rb"\Seen"}


@pytest.mark.rfc(7162, "3.2.10.2")
def test_who_looks_up_after_longer_than_is_remembered(room: Mailroom) -> None:
    """Sessions that were open all the time hear of every expunge once, by what is left."""
    room.put_all([(b"a: b\r\n\r\n", 0, (), 0)] * 9)
    plain, quick, by_number = room.reader(), room.reader(), room.reader()
    quick.ask("ENABLE QRESYNC")
    for reader in (plain, quick, by_number):
        reader.ask("SELECT INBOX")
    room.expunge(2, 3)
    by_number.ask("FETCH 1 UID")  # this one holds 2 and 3 back
    room.put(b"a: b\r\n\r\n")
    room.expunge(10)
    room.expunge(7)
    room.put(b"a: b\r\n\r\n")
    room.write(lambda tx: tx.tombstones.forget(room.inbox, 0, 100))
    assert [x for x in lines(plain.ask("NOOP")) if b"EXPUNGE" in x or b"EXISTS" in x] == [
        *(b"* 7 EXPUNGE", b"* 3 EXPUNGE", b"* 2 EXPUNGE"),
        b"* 7 EXISTS",
    ]
    assert vanished(quick.ask("NOOP"), "") == {2, 3, 7}
    assert b"* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n* 7 EXISTS" in by_number.ask("NOOP")
    for reader in (plain, quick, by_number):
        assert list(reader.session.view.uids) == [1, 4, 5, 6, 8, 9, 11]
        assert reader.ask("NOOP") == b"a OK NOOP completed.\r\n"
    assert list(room.server.snapshots.get(room.inbox).uids) == [1, 4, 5, 6, 8, 9, 11]


def test_what_was_fetched_is_newer_than_what_was_heard(room: Mailroom) -> None:
    """Nobody said that something changed, as from another process: the modseqs of a FETCH give it away."""
    room.put_all([(b"a: b\r\n\r\n", 0, (), 0)] * 3)
    reader = room.reader()
    reader.ask("ENABLE QRESYNC")
    start = modseq(room)
    room.expunge(1)
    flag(room, [3], 4)
    reader.session.is_stale = False
    said = reader.ask("FETCH 3 (UID MODSEQ)")
    assert f"* OK [HIGHESTMODSEQ {start}]".encode() in said
    assert b"FETCH (UID 3 FLAGS (\\Flagged) MODSEQ" in said
    reader.session.is_stale = False
    said = reader.ask("UID FETCH 3 (UID MODSEQ)")
    assert vanished(said, "") == {1}
    assert f"* OK [HIGHESTMODSEQ {modseq(room)}]".encode() in said


# how much is done in the loop


class Counted:
    """Messages that were looked at one by one in the loop, at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, reader: Reader) -> None:
        self.most = self.aside = 0
        self._is_aside = False
        step, carry_out = transact.step, reader._carry_out

        def counted(view, delta, *args, **named):
            amount = transact.size(view, delta)
            if self._is_aside:
                self.aside = max(self.aside, amount)
            else:
                self.most = max(self.most, amount)
            return step(view, delta, *args, **named)

        def carried_out(effect, out):
            if isinstance(effect, Thread):
                self._is_aside = True
                try:
                    return effect.act()
                finally:
                    self._is_aside = False
            return carry_out(effect, out)

        monkeypatch.setattr(transact, "step", counted)
        monkeypatch.setattr(reader, "_carry_out", carried_out)


def test_no_large_change_is_worked_out_in_the_loop(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.put_all([(b"a: b\r\n\r\n", 0, (), 0)] * MESSAGES)
    reader = room.reader()
    counted = Counted(monkeypatch, reader)
    flag(room, list(range(1, MESSAGES + 1)), 1)
    assert len(told(reader.ask("NOOP"))) == MESSAGES
    assert (counted.most, counted.aside) == (0, MESSAGES)
    room.expunge(*range(1, 3_001))
    assert b" EXPUNGE\r\n" not in reader.ask("FETCH 1 UID")
    assert reader.ask("NOOP").count(b" EXPUNGE\r\n") == 3_000
    assert counted.most <= transact.AT_ONCE
    flag(room, [3_500], 4)
    reader.ask("NOOP")
    assert counted.most == 1


@pytest.mark.parametrize(
    "command",
    [
        "UID FETCH {set} FLAGS",
        "UID STORE {set} +FLAGS.SILENT (\\Seen)",
        "UID EXPUNGE {set}",
        "UID MOVE {set} Archive",
        "STORE 1:* (UNCHANGEDSINCE 1) +FLAGS (\\Seen)",
    ],
)
def test_no_large_set_is_looked_up_in_the_loop(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(transact, "AT_ONCE", 10)
    room.put_all([(b"a: b\r\n\r\n", 0, (), 0)] * 40)
    reader = room.reader()
    counted = Counted(monkeypatch, reader)
    few = ",".join(str(n) for n in range(1, 19, 2))
    reader.ask(command.format(set=few))
    before = len([e for e in reader.effects if isinstance(e, Thread)])
    many = ",".join(str(n) for n in range(1, 40, 2))
    reader.ask(command.format(set=many))
    assert len([e for e in reader.effects if isinstance(e, Thread)]) > (
        before if "{set}" in command else 0
    )
    assert counted.most <= 10
