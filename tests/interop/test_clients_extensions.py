"""Extensions as real clients use them: what they negotiate, and that they then see the truth.

RFC 4978 (COMPRESS), RFC 7162 (CONDSTORE, QRESYNC), RFC 5256 (SORT, THREAD).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from outside.mail import message, stored
from outside.programs import run, run_on_terminal
from outside.server import Account, Server
from outside.tap import tapped
from outside.wire import Imap

NEOMUTT = """
set imap_user = "{user}"
set imap_pass = "{password}"
set folder = "imap://{host}:{port}/"
set spoolfile = "+INBOX"
set record = ""
set header_cache = "{home}/cache"
set imap_condstore = yes
set imap_qresync = {qresync}
set ssl_starttls = no
set ssl_force_tls = no
set quit = yes
set delete = yes
set imap_check_subscribed = no
set mail_check = 1
set wait_key = no
set sleep_time = 0
set sort = mailbox-order
set confirm_append = no
"""


def change(server: Server, account: Account) -> None:
    """What happens while the client is away: flags, expunged messages, new ones."""
    with Imap(server, account) as imap:
        imap.select("INBOX")
        imap.ok(r"STORE 2,5 +FLAGS (\Flagged)")
        imap.ok(r"STORE 1,4,9 +FLAGS (\Deleted)")
        imap.ok("EXPUNGE")
        imap.ok("CREATE Starred")
        imap.append("INBOX", message("number 10"))
        imap.append("INBOX", message("number 11"), "\\Flagged")


LEFT = ["1", "2", "4", "5", "6", "7", "9", "10", "11"]


@pytest.mark.rfc(7162, "3.1", "3.2")
@pytest.mark.needs("neomutt")
@pytest.mark.parametrize("qresync", ["no", "yes"])
def test_neomutt_comes_back(server: Server, account: Account, tmp_path: Path, qresync: str) -> None:
    """Its header cache and our change log together show what there is, and flags go back by number."""
    with Imap(server, account) as imap:
        for n in range(10):
            imap.append("INBOX", message(f"number {n}"))
    with tapped(server) as tap:
        (tmp_path / "rc").write_text(
            NEOMUTT.format(
                user=account.address, password=account.password, host=tap.host, home=tmp_path,
                port=tap.ports["imap"], qresync=qresync,
            )
        )  # fmt: skip
        screen(tmp_path, "<sync-mailbox><quit>")
        change(server, account)
        screen(
            tmp_path,
            "<tag-pattern>~F<enter><tag-prefix><save-message>=Starred<enter><sync-mailbox><quit>",
        )
        said = tap.said
    subjects = [
        re.findall(rb"Subject: number (\d+)", raw)[0].decode()
        for raw in stored(server, account).values()
    ]
    starred = stored(server, account, "Starred").values()
    assert sorted(re.findall(rb"Subject: number (\d+)", b"".join(starred))) == [b"1", b"11", b"4"]
    assert subjects == [n for n in LEFT if n not in ("1", "4", "11")]
    assert b"(CONDSTORE)" in said
    assert (b"ENABLE QRESYNC" in said) == (qresync == "yes")
    changed = re.search(rb"FETCH 1:10 \(FLAGS\) \(CHANGEDSINCE \d+( VANISHED)?\)", said)
    assert changed
    assert bool(changed[1]) == (qresync == "yes")


def screen(home: Path, keys: str) -> None:
    run_on_terminal(home, "neomutt", "-n", "-F", home / "rc", "-e", f'push "{keys}"', limit_s=20)


MBSYNC = """
IMAPAccount one
Host {host}
Port {port}
User {user}
Pass "{password}"
SSLType None

IMAPStore far
Account one

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
Expunge Near
SyncState *
"""
OFFLINEIMAP = """
[general]
accounts = one
ui = quiet
metadata = ~/state
[Account one]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {home}/mail
sep = .
[Repository far]
type = IMAP
remotehost = {host}
remoteport = {port}
remoteuser = {user}
remotepass = {password}
auth_mechanisms = PLAIN
usecompression = yes
ssl = no
starttls = no
"""


@pytest.mark.rfc(4978, "3")
@pytest.mark.parametrize(
    ("command", "settings"),
    [
        pytest.param("mbsync -c rc -a", MBSYNC, marks=pytest.mark.needs("mbsync")),
        pytest.param("offlineimap -c rc -o", OFFLINEIMAP, marks=pytest.mark.needs("offlineimap")),
    ],
)
def test_mirrors_that_compress(
    server: Server, account: Account, tmp_path: Path, command: str, settings: str
) -> None:
    """What comes compressed, and what is told of it later, is what there is."""
    with Imap(server, account) as imap:
        for n in range(10):
            imap.append("INBOX", message(f"number {n}", f"{n} octets\r\n" * 3_000))
    (tmp_path / "mail").mkdir()
    with tapped(server) as tap:
        (tmp_path / "rc").write_text(
            settings.format(
                user=account.address, password=account.password, host=tap.host, home=tmp_path,
                port=tap.ports["imap"],
            )
        )  # fmt: skip
        run(tmp_path, *command.split())
        change(server, account)
        run(tmp_path, *command.split())
    assert b"COMPRESS DEFLATE" in tap.said
    mirrored = [
        path.read_bytes() for path in (tmp_path / "mail/INBOX").glob("*/*") if path.is_file()
    ]
    subjects = {re.findall(rb"Subject: number (\d+)", raw)[0].decode() for raw in mirrored}
    assert subjects == set(LEFT)


@pytest.mark.rfc(5256, "2", "3")
@pytest.mark.rfc(7162, "3.1")
@pytest.mark.needs("python:imapclient")
def test_imapclient_sorts_and_threads(server: Server, account: Account) -> None:
    imapclient = pytest.importorskip("imapclient")
    with imapclient.IMAPClient(server.host, server.ports["imap"], ssl=False, timeout=30) as imap:
        imap.login(account.address, account.password)
        imap.append("INBOX", message("b", **{"Message-ID": "<1@x>"}))
        imap.append("INBOX", message("Re: b", **{"Message-ID": "<2@x>", "References": "<1@x>"}))
        imap.append("INBOX", message("a", **{"Message-ID": "<3@x>"}))
        imap.append(
            "INBOX", message("Re: b", **{"Message-ID": "<4@x>", "References": "<1@x> <2@x>"})
        )
        assert {b"UTF8=ACCEPT", b"CONDSTORE"} & set(imap.enable("CONDSTORE")) == {b"CONDSTORE"}
        chosen = imap.select_folder("INBOX")
        assert chosen[b"HIGHESTMODSEQ"] > 1
        assert imap.sort("SUBJECT", "ALL")[0] == 3
        assert imap.sort("REVERSE SUBJECT") == [1, 2, 4, 3]
        assert imap.thread("REFERENCES", "ALL") in (((1, 2, 4), (3,)), ((3,), (1, 2, 4)))
        told = imap.fetch([1, 2], ["FLAGS", "MODSEQ"])
        since = max(values[b"MODSEQ"][0] for values in told.values())
        imap.add_flags([2], [imapclient.FLAGGED])
        newer = imap.fetch([1, 2, 3, 4], ["FLAGS"], [f"CHANGEDSINCE {since}"])
        assert 2 in newer
        assert 1 not in newer
