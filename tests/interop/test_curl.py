"""curl reads IMAP as a URL (RFC 5092)."""

from pathlib import Path
from urllib.parse import quote

import pytest

from outside.mail import message, stored
from outside.programs import run
from outside.server import Account, Server
from outside.wire import Imap

pytestmark = pytest.mark.needs("curl")


class Curl:
    def __init__(self, server: Server, account: Account, home: Path, scheme: str) -> None:
        self.base = f"{scheme}://localhost:{server.ports[scheme]}/"
        self.login, self.home = f"{account.address}:{account.password}", home

    def __call__(self, path: str, *options: str) -> str:
        return run(
            self.home, "curl", "-sSk", "--ipv4", "-u", self.login, self.base + path, *options
        )


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_curl(server: Server, account: Account, tmp_path: Path, scheme: str) -> None:
    curl = Curl(server, account, tmp_path, scheme)
    with Imap(server, account) as imap:
        imap.append("INBOX", message("first of all"))
        imap.append("INBOX", message("second thoughts"))
    (tmp_path / "mail").write_bytes(message("by curl"))

    assert '"/"' in curl("")
    assert curl("INBOX;UID=2").encode() == message("second thoughts").replace(b"\r\n", b"\r\n")
    assert (
        curl("INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)").strip()
        == "Subject: first of all"
    )
    assert curl("INBOX;UID=1;SECTION=TEXT").strip() == "Hello."
    assert curl("INBOX?SUBJECT%20thoughts").split() == ["*", "SEARCH", "2"]
    curl("INBOX", "-T", "mail")
    assert stored(server, account)[3] == message("by curl")
    assert "SEARCH 1 2 3" in curl("INBOX", "-X", "SEARCH ALL")
    curl("INBOX", "-X", "STORE 1 +FLAGS (\\Flagged)")
    assert "\\Flagged" in curl("INBOX", "-X", "FETCH 1 FLAGS")
    curl("", "-X", "CREATE Copies")
    curl("INBOX", "-X", "COPY 1:2 Copies")
    assert "MESSAGES 2" in curl("", "-X", "STATUS Copies (MESSAGES)")
    curl("INBOX", "-X", "MOVE 3 Copies")
    curl("INBOX", "-X", "STORE 1 +FLAGS (\\Deleted)")
    assert "* 1 EXPUNGE" in curl("INBOX", "-X", "EXPUNGE")
    assert len(stored(server, account)) == 1
    assert quote(account.address) != account.address  # the log-in name needed quoting all along
