"""Maildir and mbox as others write them."""

import gzip
import os
from pathlib import Path

import pytest

from mailserver.base.errors import Cannot
from mailserver.moving import mbox
from mailserver.moving.maildir import MaildirSource, read_uidlist
from mailserver.store.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from moving.household import Household


def maildir(folder: Path, *files: str) -> Path:
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for n, name in enumerate(files):
        (folder / name).write_bytes(b"Subject: %d\n\nmessage %d\n" % (n, n))
        os.utime(folder / name, (1_700_000_000 + n, 1_700_000_000 + n))
    return folder


def test_dovecot(household: Household, tmp_path: Path) -> None:
    """UIDVALIDITY, UIDs in their order, keywords, names, subscriptions."""
    root = maildir(
        tmp_path / "Maildir",
        "cur/1700000000.M1P1.host,S=20,W=23:2,FRSTDPab",
        "cur/1700000001.M1P1.host:2,S",
        "new/1700000002.M1P1.host",
    )
    (root / "dovecot-uidlist").write_text(
        "3 V1600000000 N90 Gabcdef\n7 W23 S20 :1700000001.M1P1.host\n80 :1700000000.M1P1.host,S=20,W=23:2,S\n"
    )
    (root / "dovecot-keywords").write_text("0 $Work\n1 later\nx y\n99 z\n")
    (root / "subscriptions").write_text("Entw&APw-rfe.old\n")
    maildir(root / ".Entw&APw-rfe.old", "cur/1:2,")
    maildir(root / ".R&D", "cur/1")
    maildir(root / "fs" / "layout", "cur/1")
    assert household.take(root, "maildir").taken == 6
    found = household.has("INBOX")
    assert [(m.uid, m.flags, m.keywords, m.internal_at) for m in found] == [
        (7, SEEN, "", 1_700_000_001),
        (80, SEEN | FLAGGED | ANSWERED | DELETED | DRAFT, "$Forwarded $Work later", 1_700_000_000),
        (81, 0, "", 1_700_000_002),
    ]
    assert found[0].raw == b"Subject: 1\r\n\r\nmessage 1\r\n"
    inbox = household.box("INBOX")
    assert (inbox.uidvalidity, inbox.uidnext) == (1_600_000_000, 90)
    assert {"Entwürfe/old", "R&D", "fs/layout"} <= household.names()


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("1 1600000000 5\n4 a\n", (1_600_000_000, 5, {"a": 4})),
        ("3 V1 N5 Gx Tz\n4 P1 :b:2,S\n", (1, 5, {"b": 4})),
        ("2 5 6\n", (0, 0, {})),
        ("3 Vx Ny\n", (0, 0, {})),
        ("", (0, 0, {})),
        ("3 V1 N5\nnonsense\n\n9999999999999 x\n", (1, 5, {})),
    ],
)
def test_lists_of_uids(tmp_path: Path, text: str, known: tuple[int, int, dict[str, int]]) -> None:
    (tmp_path / "dovecot-uidlist").write_text(text)
    assert read_uidlist(tmp_path) == known


def test_bad_files_are_named_and_left_out(household: Household, tmp_path: Path) -> None:
    root = maildir(tmp_path / "Maildir", "cur/1", "cur/2")
    (root / "cur" / "3").write_bytes(gzip.compress(b"Subject: x\n\n"))
    (root / "cur" / "4").mkdir()
    (root / "cur" / "5").symlink_to(root / "nowhere")
    (root / "cur" / ".hidden").write_bytes(b"x")
    result = household.take(root, "maildir")
    assert result.taken == 2
    assert [line.rpartition("/")[2] for line in result.failed] == [
        "3: is compressed",
        "4: Is a directory",
        "5: No such file or directory",
    ]


def test_no_maildir(tmp_path: Path) -> None:
    with pytest.raises(Cannot, match="is no Maildir"):
        MaildirSource(tmp_path)


MBOX = b"""From ann@example.org Thu Feb  1 10:20:30 2024
Subject: one
Status: RO
X-Status: AF
X-Keywords: later  $Work
X-UID: 12

>From here
From there
From me at 10:20 in 2024

From bob@example.org  Fri Feb  2 10:20:30 2024 +0100
Subject: two

>>From you
 """


@pytest.mark.rfc(4155, "3")
def test_mbox(household: Household, tmp_path: Path) -> None:
    """A line "From " counts only behind an empty one; the fields that hold flags are taken off."""
    (tmp_path / "Inbox").write_bytes(MBOX)
    (tmp_path / "Inbox.sbd").mkdir()
    (tmp_path / "Inbox.sbd" / "Old.mbox").write_bytes(MBOX.replace(b"\n", b"\r\n") + b"\r\n")
    (tmp_path / "Inbox.msf").write_bytes(b"x")
    (tmp_path / "note.txt").write_bytes(b"x")
    (tmp_path / "empty.mbox").touch()
    (tmp_path / "nothing").touch()
    (tmp_path / "Apple.mbox").mkdir()
    (tmp_path / "Apple.mbox" / "mbox").write_bytes(MBOX)
    source = mbox.MboxSource(tmp_path)
    assert {f.name for f in source.skipped} >= {"note.txt", "nothing"}
    result = household.take(source)
    assert result.failed == []
    assert {"INBOX", "INBOX/Old", "Apple", "empty"} <= household.names()
    one, two = household.has("INBOX")
    assert one.raw == b"Subject: one\r\n\r\nFrom here\r\nFrom there\r\nFrom me at 10:20 in 2024\r\n"
    assert (one.flags, one.keywords) == (SEEN | ANSWERED | FLAGGED, "$Work later")
    assert one.internal_at == 1_706_782_830
    assert two.raw == b"Subject: two\r\n\r\n>From you\r\n "
    assert two.internal_at == 1_706_869_230
    assert [m.raw for m in household.has("INBOX/Old")] == [one.raw, two.raw + b"\r\n"]


def test_the_internal_data_of_uw_imap(household: Household, tmp_path: Path) -> None:
    """Its first message is none; the UIDs that it tells of are kept."""
    file = tmp_path / "mbox"
    file.write_bytes(
        b"From MAILER-DAEMON Thu Feb  1 10:20:30 2024\n"
        b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1600000000 0000000009\n\nx\n\n"
        + MBOX
    )
    household.store.write_now(lambda tx: tx.mailboxes.create(household.bob.id, "mbox"))
    assert household.take(file, "mbox").taken == 2
    assert [m.uid for m in household.has("mbox")] == [12, 13]
    assert household.box("mbox").uidvalidity == 1_600_000_000
    assert household.take(file, "mbox").known == 2


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        (b"From a@b Thu Jan  1 00:00:10 1970\n", 10),
        (b"From - Thu Jan 01 00:00:10 1970\n", 10),
        (b"From nobody at all 00:00 1970\n", 0),
        (b"From a@b Thu Jan 99 99:99:99 99999\n", 0),
        (b"From\n", 0),
    ],
)
def test_when_it_came(line: bytes, moment: int) -> None:
    assert mbox._moment(line) == moment


def test_cut_short(household: Household, tmp_path: Path) -> None:
    """An export whose end is missing: what is whole is taken, the rest named."""
    for n in range(2):
        household.put(b"Subject: %d\r\n\r\nhello\r\n" % n)
    household.leave(tmp_path / "out", "mbox")
    file = tmp_path / "out" / "INBOX.mbox"
    file.write_bytes(file.read_bytes()[:-5])
    result = household.take(tmp_path / "out", "mbox")
    assert result.taken == 1
    assert result.failed == [f"{file}, message 2: is cut short"]


def test_many_lines_that_look_like_a_beginning(household: Household, tmp_path: Path) -> None:
    """They cost no more than others, and begin nothing."""
    body = b"\nFrom " + b"1:11" * 120 + b"\n\nFrom nowhere\n"
    (tmp_path / "x.mbox").write_bytes(b"From a@b Thu Jan  1 00:00:10 1970\n\n" + body * 5_000)
    assert household.take(tmp_path / "x.mbox", "mbox").taken == 1
    assert len(household.has("x")[0].raw.split(b"From nowhere")) == 5_001
