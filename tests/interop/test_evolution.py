"""Evolution, as far as it speaks IMAP: its library Camel, whose account is away while others change the mailbox."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from outside.mail import message
from outside.programs import environment
from outside.server import Account, Server
from outside.tap import Tapped, tapped
from outside.wire import Imap

pytestmark = pytest.mark.needs("camel")

DRIVER = Path(__file__).parent.parent / "outside/camel.py"


def evolution(server: Server | Tapped, account: Account, home: Path, *commands: list[str]) -> list:
    """What Camel answers to each of *commands* (see `outside/camel.py`), in one run of it."""
    done = subprocess.run(
        ["/usr/bin/python3", "-W", "ignore", DRIVER, server.host, str(server.ports["imap"]),
         account.address, account.password, home],
        input="".join(json.dumps(command) + "\n" for command in commands),
        env=environment(home), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_session(server: Server, account: Account, tmp_path: Path) -> None:
    with Imap(server, account) as imap:
        for n in range(5):
            imap.append("INBOX", message(f"number {n}"))
    drafts, seen, subject, *_, after, copies = evolution(
        server, account, tmp_path,
        ["look", "Drafts"],
        ["look", "INBOX"],
        ["read", "INBOX", "2"],
        ["append", "INBOX", "by evolution"],
        ["flag", "INBOX", "2", "flagged", "seen"],
        ["copy", "INBOX", "1", "Archive"],
        ["move", "INBOX", "3", "Archive"],
        ["flag", "INBOX", "4", "deleted"],
        ["expunge", "INBOX"],
        ["look", "INBOX"],
        ["look", "Archive"],
    )  # fmt: skip
    assert drafts == {}
    assert seen == {str(n): [f"number {n - 1}", []] for n in range(1, 6)}
    assert subject == "number 1"
    assert after == {
        "1": ["number 0", []],
        "2": ["number 1", ["flagged", "seen"]],
        "5": ["number 4", []],
        "6": ["by evolution", []],
    }
    assert sorted(subject for subject, _ in copies.values()) == ["number 0", "number 2"]
    with Imap(server, account) as imap:
        imap.select("INBOX")
        assert imap.search("ALL", uid=True) == [1, 2, 5, 6]
        assert imap.search("FLAGGED SEEN", uid=True) == [2]


@pytest.mark.rfc(7162, "3.2.3", "3.2.10")
@pytest.mark.rfc(5819, "2")
def test_coming_back_with_qresync_enabled(server: Server, account: Account, tmp_path: Path) -> None:
    with Imap(server, account) as imap:
        for n in range(30):
            imap.append("INBOX", message(f"number {n}"))
    with tapped(server) as tap:
        (first,) = evolution(tap, account, tmp_path, ["look", "INBOX"])
        assert len(first) == 30
        with Imap(server, account) as imap:
            imap.select("INBOX")
            imap.ok(r"STORE 2,30 +FLAGS (\Flagged)")
            imap.ok(r"STORE 1,4:9 +FLAGS (\Deleted)")
            imap.ok("EXPUNGE")
            imap.append("INBOX", message("number 30"), "\\Seen")
        (second,) = evolution(tap, account, tmp_path, ["look", "INBOX"])
    wanted = {str(uid): [f"number {uid - 1}", []] for uid in (2, 3, *range(10, 31))}
    wanted["2"][1] = wanted["30"][1] = ["flagged"]
    assert second == wanted | {"31": ["number 30", ["seen"]]}
    for words in (
        b"ENABLE UTF8=ACCEPT",
        b"ENABLE CONDSTORE QRESYNC",
        b"RETURN (CHILDREN SUBSCRIBED STATUS (",
    ):
        assert words in tap.said
