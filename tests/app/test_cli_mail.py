"""`mailserver mail export|import`."""

import json
import mailbox
from pathlib import Path

import pytest

from app.conftest import Cli


@pytest.fixture
def users(cli: Cli) -> Cli:
    cli("domain add example.test")
    for name in ("alice", "bob"):
        assert cli(f"user add {name}@example.test --password-stdin", "correct horse").status == 0
    return cli


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    """Two messages and an empty file, written by Python's library."""
    box = mailbox.Maildir(tmp_path / "Maildir")
    for n in range(2):
        message = mailbox.MaildirMessage(b"Subject: %d\n\nhello\n" % n)
        message.set_subdir("cur")
        message.set_flags("FS")
        box.add(message)
    (tmp_path / "Maildir" / "cur" / "empty").touch()
    return tmp_path / "Maildir"


def test_in_and_out(users: Cli, maildir: Path, tmp_path: Path) -> None:
    said = users(f"mail import alice@example.test {maildir}")
    assert said.status == 3
    assert said.out == (
        f"2 messages from {maildir} brought to alice@example.test, 0 were there, 1 left out\n"
    )
    assert said.err == f"left out: {maildir}/cur/empty: is empty\n"
    (maildir / "cur" / "empty").unlink()
    again = users(f"mail import alice@example.test {maildir} --json")
    assert again.status == 0
    assert again.json == {"mailboxes": 1, "taken": 0, "known": 2, "left_out": []}

    out = tmp_path / "out"
    said = users(f"mail export alice@example.test {out} --format mbox --json")
    assert said.status == 0
    assert said.json == {"mailboxes": 6, "written": 2, "known": 0, "left_out": []}
    kept = mailbox.mbox(out / "INBOX.mbox")
    assert [m["Subject"] for m in kept] == ["0", "1"]
    assert all(m.get_flags() == "ROF" for m in kept)
    assert users(f"mail import bob@example.test {out}").status == 0
    assert json.loads(users("user show bob@example.test --json").out)["messages"] == 2


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("mail import carol@example.test {}", "no user carol@example.test"),
        ("mail export carol@example.test {}", "no user carol@example.test"),
        ("mail export alice@example.test {}", "is not empty, and not from an export"),
        ("mail import alice@example.test {}/cur", "no file in it begins with"),
        ("mail import alice@example.test {} --format mbox", "no file in it begins with"),
    ],
)
def test_refused(users: Cli, maildir: Path, command: str, reason: str) -> None:
    said = users(command.format(maildir))
    assert said.status == 1
    assert reason in said.err


def test_a_broken_note(users: Cli, maildir: Path) -> None:
    for text in (
        "{",
        "[]",
        '{"format": "maildir", "address": "x", "mailboxes": [{"path": "../x"}]}',
    ):
        (maildir / "mailserver.json").write_text(text)
        said = users(f"mail import alice@example.test {maildir}")
        assert said.status == 1
        assert "mailserver.json: cannot be read" in said.err
