"""imap-tools, the library that many scripts use."""

import datetime

import pytest

from outside.mail import message
from outside.server import Account, Server
from outside.wire import trusting

pytestmark = pytest.mark.needs("python:imap_tools")
imap_tools = pytest.importorskip("imap_tools")


@pytest.mark.parametrize("tls", [False, True])
def test_a_whole_session(server: Server, account: Account, tls: bool) -> None:
    kind, extra = (
        (imap_tools.MailBox, {"ssl_context": trusting()})
        if tls
        else (imap_tools.MailBoxUnencrypted, {})
    )
    with kind(server.host, server.ports["imaps" if tls else "imap"], **extra).login(
        account.address, account.password
    ) as box:
        when = datetime.datetime(2026, 3, 2, 9, 30, tzinfo=datetime.UTC)
        for n in range(12):
            said = box.append(message(f"number {n}"), "INBOX", when, ["\\Flagged"] if n > 9 else [])
            assert said[0] == "OK"
        assert box.folder.status("INBOX")["MESSAGES"] == 12
        assert {"Drafts", "Sent", "Trash"} <= {folder.name for folder in box.folder.list()}
        box.folder.create("Täg & Nacht")
        assert box.folder.exists("Täg & Nacht")

        box.folder.set("INBOX")
        mails = list(box.fetch(imap_tools.AND(flagged=False), mark_seen=False, bulk=True))
        assert [mail.subject for mail in mails] == [f"number {n}" for n in range(10)]
        assert mails[0].date_str == "Mon, 2 Mar 2026 10:00:00 +0100"
        assert mails[0].size_rfc822 == len(message("number 0"))
        assert list(box.fetch(imap_tools.AND(subject="number 11"), mark_seen=True, limit=1))
        assert box.uids(imap_tools.AND(seen=True)) == ["12"]
        assert box.uids(imap_tools.OR(imap_tools.A(uid="1:2"), imap_tools.A(text="number 7"))) == [
            "1", "2", "8",
        ]  # fmt: skip
        assert box.uids("ALL", sort="REVERSE SUBJECT")[:2] == ["10", "9"]
        assert len(box.numbers("ALL")) == 12

        box.flag(["3"], imap_tools.MailMessageFlags.FLAGGED, True)
        assert box.uids(imap_tools.AND(flagged=True)) == ["3", "11", "12"]
        box.copy(["1", "2"], "Täg & Nacht")
        box.move(["4", "5"], "Täg & Nacht")
        box.delete(["6"])
        assert box.uids() == ["1", "2", "3", *map(str, range(7, 13))]
        box.folder.rename("Täg & Nacht", "Nächte")
        box.folder.set("Nächte")
        assert [mail.subject for mail in box.fetch(headers_only=True, mark_seen=False)] == [
            f"number {n}" for n in (0, 1, 3, 4)
        ]
        with box.idle as idle:
            assert idle.poll(timeout=0.2) == []
        box.folder.delete("Nächte")
