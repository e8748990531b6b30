"""SORT as a client sees it: every criterion against a naive reading, and orders kept while mail comes and goes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from imap.mailroom import Mailroom, Reader
from imap.test_search import Bag, Letter
from mailserver.base.errors import PeerError, TryLater
from mailserver.base.limits import ImapLimits
from mailserver.imap.conversation import Read
from mailserver.imap.parser import Parser
from mailserver.imap.sorting import order, pieces
from mailserver.imap.sorting.criteria import SOURCES, Criterion, parse_criteria
from mailserver.imap.sorting.display import FROM, TO, display
from mailserver.imap.sorting.pieces import in_order
from mailserver.mime.collation import collated
from mailserver.mime.scan import derive


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bag]:
    bag = Bag(tmp_path_factory.mktemp("bag"))
    yield bag
    bag.room.close()


def asked(client: Reader, command: str, name: str = "SORT") -> list[int]:
    first, *_, end, _ = client.ask(command).split(b"\r\n")
    assert end.startswith(b"a OK "), end
    assert first.startswith(b"* " + name.encode()), first
    return [int(n) for n in first.split()[2:]]


def mailbox(person: tuple[str, str]) -> str:
    return person[1].partition("@")[0]


def base(subject: str | None) -> str:
    return re.sub(r"^Re: ", "", subject or "")


#: RFC 5256 §3, RFC 5957 §4
NAIVE = {
    "ARRIVAL": lambda m: m.internal_at,
    "CC": lambda m: collated(mailbox(m.cc[0])) if m.cc else "",
    "DATE": lambda m: int(m.sent.timestamp()) if m.sent else m.internal_at,
    "DISPLAYFROM": lambda m: collated(m.sender[0] or m.sender[1]),
    "DISPLAYTO": lambda m: collated(m.to[0][0] or m.to[0][1]) if m.to else "",
    "FROM": lambda m: collated(mailbox(m.sender)),
    "SIZE": lambda m: len(m.raw),
    "SUBJECT": lambda m: collated(base(m.subject)),
    "TO": lambda m: collated(mailbox(m.to[0])) if m.to else "",
}


def naive(letters: list[Letter], criteria: list[tuple[str, bool]]) -> list[int]:
    out = list(letters)
    for name, is_reverse in reversed(criteria):  # a stable sort by the last criterion first
        out.sort(key=NAIVE[name], reverse=is_reverse)
        if is_reverse:  # equal ones stay in mailbox order
            out.sort(key=NAIVE[name], reverse=True)
    return [m.uid for m in out]


def wire(criteria: list[tuple[str, bool]]) -> str:
    return "(" + " ".join(("REVERSE " if down else "") + name for name, down in criteria) + ")"


CRITERIA = st.lists(
    st.tuples(st.sampled_from(sorted(NAIVE)), st.booleans()),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one[0],
)


def test_every_criterion_is_tried_here() -> None:
    assert set(NAIVE) == set(SOURCES)


@pytest.mark.rfc(5256, "3")
@given(criteria=CRITERIA)
@settings(max_examples=150)
def test_like_the_naive_reading(bag: Bag, criteria: list[tuple[str, bool]]) -> None:
    bag.room.server.orders.__init__()  # type: ignore[misc]  # forgets everything
    expected = naive(bag.letters, criteria)
    assert asked(bag.client, f"UID SORT {wire(criteria)} UTF-8 ALL") == expected
    assert asked(bag.client, f"UID SORT {wire(criteria)} UTF-8 ALL") == expected  # remembered
    some = {m.uid for m in bag.letters if m.uid % 9 == 1}
    uids = ",".join(map(str, some))
    wanted = [uid for uid in expected if uid in some]
    assert asked(bag.client, f"UID SORT {wire(criteria)} UTF-8 UID {uids}") == wanted
    bag.room.server.orders.__init__()  # type: ignore[misc]
    assert asked(bag.client, f"UID SORT {wire(criteria)} UTF-8 UID {uids}") == wanted


def test_numbers_and_uids(bag: Bag) -> None:
    by_uid = asked(bag.client, "UID SORT (SUBJECT) UTF-8 ALL")
    number = {m.uid: n for n, m in enumerate(bag.letters, 1)}
    assert asked(bag.client, "SORT (SUBJECT) UTF-8 ALL") == [number[uid] for uid in by_uid]


@given(st.lists(st.integers(-5, 5) | st.integers(), max_size=200), st.integers(2, 9))
def test_pieces(values: list[int], piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", piece)
        assert list(in_order(values)) == sorted(values)


# orders that are kept


class Kept(RuleBasedStateMachine):
    """Two sessions on one mailbox sort while mail comes and goes; each is told what the messages it knows say."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.room = Mailroom(Path(self.folder.name))
        self.said: dict[int, tuple[str, str]] = {}
        for n in range(6):
            self.come("abcab"[n % 5], "xyx"[n % 3])
        self.clients = [self.room.reader(), self.room.reader()]

    @rule(subject=st.sampled_from("abcABC"), sender=st.sampled_from("xyz"))
    def come(self, subject: str, sender: str) -> None:
        raw = f"Subject: {subject}\r\nFrom: {sender}@example.org\r\n\r\n".encode()
        self.said[self.room.put(raw)] = (subject, sender)

    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        if self.said:
            uid = data.draw(st.sampled_from(sorted(self.said)))
            self.room.expunge(uid)
            del self.said[uid]

    @rule(which=st.integers(0, 1))
    def hear(self, which: int) -> None:
        self.clients[which].ask("NOOP")

    @rule(which=st.integers(0, 1), down=st.booleans())
    def sort(self, which: int, down: bool) -> None:
        client = self.clients[which]
        view = list(client.session.view.uids)
        known = [uid for uid in view if uid in self.said]
        told = asked(client, f"UID SORT ({'REVERSE ' * down}SUBJECT FROM) UTF-8 ALL")
        groups: dict[str, list[int]] = {}
        for uid in sorted(known, key=lambda uid: (self.said[uid][1], uid)):
            groups.setdefault(self.said[uid][0].upper(), []).append(uid)
        expected = [uid for key in sorted(groups, reverse=down) for uid in groups[key]]
        assert set(told) <= set(
            view
        )  # it may name what is gone, as long as the client has not heard of that
        assert [uid for uid in told if uid in self.said] == expected

    @invariant()
    def the_memory_counts_right(self) -> None:
        orders = self.room.server.orders
        assert orders._held == sum(len(o.uids) for o in orders._kept.values())

    def teardown(self) -> None:
        self.room.close()
        self.folder.cleanup()


TestKept = Kept.TestCase
TestKept.settings = settings(max_examples=15, stateful_step_count=25)


def test_new_mail_is_put_in_without_reading_the_rest(bag: Bag) -> None:
    asked(bag.client, "UID SORT (SUBJECT DATE) UTF-8 ALL")
    asked(bag.client, "UID SORT (SUBJECT DATE) UTF-8 ALL")
    assert not [e for e in bag.client.effects if isinstance(e, Read)]


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    room = Mailroom(tmp_path)
    room.server.limits = ImapLimits(sorted_messages=7)
    for n in range(5):
        room.put(b"Subject: %d\r\n\r\n" % n)
    client = room.reader()
    asked(client, "SORT (SUBJECT) UTF-8 ALL")
    asked(client, "SORT (SIZE) UTF-8 ALL")
    orders = room.server.orders
    assert [key[2] for key in orders._kept] == [(Criterion("SIZE"),)]
    for n in range(5):
        room.put(b"Subject: %d\r\n\r\n" % n)
    client.ask("NOOP")
    assert asked(client, "SORT (SUBJECT) UTF-8 ALL") == [1, 6, 2, 7, 3, 8, 4, 9, 5, 10]
    assert orders._held == 5
    room.close()


def test_many_new_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "INSERTED", 3)
    room = Mailroom(tmp_path)
    client = room.reader()
    for count in (2, 1, 5, 3):
        for n in range(count):
            room.put(b"Subject: %d\r\n\r\n" % (n % 3))
        client.ask("NOOP")
        told = asked(client, "SORT (REVERSE SUBJECT) UTF-8 ALL")
        room.server.orders.__init__()  # type: ignore[misc]
        assert asked(client, "SORT (REVERSE SUBJECT) UTF-8 ALL") == told
    room.close()


@pytest.mark.rfc(5182, "2.1")
@pytest.mark.parametrize(
    "command", ["SORT RETURN (SAVE) (SUBJECT) UTF-8 ALL", "SEARCH RETURN (SAVE) SUBJECT 1"]
)
def test_a_failure_leaves_nothing_saved(tmp_path: Path, command: str) -> None:
    room = Mailroom(tmp_path)
    for n in range(3):
        room.put(b"Subject: %d\r\n\r\n" % n)
    client = room.reader()
    client.ask("SEARCH RETURN (SAVE) ALL")
    assert client.ask("SEARCH $").startswith(b"* SEARCH 1 2 3\r\n")

    real = client._carry_out

    def failing(effect: Any, out: list[bytes]) -> Any:
        if isinstance(effect, Read):
            raise TryLater("The storage is not available at the moment.")
        return real(effect, out)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "_carry_out", failing)
        assert client.ask(command).startswith(b"a NO [UNAVAILABLE] ")
    assert client.ask("SEARCH $").startswith(b"* SEARCH\r\n")
    room.close()


@pytest.mark.rfc(5182, "2.5")
def test_too_many_to_be_saved(tmp_path: Path) -> None:
    room = Mailroom(tmp_path)
    room.server.limits = ImapLimits(saved_messages=2)
    for n in range(3):
        room.put(b"Subject: %d\r\n\r\n" % n)
    client = room.reader()
    client.ask("SEARCH RETURN (SAVE) 1:2")
    assert client.ask("SEARCH RETURN (SAVE) ALL").startswith(b"a NO [NOTSAVED] ")
    assert client.ask("SEARCH $").startswith(b"* SEARCH\r\n")
    room.close()


# grammar


@pytest.mark.rfc(5256, "5")
@pytest.mark.parametrize(
    ("line", "criteria"),
    [
        (b"(DATE)", (Criterion("DATE"),)),
        (b"(reverse Date subject)", (Criterion("DATE", True), Criterion("SUBJECT"))),
        (b"(DATE REVERSE DATE DATE)", (Criterion("DATE"),)),
        (b"(RELEVANCY SIZE)", (Criterion("RELEVANCY"), Criterion("SIZE"))),
    ],
)
def test_criteria(line: bytes, criteria: tuple[Criterion, ...]) -> None:
    p = Parser(line, ImapLimits())
    assert parse_criteria(p) == criteria
    p.end()


@pytest.mark.parametrize(
    "line",
    [b"", b"()", b"DATE", b"(DATE", b"(REVERSE)", b"(REVERSE REVERSE DATE)", b"(X)", b"(DATE )"],
)
def test_refused(line: bytes) -> None:
    with pytest.raises(PeerError):
        parse_criteria(Parser(line, ImapLimits()))


@given(st.binary(max_size=60))
def test_garbage(line: bytes) -> None:
    try:
        criteria: Any = parse_criteria(Parser(b"(" + line, ImapLimits()))
    except PeerError:
        return
    assert all(one.name in SOURCES or one.name == "RELEVANCY" for one in criteria)


# names that people see


@pytest.mark.rfc(5957, "3")
@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (b"", ""),
        (b"From: ann@example.org\r\n", "ann@example.org"),
        (b"From: Ann <ann@example.org>, Bob <bob@example.org>\r\n", "Ann"),
        (b'From: "Ann \\"A\\" Smith" <ann@example.org>\r\n', 'Ann "A" Smith'),
        (b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\n", "Jürgen"),
        (b"From: J\xc3\xbcrgen <j@example.org>\r\n", "Jürgen"),
        (b'From: "" <ann@example.org>\r\n', "ann@example.org"),
        (b"From: team: Ann <ann@example.org>;\r\n", "team"),
    ],
)
def test_display(field: bytes, shown: str) -> None:
    envelope = derive(field + b"Subject: x\r\nTo: Zoe <zoe@example.org>\r\n\r\n").envelope
    assert display(envelope, FROM) == shown
    assert display(envelope, TO) == "Zoe"


@given(st.binary(max_size=200))
def test_display_of_anything(field: bytes) -> None:
    envelope = derive(b"From: " + field + b"\r\n\r\n").envelope
    display(envelope, FROM)
    assert display(envelope, TO) == "" or b"\nTo" in field or b"\nto" in field.lower()
