"""NeoMutt, driven through its screen: search on the server, flag, copy, move, delete, read."""

from pathlib import Path

import pytest

from outside.mail import message, stored
from outside.meter import wait_until
from outside.programs import run_on_terminal
from outside.server import Account, Server
from outside.wire import Imap

pytestmark = pytest.mark.needs("neomutt")

SETTINGS = """
set imap_user = "{user}"
set imap_pass = "{password}"
set folder = "{url}"
set spoolfile = "+INBOX"
set record = ""
set header_cache = "{home}/cache"
set ssl_starttls = no
set ssl_force_tls = no
set ssl_verify_host = no
set ssl_verify_dates = no
set certificate_file = "{home}/accepted"
set quit = yes
set delete = yes
set confirm_append = no
set confirm_create = no
set imap_check_subscribed = no
set mail_check = 1
set wait_key = no
set sleep_time = 0
set sort = mailbox-order
set pager_index_lines = 0
"""


def settings(home: Path, server: Server, account: Account) -> None:
    (home / "rc").write_text(
        SETTINGS.format(
            user=account.address,
            password=account.password,
            url=f"imap://{server.host}:{server.ports['imap']}/",
            home=home,
        )
    )


def test_a_session_on_the_screen(server: Server, account: Account, tmp_path: Path) -> None:
    with Imap(server, account) as imap:
        for n in range(10):
            imap.append(
                "INBOX",
                message(f"number {n}", f"the word is {'fish' if n in (3, 4) else 'fowl'}\r\n"),
            )
        imap.ok("CREATE Copies")
        imap.ok("CREATE Moved")
    settings(tmp_path, server, account)
    keys = (
        "<tag-pattern>=b fish<enter>"  # on the server: SEARCH BODY
        "<tag-prefix><copy-message>=Copies<enter><untag-pattern>.<enter>"
        "<jump>1<enter><flag-message>"
        "<jump>6<enter><save-message>=Moved<enter>"
        "<jump>8<enter><delete-message>"
        "<sync-mailbox><quit>"
    )
    run_on_terminal(tmp_path, "neomutt", "-n", "-F", tmp_path / "rc", "-e", f'push "{keys}"')
    left = [
        raw.partition(b"Subject: ")[2].split(b"\r\n")[0] for raw in stored(server, account).values()
    ]
    assert left == [b"number %d" % n for n in (0, 1, 2, 3, 4, 6, 8, 9)]
    copies = stored(server, account, "Copies").values()
    assert sorted(copies) == [message(f"number {n}", "the word is fish\r\n") for n in (3, 4)]
    assert list(stored(server, account, "Moved").values()) == [
        message("number 5", "the word is fowl\r\n")
    ]
    with Imap(server, account) as imap:
        imap.select("INBOX")
        assert imap.search("FLAGGED") == [1]


def test_sends_by_smtp_and_keeps_a_copy(server: Server, account: Account, tmp_path: Path) -> None:
    settings(tmp_path, server, account)
    user = account.address.replace("@", "%40")
    with (tmp_path / "rc").open("a") as rc:
        rc.write(
            f'set smtp_url = "smtp://{user}@{server.host}:{server.ports["submission"]}/"\n'
            f'set smtp_pass = "{account.password}"\nset from = "{account.address}"\nset record = "+Sent"\n'
            "set realname = 'A Person'\nset use_envelope_from = yes\nset ssl_starttls = no\n"
            'set smtp_authenticators = "plain"\nset editor = "true"\nset abort_unmodified = no\nset autoedit = yes\n'
            "set fast_reply = yes\nset ask_cc = no\nset copy = yes\n"
        )
    (tmp_path / "body").write_text("Hello.\n")
    (tmp_path / "blank").write_bytes(b"attached \0 octets")
    words = ("-s", "by neomutt", "-i", "body", "-a", "blank", "--", account.address)
    run_on_terminal(tmp_path, "neomutt", "-n", "-F", "rc", *words, answers={"Compose": "y"})
    assert wait_until(lambda: len(stored(server, account)) == 1, 10)
    (sent,) = stored(server, account, "Sent").values()
    (got,) = stored(server, account).values()
    assert b"Subject: by neomutt\r\n" in sent
    assert b"Subject: by neomutt\r\n" in got
    assert sent.partition(b"\r\n\r\n")[2] == got.partition(b"\r\n\r\n")[2]
