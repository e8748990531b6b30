"""IMAPClient, the library most Python programs use."""

import datetime
import threading

import pytest

from outside.mail import message
from outside.server import Account, Server
from outside.wire import trusting

pytestmark = pytest.mark.needs("python:imapclient")
imapclient = pytest.importorskip("imapclient")

WHEN = datetime.datetime(2026, 3, 2, 9, 30, tzinfo=datetime.UTC)
NESTED = (
    b"From: Anna =?utf-8?q?M=C3=BCller?= <anna@example.org>\r\nTo: A <a@example.test>, b@example.test\r\n"
    b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\nDate: Mon, 2 Mar 2026 10:00:00 +0100\r\nMessage-ID: <n@example.org>\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n'
    b"--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n"
    b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nInside\r\n--x--\r\n"
)


@pytest.mark.parametrize("tls", [False, True])
def test_a_whole_session(server: Server, account: Account, tls: bool) -> None:
    port = server.ports["imaps" if tls else "imap"]
    context = trusting() if tls else None
    with imapclient.IMAPClient(server.host, port, ssl=tls, ssl_context=context, timeout=30) as imap:
        imap.login(account.address, account.password)
        capabilities = imap.capabilities()
        for name in (
            b"UIDPLUS",
            b"MOVE",
            b"IDLE",
            b"UNSELECT",
            b"SPECIAL-USE",
            b"NAMESPACE",
            b"ID",
            b"ENABLE",
        ):
            assert name in capabilities
        assert imap.id_({"name": "test"}) is not None
        assert imap.namespace().personal
        assert imap.find_special_folder(b"\\Trash") == "Trash"

        imap.create_folder("Entwürfe & Pläne/漢字")
        assert "Entwürfe & Pläne/漢字" in [name for _, _, name in imap.list_folders()]
        for n in range(10):
            imap.append("INBOX", message(f"number {n}"), [imapclient.SEEN] if n > 6 else [], WHEN)
        imap.append("INBOX", NESTED)
        chosen = imap.select_folder("INBOX")
        assert chosen[b"EXISTS"] == 11
        assert chosen[b"UIDVALIDITY"] > 0

        uids = imap.search(["UNSEEN"])
        assert len(uids) == 8
        assert imap.search(["SUBJECT", "Grüße"], charset="UTF-8") == [uids[-1]]
        assert imap.search([b"NOT", b"SEEN", b"LARGER", len(NESTED) - 1]) == [uids[-1]]
        got = imap.fetch(
            uids, ["ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "RFC822.SIZE", "FLAGS"]
        )
        assert got[uids[0]][b"ENVELOPE"].subject == b"number 0"
        when = got[uids[0]][b"INTERNALDATE"]
        assert when.astimezone(datetime.UTC).replace(tzinfo=datetime.UTC) == WHEN
        envelope = got[uids[-1]][b"ENVELOPE"]
        assert [str(a) for a in envelope.to] == ["A <a@example.test>", "b@example.test"]
        structure = got[uids[-1]][b"BODYSTRUCTURE"]
        assert structure.is_multipart
        parts = imap.fetch(
            [uids[-1]], ["BODY.PEEK[1]", "BODY.PEEK[2.HEADER]", "BODY.PEEK[2.TEXT]<0.3>"]
        )[uids[-1]]
        assert parts[b"BODY[1]"] == b"Hello"
        assert parts[b"BODY[2.HEADER]"] == b"Subject: inner\r\n\r\n"
        assert parts[b"BODY[2.TEXT]<0>"] == b"Ins"
        assert imap.get_flags([uids[0]])[uids[0]] in ((), (b"\\Recent",))

        assert (
            imapclient.FLAGGED
            in imap.add_flags([uids[0]], [imapclient.FLAGGED, b"$Label1"])[uids[0]]
        )
        assert imap.search(["FLAGGED", "KEYWORD", "$Label1"]) == [uids[0]]
        assert imapclient.FLAGGED not in imap.remove_flags([uids[0]], [imapclient.FLAGGED])[uids[0]]
        imap.copy(uids[:3], "Entwürfe & Pläne/漢字")
        imap.move(uids[3:5], "Entwürfe & Pläne/漢字")
        assert len(imap.search()) == 9
        imap.delete_messages([uids[0]])
        imap.uid_expunge([uids[0]])
        assert len(imap.search()) == 8
        assert imap.folder_status("Entwürfe & Pläne/漢字")[b"MESSAGES"] == 5
        imap.unselect_folder()
        imap.delete_folder("Entwürfe & Pläne/漢字")
        imap.logout()


@pytest.mark.rfc(2177, "3")
def test_idle_hears_of_a_delivery(server: Server, account: Account) -> None:
    with imapclient.IMAPClient(server.host, server.ports["imap"], ssl=False, timeout=30) as imap:
        imap.login(account.address, account.password)
        imap.select_folder("INBOX")
        imap.idle()

        def deliver() -> None:
            with imapclient.IMAPClient(
                server.host, server.ports["imap"], ssl=False, timeout=30
            ) as second:
                second.login(account.address, account.password)
                second.append("INBOX", message("wake up"))

        thread = threading.Thread(target=deliver)
        thread.start()
        heard: list[tuple[object, ...]] = []
        for _ in range(20):
            heard += imap.idle_check(timeout=1)
            if (1, b"EXISTS") in heard:
                break
        thread.join()
        assert (1, b"EXISTS") in heard
        imap.idle_done()
        assert len(imap.search()) == 1


@pytest.mark.rfc(9208, "4.1.2", "4.2")
def test_quota(server: Server, account: Account) -> None:
    with imapclient.IMAPClient(server.host, server.ports["imap"], ssl=False, timeout=30) as imap:
        imap.login(account.address, account.password)
        assert imap.has_capability("QUOTA")
        root, quotas = imap.get_quota_root("INBOX")
        assert (root.mailbox, root.quota_roots) == ("INBOX", [account.address])
        assert [(q.quota_root, q.resource, q.limit) for q in quotas] == [
            (account.address, "MAILBOX", 10_000)
        ]
        assert imap.get_quota() == quotas
