"""THREAD: against RFC 5256 §3 written down step by step, on mail that claims anything; and how long that may take."""

import random  # noqa: TID251 - seeded, so that the mail is the same each time
import re
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.mailroom import Mailroom, Reader
from mailserver.base.limits import ImapLimits
from mailserver.imap.conversation import Read, Thread, Write
from mailserver.imap.threads import kin as reading
from mailserver.imap.threads.algorithms import ALGORITHMS
from mailserver.imap.threads.kins import Kin
from mailserver.imap.threads.links import parents, pruned
from mailserver.imap.threads.writing import written
from mailserver.mime.scan import derive
from mailserver.mime.subjects import is_reply
from mailserver.mime.threads import ancestry, unpack_ancestry
from mailserver.store.flags import SEEN


@dataclass
class Node:
    """A message, or a dummy, as RFC 5256 §3 speaks of them."""

    number: int | None
    date: tuple[int, int] = (0, 0)
    subject: int = 0
    is_reply: bool = False
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)

    def is_above(self, other: "Node | None") -> bool:
        while other is not None:
            if other is self:
                return True
            other = other.parent
        return False

    def link(self, child: "Node") -> None:
        child.unlink()
        child.parent = self
        self.children.append(child)

    def unlink(self) -> None:
        if self.parent is not None:
            self.parent.children.remove(self)
            self.parent = None


@dataclass
class Mail:
    own: int
    refs: list[int]
    sent: int
    subject: int
    is_reply: bool


def as_the_rfc_says(mails: list[Mail], *, with_subjects: bool) -> list[object]:
    nodes = [Node(n, (m.sent, n), m.subject, m.is_reply) for n, m in enumerate(mails)]
    table: dict[int, Node] = {}
    for mail, node in zip(mails, nodes, strict=True):
        if mail.own:
            table.setdefault(mail.own, node)
    dummies: list[Node] = []
    for mail, node in zip(mails, nodes, strict=True):  # (1)
        last: Node | None = None
        for ref in mail.refs:
            if ref not in table:
                table[ref] = Node(None)
                dummies.append(table[ref])
            one = table[ref]
            if last is not None and one.parent is None and not one.is_above(last):
                last.link(one)
            last = one
        if node.parent is not last:
            node.unlink()
            if last is not None and not node.is_above(last):
                last.link(node)
    root = Node(None)  # (2)
    for node in [*nodes, *dummies]:
        if node.parent is None:
            root.link(node)
    prune(root, root)  # (3)
    sort(root)  # (4)
    if with_subjects:
        join(root)  # (5)
        sort(root)  # (6)
    else:
        root.children.sort(key=latest)
    return [told(child) for child in root.children]


def prune(node: Node, root: Node) -> None:
    for child in list(node.children):
        prune(child, root)
        if child.number is None and (
            not child.children or node is not root or len(child.children) == 1
        ):
            child.unlink()
            for grandchild in list(child.children):
                node.link(grandchild)


def sort(node: Node) -> None:
    for child in node.children:
        sort(child)
    node.children.sort(key=when)


def when(node: Node) -> tuple[int, int]:
    return node.date if node.number is not None else node.children[0].date


def latest(node: Node) -> tuple[int, int]:
    own = [node.date] if node.number is not None else []
    return max([*own, *map(latest, node.children)])


def join(root: Node) -> None:
    def first(node: Node) -> Node:
        return node if node.number is not None else node.children[0]

    table: dict[int, Node] = {}
    for node in root.children:
        subject = first(node).subject
        if not subject:
            continue
        other = table.setdefault(subject, node)
        if (
            other is not node
            and other.number is not None
            and (node.number is None or (other.is_reply and not node.is_reply))
        ):
            table[subject] = node
    for node in list(root.children):
        subject = first(node).subject
        if not subject or table[subject] is node:
            continue
        other = table[subject]
        if other.number is None and node.number is None:
            for child in list(node.children):
                other.link(child)
            node.unlink()
        elif other.number is None or (node.is_reply and not other.is_reply):
            other.link(node)
        else:
            dummy = Node(None)
            root.link(dummy)
            dummy.link(other)
            dummy.link(node)
            table[subject] = dummy


def told(node: Node) -> list[object]:
    out: list[object] = [] if node.number is None else [node.number + 1]
    if len(node.children) == 1:
        return out + told(node.children[0])
    return out + [told(child) for child in node.children]


def tree(text: bytes) -> list[object]:
    """The nested lists of a THREAD response."""
    stack: list[list[object]] = [[]]
    for token in re.findall(rb"[()]|\d+", text.removeprefix(b"* THREAD")):
        if token == b"(":
            stack.append([])
        elif token == b")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(int(token))
    (out,) = stack
    return out


def kin(mails: list[Mail]) -> Kin:
    out = Kin()
    for n, m in enumerate(mails, 1):
        out.add(n, array("q", [m.own, *m.refs]), m.sent, m.subject, m.is_reply)
    return out


def ours(mails: list[Mail], algorithm: str) -> list[object]:
    forest = ALGORITHMS[algorithm](kin(mails), array("I", range(len(mails))))
    return tree(b"".join(written(forest, range(1, len(mails) + 1))))


MAILS = st.lists(
    st.builds(
        Mail,
        own=st.integers(0, 12),
        refs=st.lists(st.integers(1, 14), max_size=5),
        sent=st.integers(0, 9),
        subject=st.integers(0, 3),
        is_reply=st.booleans(),
    ),
    max_size=14,
)


@pytest.mark.rfc(5256, "3")
@given(MAILS)
@settings(max_examples=400)
def test_references(mails: list[Mail]) -> None:
    assert ours(mails, "REFERENCES") == as_the_rfc_says(mails, with_subjects=True)


@given(MAILS)
@settings(max_examples=300)
def test_refs(mails: list[Mail]) -> None:
    assert ours(mails, "REFS") == as_the_rfc_says(mails, with_subjects=False)


@pytest.mark.rfc(5256, "3")
@given(MAILS)
def test_ordered_subject(mails: list[Mail]) -> None:
    groups: dict[int, list[int]] = {}
    for n in sorted(range(len(mails)), key=lambda n: (mails[n].sent, n)):
        groups.setdefault(mails[n].subject, []).append(n + 1)
    expected = [
        group if len(group) < 3 else [group[0], *([n] for n in group[1:])]
        for group in groups.values()
    ]
    assert ours(mails, "ORDEREDSUBJECT") == expected


# what nobody may make slow, or deep

COUNT = 20_000


def chain(order: list[int]) -> list[Mail]:
    """Message n answers message n - 1, and says no more; they come in this *order*."""
    return [Mail(n + 1, [n] if n else [], n, 0, False) for n in order]


def shuffled(count: int) -> list[int]:
    out = list(range(count))
    random.Random(1).shuffle(out)
    return out


@pytest.mark.parametrize("name", ["REFERENCES", "REFS"])
@pytest.mark.parametrize(
    "mails",
    [
        pytest.param(chain(list(range(COUNT))), id="in-order"),
        pytest.param(chain(list(range(COUNT))[::-1]), id="backwards"),
        pytest.param(chain(shuffled(COUNT)), id="shuffled"),
        pytest.param([Mail(n, [n % COUNT + 1], n, 1, False) for n in range(1, COUNT)], id="ring"),
        pytest.param(  # every message is given a parent by the next, and has another
            [
                Mail(n, [n - 2, n - 1] if n % 2 else [1, n + 1], n, 1, False)
                for n in range(3, COUNT)
            ],
            id="broken-links",
        ),
        pytest.param(
            chain(list(range(COUNT // 2)))
            + [
                Mail(0, [COUNT // 2, n % 50 + 1, COUNT // 4 + n], n, 1, True)
                for n in range(COUNT // 4)
            ],
            id="climbing",
        ),
        pytest.param([Mail(n, [1] * 255, n, 1, True) for n in range(1, COUNT // 4)], id="fat"),
    ],
)
def test_time_grows_with_the_messages(mails: list[Mail], name: str) -> None:
    known = kin(mails)
    start = time.process_time()
    forest = ALGORITHMS[name](known, array("I", range(len(mails))))
    text = b"".join(written(forest, range(1, len(mails) + 1)))
    assert time.process_time() - start < 6  # squares of it would be minutes
    assert sorted(map(int, re.findall(rb"\d+", text))) == list(range(1, len(mails) + 1))


@given(MAILS, st.integers(0, 10))
def test_a_spent_budget_only_leaves_links_out(mails: list[Mail], steps: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mailserver.imap.threads.links._STEPS", 0)
        patch.setattr("mailserver.imap.threads.links._STEPS_ANYWAY", steps)
        above = pruned(parents(kin(mails), array("I", range(len(mails)))), len(mails))
    for number in range(len(mails)):
        seen = set()
        while 0 <= number < len(mails):
            assert number not in seen
            seen.add(number)
            number = above[number]


# what is stored


def ids(*fields: bytes) -> list[int]:
    return list(unpack_ancestry(derive(b"\r\n".join(fields) + b"\r\n\r\n").ancestry))


@pytest.mark.rfc(5256, "3")
def test_ancestry() -> None:
    (one,) = ids(b"Message-ID: <1@x>")
    (two,) = ids(b"Message-ID: <2@x>")
    assert one != two != 0 != one
    assert ids(b"Message-ID: <2@x>", b"References: <0@x> <1@x>")[2] == one
    assert ids(b"Message-ID: <2@x>", b"In-Reply-To: <1@x> and <0@x>") == [two, one]
    assert ids(b"Message-ID: <2@x>", b"In-Reply-To: your letter <of yesterday>, <1@x>") == [
        two,
        one,
    ]
    assert ids(b"Message-ID: <2@x>", b"References: none", b"In-Reply-To: <1@x>") == [two, one]
    assert ids(b"Message-ID: <2@x>", b"References: <1@x>", b"In-Reply-To: <0@x>") == [two, one]
    assert ids(b"Message-ID: nonsense") == ids(b"Message-ID: <no-at-sign>") == ids() == [0]
    assert ids(b'Message-ID: <"1"@x>') == [one]
    assert ids(b'Message-ID: <"\\1"@x>') == [one]
    assert ids(b"Message-ID: <1@X>") != [one]  # case counts


def test_thousands_of_references_are_bounded() -> None:
    many = b"References: " + b"\r\n ".join(b"<%d@x>" % n for n in range(10_000))
    found = ids(b"Message-ID: <own@x>", many)
    assert len(found) == 256
    assert found[-1] == ids(b"Message-ID: <9999@x>")[0]
    assert found[1] == ids(b"Message-ID: <0@x>")[0]


@given(st.binary(max_size=300))
def test_ancestry_of_anything(value: bytes) -> None:
    assert len(unpack_ancestry(ancestry([value], [value], [value]))) >= 1


@pytest.mark.rfc(5256, "3")
@pytest.mark.parametrize(
    ("subject", "reply"),
    [
        ("Lunch", False), ("Re: Lunch", True), ("fwd: Lunch", True), ("Lunch (fwd)", True), ("[fwd: Lunch]", True),
        ("[list] Lunch", False), ("[list] Re: Lunch", True), (" Lunch ", False), ("Re [x]: Lunch", True),
        ("Regarding: Lunch", False), ("", False), ("Re:", True), ("[fwd: Lunch", False),
    ],
)  # fmt: skip
def test_replies(subject: str, reply: bool) -> None:
    assert is_reply(subject) == reply


# the command


def asked(client: Reader, command: str) -> list[object]:
    first, *_, end, _ = client.ask(command).split(b"\r\n")
    assert end.startswith(b"a OK "), end
    assert first.startswith(b"* THREAD")
    return tree(first)


def mail(n: int, *refs: int, subject: str = "x") -> bytes:
    head = f"Message-ID: <{n}@x>\r\nSubject: {subject}\r\nDate: Mon, 2 Mar 2026 10:00:{n:02d} +0000\r\n"
    if refs:
        head += "References: " + " ".join(f"<{r}@x>" for r in refs) + "\r\n"
    return head.encode() + b"\r\n"


def test_what_is_known_follows_the_mailbox(tmp_path: Path) -> None:
    room = Mailroom(tmp_path)
    for n, refs in enumerate([(), (1,), (), (1, 2)], 1):
        room.put(mail(n, *refs, subject=f"s{n}"))
    client, other = room.reader(), room.reader()
    assert asked(client, "UID THREAD REFS UTF-8 ALL") == [[3], [1, 2, 4]]
    reads = [e for e in client.effects if isinstance(e, Read)]
    assert len(reads) == 1
    assert asked(client, "UID THREAD REFS UTF-8 ALL") == [[3], [1, 2, 4]]
    assert not [e for e in client.effects if isinstance(e, Read | Thread)]  # as it was said before
    room.put(mail(5, 3))
    client.ask("NOOP")
    assert asked(client, "UID THREAD REFS UTF-8 ALL") == [[1, 2, 4], [3, 5]]
    assert asked(other, "UID THREAD REFS UTF-8 ALL") == [
        [3],
        [1, 2, 4],
    ]  # which has not heard of it
    room.expunge(2)
    client.ask("NOOP")
    assert asked(client, "UID THREAD REFS UTF-8 ALL") == [[1, 4], [3, 5]]
    assert asked(client, "THREAD REFS UTF-8 ALL") == [[1, 3], [2, 4]]
    assert asked(client, "UID THREAD REFS UTF-8 UID 3:5") == [[4], [3, 5]]
    assert asked(client, "UID THREAD REFS UTF-8 UID 77") == []
    room.close()


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    room = Mailroom(tmp_path)
    room.server.limits = ImapLimits(threaded_messages=2)
    for n in (1, 2, 3):
        room.put(mail(n))
    client = room.reader()
    assert len(asked(client, "THREAD REFS UTF-8 ALL")) == 3
    assert not room.server.kins._kept
    assert room.server.kins._held == 0
    room.close()


def test_a_few_of_many_messages_are_read_alone(tmp_path: Path) -> None:
    room = Mailroom(tmp_path)
    for n in range(1, 21):
        room.put(mail(n, *([n - 1] if n % 2 == 0 else [])), SEEN if n > 4 else 0)
    client = room.reader()
    assert asked(client, "UID THREAD REFS UTF-8 UNSEEN") == [[1, 2], [3, 4]]
    assert not room.server.kins._kept
    room.close()


def test_messages_from_before_ancestries_were_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "OCTETS", 1)
    room = Mailroom(tmp_path)
    for n, refs in enumerate([(), (1,), (1, 2)], 1):
        room.put(mail(n, *refs))
    room.write(lambda tx: tx.messages._db.run("UPDATE message SET ancestry = NULL"))
    client = room.reader()
    assert asked(client, "THREAD REFERENCES UTF-8 ALL") == [[1, 2, 3]]
    assert len([e for e in client.effects if isinstance(e, Write)]) == 3
    stored = room.store.read_now(
        lambda tx: [a for (a,) in tx.messages.rows(room.inbox, [(1, 3)], "ancestry")]
    )
    assert stored == [
        derive(mail(n, *refs)).ancestry for n, refs in ((1, ()), (2, (1,)), (3, (1, 2)))
    ]
    room.close()
