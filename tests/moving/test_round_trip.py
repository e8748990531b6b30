"""What is exported and imported again is the same: octets, flags, dates, UIDs (RFC 9051 §2.3.1.1)."""

import os
import shutil
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.base.errors import Cannot, OverQuota
from mailserver.base.ids import Uid
from mailserver.moving import leaving, mail, taking
from mailserver.moving.leaving import Format
from mailserver.moving.line_ends import shape, with_crlf, with_lf
from mailserver.store.flags import ALL, DELETED, DRAFT, FLAGGED, SEEN
from moving.household import NOW, Household

FORMATS = pytest.mark.parametrize("kind", get_args(Format))
HOSTILE = [
    b"Subject: one\r\n\r\nhello\r\n",
    b"no end of line",
    b"From me\r\n>From you\r\n>>From them\r\nFrom\r\n >From\r\n",
    b"\r\n\r\n\r\n",
    b"bare\nlf\n",
    b"bare\nand\r\nboth\r\n",
    b"cr\r\r\ncrlf\r\n",
    b"\n",
    b"x",
    b"nul\0 and \xff\xfe\r\n",
    b"Status: RO\r\nX-UID: 77\r\nX-Mailserver-Message: size=1; plain=1\r\n\r\nforged\r\n",
    b"From a@b Thu Jan  1 00:00:00 1970\nSubject: inside\n\nx\n\nFrom a@b Thu Jan  1 00:00:00 1970\n\n",
    b"Subject: long\r\n\r\n" + b"From line " * 60_000 + b"\r\nFrom x\r\n" + b"y\r\n" * 200_000,
    b"\xef\xbb\xbf" + b"long line " * 120_000,
]


@FORMATS
def test_everything_comes_back(household: Household, tmp_path: Path, kind: Format) -> None:
    """All of an account into a fresh one: the same UIDs and UIDVALIDITY too, so that no program starts anew."""
    for n, raw in enumerate(HOSTILE):
        household.put(
            raw, flags=n % (ALL + 1), keywords=("$Forwarded", f"k{n}"), internal_at=NOW - n
        )
    names = ["Work", "Work/Entwürfe & more", "Work/a.b.mbox", "Work/a.b.mbox/.x", "%", "x" * 300]
    for name in names:
        household.store.write_now(lambda tx, n=name: tx.mailboxes.create(household.alice.id, n))
        household.put(name.encode(), name, flags=SEEN | DRAFT)
    household.store.write_now(lambda tx: tx.mailboxes.subscribe(household.alice.id, "Work"))
    inbox = household.box("INBOX", household.alice).id
    household.store.write_now(lambda tx: tx.messages.change_flags(inbox, [Uid(2)], "add", DELETED))
    household.store.write_now(lambda tx: tx.messages.expunge(inbox, [Uid(2)]))

    left = household.leave(tmp_path / "out", kind)
    assert (left.written, left.failed) == (len(HOSTILE) - 1 + len(names), [])
    taken = household.take(tmp_path / "out", kind)
    assert (taken.taken, taken.failed) == (left.written, [])
    assert household.names() == household.names(household.alice)
    for name in ("INBOX", *names):
        assert household.has(name) == household.has(name, household.alice)
        ours, theirs = household.box(name), household.box(name, household.alice)
        assert (ours.uidvalidity, ours.uidnext) == (theirs.uidvalidity, theirs.uidnext)
        assert ours.special_use == theirs.special_use
    assert "Work" in household.store.read_now(
        lambda tx: tx.mailboxes.subscriptions(household.bob.id)
    )
    again = household.take(tmp_path / "out", kind)
    assert (again.taken, again.known) == (0, taken.taken)


@FORMATS
@settings(max_examples=25, deadline=None)
@given(
    data=st.lists(
        st.lists(
            st.sampled_from(
                [
                    b"From ",
                    b">",
                    b"\r\n",
                    b"\n",
                    b"\r",
                    b"x: y",
                    b" ",
                    b"From a@b 00:00:00 1970",
                    b"\0",
                ]
            ),
            min_size=1,
            max_size=12,
        ).map(b"".join),
        min_size=1,
        max_size=5,
    )
)
def test_any_octets_come_back(
    tmp_path_factory: pytest.TempPathFactory, kind: Format, data: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    household = Household(folder / "data")
    try:
        for raw in data:
            household.put(raw)
        household.leave(folder / "out", kind)
        household.take(folder / "out", kind)
        assert [m.raw for m in household.has("INBOX")] == data
    finally:
        household.close()
        shutil.rmtree(folder)


@given(st.lists(st.lists(st.sampled_from([b"\r", b"\n", b"a"])).map(b"".join)))
def test_line_ends(pieces: list[bytes]) -> None:
    """However the octets are cut."""
    data = b"".join(pieces)
    found = shape(pieces)
    assert found == shape([data])
    assert found.size == len(data)
    plain = b"".join(with_lf(pieces))
    assert plain == data.replace(b"\r\n", b"\n")
    if found.is_plain:
        assert b"\r\n" not in plain
        assert b"".join(with_crlf([plain])) == data
        assert len(plain) == found.size - found.lines


@FORMATS
def test_a_run_that_breaks_off_goes_on(
    household: Household, tmp_path: Path, kind: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing twice, nothing lost, identical messages as often as they were there."""
    raws = [b"Subject: %d\r\n\r\nx\r\n" % (n // 2) for n in range(40)]
    for raw in raws:
        household.put(raw)
    household.leave(tmp_path / "out", kind)
    monkeypatch.setattr(taking, "ROWS", 7)
    household.store.write_now(lambda tx: tx.accounts.set(household.bob.id, quota=400))
    with pytest.raises(OverQuota, match="goes on where it stopped"):
        household.take(tmp_path / "out", kind)
    before = len(household.has("INBOX"))
    assert before % 7 == 0
    household.put(b"delivered meanwhile", account=household.bob)
    household.store.write_now(lambda tx: tx.accounts.set(household.bob.id, quota=None))
    assert household.take(tmp_path / "out", kind).taken == 40 - before
    found = [m.raw for m in household.has("INBOX")]
    assert sorted(found) == sorted([*raws, b"delivered meanwhile"])
    assert len({m.uid for m in household.has("INBOX")}) == 41


@FORMATS
def test_into_mailboxes_that_have_mail(household: Household, tmp_path: Path, kind: Format) -> None:
    """Their UIDs stay theirs; what comes has new ones."""
    household.put(b"alice's")
    household.leave(tmp_path / "out", kind)
    household.put(b"bob's", account=household.bob)
    validity = household.box("INBOX").uidvalidity
    household.take(tmp_path / "out", kind)
    assert household.box("INBOX").uidvalidity == validity
    assert [(m.uid, m.raw) for m in household.has("INBOX")] == [(1, b"bob's"), (2, b"alice's")]


@FORMATS
def test_back_into_the_same_account(household: Household, tmp_path: Path, kind: Format) -> None:
    """What is still there is not doubled; what was deleted since comes back, with a new UID."""
    for n in range(3):
        household.put(b"message %d" % n)
    household.leave(tmp_path / "out", kind)
    inbox = household.box("INBOX", household.alice).id
    household.store.write_now(lambda tx: tx.messages.change_flags(inbox, [Uid(2)], "add", DELETED))
    household.store.write_now(lambda tx: tx.messages.expunge(inbox, [Uid(2)]))
    result = household.take(tmp_path / "out", kind, household.alice)
    assert (result.taken, result.known) == (1, 2)
    assert [(m.uid, m.raw) for m in household.has("INBOX", household.alice)] == [
        (1, b"message 0"),
        (3, b"message 2"),
        (4, b"message 1"),
    ]


@pytest.mark.rfc(9051, "2.3.1.1")
def test_a_uidvalidity_never_comes_back(household: Household, tmp_path: Path) -> None:
    """A name under which other mail had this UIDVALIDITY, or a later one, gets another."""
    store, bob = household.store, household.bob.id
    store.write_now(lambda tx: tx.mailboxes.create(household.alice.id, "Work"))
    household.put(b"one", "Work")
    validity = household.box("Work", household.alice).uidvalidity
    household.leave(tmp_path / "out", "maildir")
    household.take(tmp_path / "out", "maildir")
    assert household.box("Work").uidvalidity == validity
    store.write_now(lambda tx: tx.mailboxes.delete(bob, "Work"))
    shutil.copytree(tmp_path / "out", tmp_path / "moved")
    household.take(tmp_path / "moved", "maildir")
    assert household.box("Work").uidvalidity > validity
    assert len(household.has("Work")) == 1


@FORMATS
def test_an_export_is_continued(household: Household, tmp_path: Path, kind: Format) -> None:
    """What was written stays, flags are made right; what is new is added."""
    household.put(b"one\r\n")
    household.put(b"two\r\n", "Sent")
    assert household.leave(tmp_path / "out", kind).written == 2
    inbox = household.box("INBOX", household.alice).id
    household.store.write_now(lambda tx: tx.messages.change_flags(inbox, [Uid(1)], "add", FLAGGED))
    household.put(b"three\r\n")
    again = household.leave(tmp_path / "out", kind)
    assert (again.written, again.known) == ((1, 2) if kind == "maildir" else (2, 1))
    household.take(tmp_path / "out", kind)
    assert household.has("INBOX") == household.has("INBOX", household.alice)
    assert household.leave(tmp_path / "out", kind).written == 0
    assert not list(tmp_path.glob("out/**/*.part"))
    assert not list(tmp_path.glob("out/**/*.new"))


@FORMATS
def test_a_folder_with_something_else_is_left_alone(
    household: Household, tmp_path: Path, kind: Format
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("x")
    with pytest.raises(Cannot, match="not from an export"):
        household.leave(tmp_path / "mine", kind)
    household.leave(tmp_path / "out", kind)
    with pytest.raises(Cannot, match=r"holds an export of alice@example\.test"):
        household.leave(tmp_path / "out", kind, household.bob)


@FORMATS
def test_a_damaged_message_is_named_and_left_out(
    household: Household, tmp_path: Path, kind: Format
) -> None:
    household.put(b"x" * 200_000)
    household.put(b"fine\r\n")
    (blob,) = [f for f in household.store.blob_folder.rglob("*") if f.is_file()]
    blob.write_bytes(b"y" * 200_000)
    result = household.leave(tmp_path / "out", kind)
    assert result.written == 1
    assert result.failed == ["INBOX, UID 1: The stored message is damaged."]
    household.take(tmp_path / "out", kind)
    assert [m.raw for m in household.has("INBOX")] == [b"fine\r\n"]


@FORMATS
def test_large_messages_are_moved_in_pieces(
    household: Household, tmp_path: Path, kind: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (mail, leaving):
        monkeypatch.setattr(module, "PIECE", 1_000)
    monkeypatch.setattr(leaving, "LARGE", 2_000)
    raw = b"Subject: x\r\n\r\n" + b"From me to you\r\n" * 1_000 + b"\r" * 999
    household.put(raw)
    household.leave(tmp_path / "out", kind)
    household.take(tmp_path / "out", kind)
    assert household.has("INBOX")[0].raw == raw


def test_no_memory_of_a_mailbox_that_cannot_be(household: Household, tmp_path: Path) -> None:
    """A name that no mailbox can have is told, and the others come."""
    folder = tmp_path / "Maildir"
    for name in (".", ".ok", ".Other Users.x"):
        (folder / name / "cur").mkdir(parents=True)
        (folder / name / "cur" / "1").write_bytes(b"Subject: x\n\nx\n")
    os.utime(folder / "cur" / "1", (5, 5))
    result = household.take(folder, "maildir")
    assert result.taken == 2
    assert [line.partition(":")[0] for line in result.failed] == ["Other Users/x"]
    assert household.has("INBOX")[0].internal_at == 5
