"""Python's own imaplib does everything a plain IMAP client does."""

import imaplib

import pytest

from outside.mail import message
from outside.server import Account, Server
from outside.wire import trusting

pytestmark = pytest.mark.rfc(3501, "6")


def connect(server: Server, account: Account, how: str) -> imaplib.IMAP4:
    if how == "tls":
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            server.host, server.ports["imaps"], ssl_context=trusting()
        )
    else:
        client = imaplib.IMAP4(server.host, server.ports["imap"], timeout=30)
    if how == "starttls":
        client.starttls(trusting())
    if how == "authenticate":
        secret = f"\0{account.address}\0{account.password}".encode()
        client.authenticate("PLAIN", lambda _: secret)
    else:
        client.login(account.address, account.password)
    return client


@pytest.mark.parametrize("how", ["plain", "tls", "starttls", "authenticate"])
def test_a_whole_session(server: Server, account: Account, how: str) -> None:
    with connect(server, account, how) as imap:
        for n in range(5):
            assert (
                imap.append("INBOX", "(\\Seen)" if n % 2 else "", None, message(f"number {n}"))[0]
                == "OK"
            )
        assert imap.create('"Work/2026 plans"')[0] == "OK"
        names = [line for line in imap.list()[1] if isinstance(line, bytes)]
        assert any(b"Work/2026 plans" in name for name in names)
        assert imap.select("INBOX") == ("OK", [b"5"])
        assert imap.search(None, "UNSEEN") == ("OK", [b"1 3 5"])
        assert imap.search(None, "SUBJECT", '"number 3"') == ("OK", [b"4"])
        status, parts = imap.fetch("2", "(UID FLAGS BODY.PEEK[])")
        assert status == "OK"
        assert isinstance(parts[0], tuple)
        assert parts[0][1] == message("number 1")
        assert b"\\Seen" in parts[0][0] + (parts[1] if isinstance(parts[1], bytes) else b"")
        assert imap.store("1", "+FLAGS", "(\\Flagged custom)")[0] == "OK"
        assert imap.search(None, "KEYWORD", "custom") == ("OK", [b"1"])
        assert imap.copy("1:2", '"Work/2026 plans"')[0] == "OK"
        assert imap.uid("MOVE", "3", '"Work/2026 plans"')[0] == "OK"
        assert imap.search(None, "ALL") == ("OK", [b"1 2 3 4"])
        assert imap.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
        assert imap.expunge()[1][-1:] == [b"1"]
        assert imap.status('"Work/2026 plans"', "(MESSAGES UNSEEN)")[0] == "OK"
        assert imap.select('"Work/2026 plans"', readonly=True) == ("OK", [b"3"])
        assert imap.close()[0] == "OK"
        assert imap.rename('"Work/2026 plans"', "Plans")[0] == "OK"
        assert imap.subscribe("Plans")[0] == "OK"
        assert any(b"Plans" in (line or b"") for line in imap.lsub()[1])  # type: ignore[operator]
        assert imap.delete("Plans")[0] == "OK"
        assert imap.noop()[0] == "OK"


def test_wrong_password(server: Server, account: Account) -> None:
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=30) as imap:
        with pytest.raises(imaplib.IMAP4.error):
            imap.login(account.address, "wrong")
        assert imap.login(account.address, account.password)[0] == "OK"
