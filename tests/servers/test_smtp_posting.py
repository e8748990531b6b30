"""Mail to shared mailboxes: who may send it, and where it goes (RFC 4314 §2.1, "p")."""

import smtplib
from collections.abc import Callable
from typing import Any

import pytest

from mailserver.base.ids import AccountId
from mailserver.directory import aliases, sharing
from mailserver.directory.addresses import parse
from mailserver.store.tx import Write
from servers.site import PASSWORD, Site, unverified

SALES = "sales@example.test"
MESSAGE = b"From: a@b.example\r\nSubject: hi\r\n\r\nhello\r\n"


@pytest.fixture
def shared(site: Site) -> Site:
    def job(tx: Write) -> None:
        sharing.create(tx, parse(SALES), to=["alice@example.test"])
        aliases.create(tx, parse("offers@example.test"), [parse(SALES), parse("bob@example.test")])

    site.store.write_now(job)
    return site


def allow(site: Site, identifier: str, rights: str) -> None:
    def job(tx: Write) -> None:
        sharing.change(tx, sharing.mailbox_at(tx, SALES), identifier, rights)

    site.store.write_now(job)


def count(site: Site, address: str = SALES) -> int:
    at = parse(address)

    def job(tx: Any) -> int:
        account: AccountId = tx.accounts.by_address(*at).id
        return int(tx.mailboxes.get(account, "INBOX").exists)

    return site.store.read_now(job)


def as_stranger(site: Site, to: str = SALES, sender: str = "a@b.example") -> None:
    with smtplib.SMTP("127.0.0.1", site.ports["smtp"], local_hostname="b.example") as client:
        client.sendmail(sender, [to], MESSAGE)


def as_user(name: str) -> Callable[[Site], None]:
    def send(site: Site) -> None:
        port = site.ports["submission"]
        with smtplib.SMTP("127.0.0.1", port, local_hostname="laptop") as client:
            client.starttls(context=unverified())
            client.login(name, PASSWORD)
            client.sendmail(name, [SALES], MESSAGE.replace(b"a@b.example", name.encode()))

    return send


def refused(send: Callable[[Site], None], site: Site) -> tuple[int, bytes]:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        send(site)
    ((code, text),) = refusal.value.recipients.values()
    return code, text


@pytest.mark.rfc(4314, "2.1")
def test_everybody_may_send_to_a_new_one(shared: Site) -> None:
    as_stranger(shared)
    as_stranger(shared, "sales+summer@example.test")
    for name in ("alice@example.test", "bob@example.test", "dave@other.test"):
        as_user(name)(shared)
    assert count(shared) == 5


@pytest.mark.rfc(4314, "2.1")
def test_a_closed_one_takes_mail_of_its_users(shared: Site) -> None:
    allow(shared, "anyone", "")
    for send in (as_stranger, as_user("bob@example.test"), as_user("dave@other.test")):
        code, text = refused(send, shared)
        assert code == 550
        assert text.startswith(b"5.7.1")
        assert b"you may not send mail to this mailbox" in text
    as_user("alice@example.test")(shared)
    allow(shared, "-alice@example.test", "p")
    assert refused(as_user("alice@example.test"), shared)[0] == 550
    allow(shared, "dave@other.test", "p")
    as_user("dave@other.test")(shared)
    assert count(shared) == 2


def test_bounces_come_in_all_the_same(shared: Site) -> None:
    allow(shared, "anyone", "")
    as_stranger(shared, sender="<>")
    assert count(shared) == 1


def test_an_alias_leads_to_all_who_may_get_it(shared: Site) -> None:
    as_stranger(shared, "offers@example.test")
    allow(shared, "anyone", "")
    as_stranger(shared, "offers@example.test")
    assert (count(shared), count(shared, "bob@example.test")) == (1, 2)


def test_nobody_logs_in_as_it(shared: Site) -> None:
    for password in ("", PASSWORD):
        with smtplib.SMTP("127.0.0.1", shared.ports["submission"]) as client:
            client.starttls(context=unverified())
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login(SALES, password)
