"""Results that are kept up to date: a client that only believes what it hears knows what a new search would say."""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from imap.mailroom import Mailroom, Reader
from mailserver.base.ids import Uid
from mailserver.base.limits import ImapLimits
from mailserver.imap.searching import contexts
from mailserver.imap.sorting import order
from mailserver.store.flags import DELETED, FLAGGED, SEEN

#: search programs, and by what they are sorted
SEARCHES = [
    ("ALL", ""),
    ("FLAGGED", ""),
    ("NOT SEEN", ""),
    ("UID 3:*", ""),
    ("OR UID * UID 2", "(SUBJECT)"),
    ("OR SUBJECT a KEYWORD $x", ""),
    ("ALL", "(SUBJECT)"),
    ("NOT FLAGGED", "(REVERSE SUBJECT FROM)"),
    ("UNSEEN SMALLER 100000", "(SIZE REVERSE ARRIVAL)"),
]


@dataclass
class Followed:
    command: str
    criteria: str
    is_uid: bool
    result: list[object]


class Client:
    """Believes responses, as RFC 5267 §4.3 tells clients to.  A message is known by the UID that FETCH once said."""

    def __init__(self, room: Mailroom) -> None:
        self.reader = room.reader()
        self.messages: list[int] = list(self.reader.session.view.uids)
        self.followed: dict[bytes, Followed] = {}
        self.count = 0

    def ask(self, command: str) -> bytes:
        self.count += 1
        said = self.reader.ask(command)
        for line in said.split(b"\r\n"):
            self.hear(line)
        return said

    def hear(self, line: bytes) -> None:
        if m := re.fullmatch(rb"\* (\d+) EXPUNGE", line):
            del self.messages[int(m[1]) - 1]
        elif m := re.fullmatch(rb"\* (\d+) EXISTS", line):
            uids = self.reader.session.view.uids  # the client would fetch them
            assert len(uids) >= int(m[1]) or self.reader.session.view.gone
            self.messages += [u for u in uids if u > max(self.messages, default=0)]
            assert len(self.messages) == int(m[1])
        elif m := re.fullmatch(
            rb'\* ESEARCH \(TAG "(\w+)"\)( UID)? (ADDTO|REMOVEFROM) \((.*)\)', line
        ):
            followed = self.followed[m[1]]
            assert bool(m[2]) == followed.is_uid
            words = m[4].split()
            for position, set_ in zip(words[::2], words[1::2], strict=True):
                self.change(followed, m[3] == b"ADDTO", int(position), numbers(set_))

    def change(self, followed: Followed, is_added: bool, position: int, some: list[int]) -> None:
        named = some if followed.is_uid else [self.messages[n - 1] for n in some]
        assert bool(position) == bool(followed.criteria)
        if not position:
            for uid in named:
                assert (uid in followed.result) != is_added
                (followed.result.append if is_added else followed.result.remove)(uid)
            followed.result.sort()  # type: ignore[type-var]  # numbers
            return
        for n, uid in enumerate(named):
            if is_added:
                assert uid not in followed.result
                followed.result.insert(position - 1 + n, uid)
            else:
                assert followed.result.pop(position - 1) == uid


def numbers(text: bytes) -> list[int]:
    out: list[int] = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        out += range(int(low), int(high or low) + 1)
    return out


class Contexts(RuleBasedStateMachine):
    """Two clients, each with some searches; mail comes, goes and changes in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.room = Mailroom(Path(self.folder.name))
        self.there: list[int] = []
        for n in range(5):
            self.come("abcba"[n], n % 2 * FLAGGED)
        self.clients = [Client(self.room), Client(self.room)]

    @initialize(data=st.data())
    def follow(self, data: st.DataObject) -> None:
        for client in self.clients:
            for n, (program, criteria) in enumerate(SEARCHES):
                is_uid = data.draw(st.booleans())
                verb = f"SORT RETURN (ALL UPDATE) {criteria} UTF-8 {program}" if criteria else ""
                command = ("UID " if is_uid else "") + (
                    verb or f"SEARCH RETURN (ALL UPDATE) {program}"
                )
                client.reader.tag = f"t{n}".encode()
                said = client.ask(command)
                found = re.search(rb" ALL (\S+)\r", said)
                result = numbers(found[1]) if found else []
                if not is_uid:
                    result = [client.messages[k - 1] for k in result]
                client.followed[b"t%d" % n] = Followed(program, criteria, is_uid, list(result))
            client.reader.tag = b"a"

    @rule(subject=st.sampled_from("abcB"), flags=st.sampled_from([0, SEEN, FLAGGED]))
    def come(self, subject: str, flags: int) -> None:
        raw = f"Subject: {subject}\r\nFrom: {subject}@x\r\n\r\n{'x' * len(self.there)}".encode()
        self.there.append(self.room.put(raw, flags))

    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        if self.there:
            uid = data.draw(st.sampled_from(self.there))
            self.there.remove(uid)
            self.room.expunge(uid)

    @rule(
        data=st.data(),
        how=st.sampled_from(["add", "remove"]),
        flag=st.sampled_from([SEEN, FLAGGED, DELETED]),
        words=st.sampled_from([(), ("$x",)]),
    )
    def mark(self, data: st.DataObject, how: str, flag: int, words: tuple[str, ...]) -> None:
        if self.there:
            uids = sorted(data.draw(st.sets(st.sampled_from(self.there), max_size=4)))
            self.room.write(
                lambda tx: tx.messages.change_flags(
                    self.room.inbox, [Uid(u) for u in uids], how, flag, words
                )
            )

    @rule(which=st.integers(0, 1), silent=st.booleans(), data=st.data())
    def store(self, which: int, silent: bool, data: st.DataObject) -> None:
        client = self.clients[which]
        if client.messages:
            number = data.draw(st.integers(1, len(client.messages)))
            flag = data.draw(st.sampled_from(["+FLAGS", "-FLAGS"])) + (".SILENT" if silent else "")
            client.ask(f"STORE {number} {flag} (\\Seen)")

    @rule(which=st.integers(0, 1))
    def look(self, which: int) -> None:
        client = self.clients[which]
        if client.messages:
            client.ask("FETCH 1 (UID)")

    @rule(which=st.integers(0, 1))
    def check(self, which: int) -> None:
        client = self.clients[which]
        client.ask("NOOP")
        assert client.messages == self.there
        for followed in client.followed.values():
            if followed.criteria:
                said = client.ask(f"UID SORT {followed.criteria} UTF-8 {followed.command}")
            else:
                said = client.ask(f"UID SEARCH {followed.command}")
            fresh = [int(n) for n in said.split(b"\r\n")[0].split()[2:]]
            assert followed.result == fresh, followed

    def teardown(self) -> None:
        self.room.close()
        self.folder.cleanup()


TestContexts = Contexts.TestCase
TestContexts.settings = settings(max_examples=12, stateful_step_count=25)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Mailroom]:
    room = Mailroom(tmp_path)
    for n in range(6):
        room.put(b"Subject: %d\r\n\r\n" % n)
    yield room
    room.close()


def asked(reader: Reader, tag: bytes, command: str) -> list[bytes]:
    reader.tag = tag
    said = reader.ask(command).split(b"\r\n")
    reader.tag = b"a"
    return said[:-1]


@pytest.mark.rfc(5267, "4.3.1")
def test_too_many(room: Mailroom) -> None:
    room.server.limits = ImapLimits(contexts=3, context_messages=8)
    reader = room.reader()
    assert asked(reader, b"t1", "SEARCH RETURN (COUNT UPDATE) 1:4") == [
        b'* ESEARCH (TAG "t1") COUNT 4', b"t1 OK SEARCH completed."
    ]  # fmt: skip
    assert asked(reader, b"t2", "SEARCH RETURN (COUNT UPDATE) ALL") == [
        b'* ESEARCH (TAG "t2") COUNT 6',
        b'* NO [NOUPDATE "t2"] Too many contexts',
        b"t2 OK SEARCH completed.",
    ]
    for tag in (b"t3", b"t4"):
        assert len(asked(reader, tag, "SEARCH RETURN (COUNT UPDATE) FLAGGED")) == 2
    assert b'NOUPDATE "t5"' in asked(reader, b"t5", "SORT RETURN (UPDATE) (SIZE) UTF-8 DELETED")[1]
    assert reader.ask('CANCELUPDATE "t1" "t9"').startswith(b"a NO ")
    assert len(asked(reader, b"t6", "SEARCH RETURN (COUNT UPDATE) ALL")) == 2
    assert set(reader.session.view.contexts) == {b"t3", b"t4", b"t6"}


@pytest.mark.rfc(5267, "4.3")
def test_sequence_numbers_mean_what_they_meant(room: Mailroom) -> None:
    reader = room.reader()
    asked(reader, b"t1", "UID SEARCH RETURN (UPDATE) 2:4 NOT FLAGGED")
    asked(reader, b"t2", "SEARCH RETURN (SAVE) 5")
    asked(reader, b"t3", "UID SEARCH RETURN (UPDATE) $ NOT FLAGGED")
    room.expunge(1)
    reader.ask("NOOP")
    asked(reader, b"t4", "SEARCH RETURN (SAVE) 1")
    room.write(
        lambda tx: tx.messages.change_flags(room.inbox, [Uid(u) for u in (2, 5, 6)], "add", FLAGGED)
    )
    said = reader.ask("NOOP").split(b"\r\n")
    assert b'* ESEARCH (TAG "t1") UID REMOVEFROM (0 2)' in said
    assert b'* ESEARCH (TAG "t3") UID REMOVEFROM (0 5)' in said


def test_only_what_changed_is_tried_again(room: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = room.reader()
    asked(reader, b"t1", "SEARCH RETURN (UPDATE) BODY nowhere")
    tried: list[list[int]] = []
    real = contexts.Scan

    def spy(program: object, mailbox: object, slice_: object) -> object:
        tried.append(list(slice_.uids))  # type: ignore[attr-defined]
        return real(program, mailbox, slice_)  # type: ignore[arg-type]

    monkeypatch.setattr(contexts, "Scan", spy)
    room.write(lambda tx: tx.messages.change_flags(room.inbox, [Uid(2), Uid(5)], "add", FLAGGED))
    reader.ask("NOOP")
    room.expunge(1)
    reader.ask("NOOP")
    assert tried == [[2, 5]]


def test_many_changes_at_once(room: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "_ONE_BY_ONE", 2)
    reader = room.reader()
    asked(reader, b"t1", "UID SEARCH RETURN (UPDATE) FLAGGED")
    uids = [Uid(u) for u in (1, 2, 3, 5)]
    room.write(lambda tx: tx.messages.change_flags(room.inbox, uids, "add", FLAGGED))
    assert b"ADDTO (0 1:3,5)" in reader.ask("NOOP")
    room.write(lambda tx: tx.messages.change_flags(room.inbox, uids[1:], "remove", FLAGGED))
    assert b"REMOVEFROM (0 2:3,5)" in reader.ask("NOOP")
    assert list(reader.session.view.contexts[b"t1"].uids) == [1]


def test_places_beside_messages_that_are_gone() -> None:
    """Such a one has no key; the order of the others counts alone."""
    keys = {1: (10,), 2: None, 3: (30,), 4: None, 5: (50,)}
    for own, place in (((5,), 0), ((20,), 1), ((40,), 3), ((60,), 5)):
        at = order.place_of(own, [1, 2, 3, 4, 5], keys.__getitem__)
        alive = [n for n in [1, 2, 3, 4, 5][:at] if keys[n]]
        assert alive == [n for n in [1, 2, 3, 4, 5][:place] if keys[n]]


def test_a_last_message_that_is_gone_without_having_been_told(room: Mailroom) -> None:
    reader = room.reader()
    asked(reader, b"t1", "UID SEARCH RETURN (UPDATE) UID 3:*")
    room.expunge(6)
    assert b"UID REMOVEFROM (0 6)" in reader.ask("FETCH 1 (UID)")
    room.put(b"Subject: new\r\n\r\n")
    said = reader.ask("FETCH 1 (UID)")
    assert b"UID ADDTO (0 7)" in said
    assert b"REMOVEFROM" not in said
    room.expunge(3, 4, 5, 7)
    reader.ask("NOOP")
    assert list(reader.session.view.contexts[b"t1"].uids) == [2]  # "3:*" is "2:3" then
