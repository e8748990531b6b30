"""OfflineIMAP mirrors an account and carries local changes back."""

import hashlib
import ssl
from pathlib import Path

import pytest

from outside.mail import message, stored
from outside.programs import run
from outside.server import Account, Server
from outside.wire import Imap

pytestmark = pytest.mark.needs("offlineimap")


@pytest.mark.parametrize("tls", [False, True])
def test_both_ways(server: Server, account: Account, tmp_path: Path, tls: bool) -> None:
    with Imap(server, account) as imap:
        for n in range(100):
            imap.append("INBOX", message(f"number {n}"), "\\Seen" if n % 2 else "")
        imap.ok("CREATE Lists/one")
        imap.append("Lists/one", message("in a list"), "\\Flagged")
    security = "ssl = no\nstarttls = no\n"
    if tls:
        security = f"ssl = yes\nstarttls = no\ncert_fingerprint = {fingerprint(server)}\n"
    port = server.ports["imaps" if tls else "imap"]
    (tmp_path / "rc").write_text(
        "[general]\naccounts = one\nui = quiet\nmetadata = ~/state\n"
        "[Account one]\nlocalrepository = near\nremoterepository = far\n"
        f"[Repository near]\ntype = Maildir\nlocalfolders = {tmp_path}/mail\nsep = .\n"
        f"[Repository far]\ntype = IMAP\nremotehost = {server.host}\nremoteport = {port}\n"
        f"remoteuser = {account.address}\nremotepass = {account.password}\nauth_mechanisms = PLAIN, LOGIN\n{security}"
    )
    sync(tmp_path)
    inbox = tmp_path / "mail/INBOX"
    files = sorted([*(inbox / "cur").iterdir(), *(inbox / "new").iterdir()])
    assert sorted(p.read_bytes().replace(b"\n", b"\r\n") for p in files) == sorted(
        message(f"number {n}") for n in range(100)
    )
    assert len([p for p in files if "S" in p.name.partition(":2,")[2]]) == 50
    (listed,) = (tmp_path / "mail/Lists.one").glob("*/*:2,*")
    assert listed.name.endswith(":2,F")

    seen = [p for p in files if p.name.endswith(":2,S")]
    for path in seen[:10]:
        path.unlink()
    for path in seen[10:15]:
        path.rename(path.with_name(path.name.replace(":2,S", ":2,FS")))
    (inbox / "cur/1700000000.1.here:2,S").write_bytes(
        message("written here").replace(b"\r\n", b"\n")
    )
    sync(tmp_path)
    raws = stored(server, account).values()
    assert len(raws) == 91
    assert [raw for raw in raws if b"Subject: written here" in raw]
    with Imap(server, account) as imap:
        imap.select("INBOX")
        assert len(imap.search("FLAGGED")) == 5


def sync(home: Path) -> None:
    run(home, "offlineimap", "-c", home / "rc", "-o", "-1", "-u", "quiet", limit_s=120)


def fingerprint(server: Server) -> str:
    pem = ssl.get_server_certificate((server.host, server.ports["imaps"]))
    return hashlib.sha512(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
