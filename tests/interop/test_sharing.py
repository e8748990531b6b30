"""Sharing a mailbox with the libraries that know of it: imaplib, IMAPClient."""

import imaplib

import pytest

from outside.fixtures import IS_STAND_IN
from outside.mail import message
from outside.server import Account, Server

pytestmark = pytest.mark.needs("python:imapclient")
imapclient = pytest.importorskip("imapclient")


@pytest.fixture
def people(account: Account, other: Account) -> tuple[Account, Account]:
    if IS_STAND_IN:
        pytest.skip("Debian's Dovecot has its ACL plugin switched off")
    return account, other


@pytest.mark.rfc(4314, "3")
def test_imaplib(server: Server, people: tuple[Account, Account]) -> None:
    owner, guest = people
    with imaplib.IMAP4(server.host, server.ports["imap"]) as imap:
        imap.login(owner.address, owner.password)
        assert imap.create("Projects")[0] == "OK"
        assert imap.setacl("Projects", guest.address, "lrs") == ("OK", [b"SETACL completed."])
        said, acl = imap.getacl("Projects")
        assert said == "OK"
        assert acl == [f"Projects {owner.address} lrswipkxteacd {guest.address} lrs".encode()]
        assert imap.append("Projects", None, None, message("plans"))[0] == "OK"
    with imaplib.IMAP4(server.host, server.ports["imap"]) as imap:
        imap.login(guest.address, guest.password)
        assert imap.namespace()[1] == [b'(("" "/")) (("Other Users/" "/")) NIL']
        theirs = f'"Other Users/{owner.address}/Projects"'
        assert any(line.endswith(theirs.encode()) for line in imap.list()[1])
        assert imap.myrights(theirs) == ("OK", [f"{theirs} lrs".encode()])
        assert imap.select(theirs, readonly=True) == ("OK", [b"1"])
        assert imap.search(None, "UNSEEN")[1] == [b"1"]
    with imaplib.IMAP4(server.host, server.ports["imap"]) as imap:
        imap.login(owner.address, owner.password)
        assert imap.deleteacl("Projects", guest.address)[0] == "OK"


@pytest.mark.rfc(4314, "3")
def test_imapclient(server: Server, people: tuple[Account, Account]) -> None:
    owner, guest = people
    with imapclient.IMAPClient(server.host, server.ports["imap"], ssl=False, timeout=30) as imap:
        imap.login(owner.address, owner.password)
        assert imap.has_capability("ACL")
        imap.append("INBOX", message("for both"))
        imap.setacl("INBOX", guest.address, "lrswite")
        assert (guest.address.encode(), b"lrswited") in imap.getacl("INBOX")
        with imapclient.IMAPClient(
            server.host, server.ports["imap"], ssl=False, timeout=30
        ) as other:
            other.login(guest.address, guest.password)
            (root,) = other.namespace().other
            assert root == ("Other Users/", "/")
            theirs = f"Other Users/{owner.address}/INBOX"
            assert theirs in [name for _, _, name in other.list_folders()]
            chosen = other.select_folder(theirs)
            assert chosen[b"EXISTS"] == 1
            assert chosen[b"READ-WRITE"]
            (uid,) = other.search("ALL")
            other.add_flags([uid], [imapclient.SEEN, imapclient.FLAGGED])
            other.copy([uid], "INBOX")
            assert other.folder_status("INBOX")[b"MESSAGES"] == 1
        imap.select_folder("INBOX")
        flags = imap.get_flags([uid])[uid]
        assert imapclient.FLAGGED in flags
        assert imapclient.SEEN not in flags
