"""How large a message may be: for the server, for who sends it, for who gets it."""

import base64

import pytest

from mailserver.base.errors import TryLater
from mailserver.directory import accounts
from mailserver.directory.addresses import parse
from mailserver.servers.smtp import Shared
from servers.site import PASSWORD, Site, greeted, send, submit, until


def bound(site: Site, domain: int | None, alice: int | None) -> None:
    """Sets what example.test and alice take."""

    def job(tx):
        at = accounts.at(tx, parse("alice@example.test"))
        tx.accounts.set(at.id, message_size=alice)
        tx.domains.set(at.domain_id, message_size=domain)

    site.store.write_now(job)


def message(size: int) -> bytes:
    head = b"From: alice@example.test\r\nDate: x\r\nMessage-ID: <x>\r\n\r\n"
    return head + b"x" * (size - len(head) - 2) + b"\r\n"


@pytest.mark.rfc(1870, "4", "6.1")
@pytest.mark.parametrize(
    ("domain", "alice", "size"),
    [(None, None, 52_428_800), (5_000, None, 5_000), (5_000, 900, 900), (None, 10**12, 52_428_800)],
)
def test_what_a_user_may_send_is_announced_once_he_has_logged_in(
    site: Site, domain: int | None, alice: int | None, size: int
) -> None:
    bound(site, domain, alice)
    with submit(site) as wire:
        assert f"250-SIZE {size}\n" in wire.ask(b"EHLO c.example\r\n")
        command = b"MAIL FROM:<alice@example.test> SIZE=%d\r\n"
        assert wire.ask(command % (size + 1)).startswith("552 5.3.4")
        assert wire.ask(command % size).startswith("250")
    with greeted(site, "submission") as wire:
        assert "\n250-SIZE 52428800\n" in wire.ask(b"EHLO c.example\r\n")


def test_it_holds_for_content_of_undeclared_size_and_not_for_the_next_to_log_in(site: Site) -> None:
    bound(site, None, 900)
    with submit(site) as wire:
        assert send(
            wire, "bob@example.test", raw=message(901), sender="<alice@example.test>"
        ).startswith("552 5.3.4")
        assert send(
            wire, "bob@example.test", raw=message(900), sender="<alice@example.test>"
        ).startswith("250")
        assert wire.ask(b"STARTTLS\r\n").startswith("220")
        wire.tls()
        wire.ask(b"EHLO c.example\r\n")
        token = base64.b64encode(f"\0bob@example.test\0{PASSWORD}".encode()).decode()
        assert wire.ask(f"AUTH PLAIN {token}\r\n".encode()).startswith("235")
        assert "\n250-SIZE 52428800\n" in wire.ask(b"EHLO c.example\r\n")


@pytest.mark.rfc(1870, "6.2")
def test_a_mailbox_with_a_bound_of_its_own_says_so_at_rcpt(site: Site) -> None:
    bound(site, 5_000, 900)
    with greeted(site) as wire:
        assert wire.ask(b"MAIL FROM:<> SIZE=901\r\n").startswith("250")
        assert (
            wire.ask(b"RCPT TO:<alice@example.test>\r\n")
            == "552 5.3.4 <alice@example.test>: message is larger than the 900 octets that are taken here"
        )
        assert wire.ask(b"RCPT TO:<bob@example.test>\r\n").startswith("250")
        assert wire.ask(b"RCPT TO:<dave@other.test>\r\n").startswith("250")


def test_a_message_that_turns_out_too_large_is_refused_as_a_whole(site: Site) -> None:
    bound(site, None, 900)
    with greeted(site) as wire:
        to = ("bob@example.test", "alice@example.test")
        assert (
            send(wire, *to, raw=message(901))
            == "552 5.3.4 <alice@example.test>: message is larger than the 900 octets that are taken here"
        )
        assert send(wire, *to, raw=message(900)).startswith("250")
    until(lambda: len(site.messages("bob@example.test")) == 1)


def test_over_lmtp_the_others_get_it(site: Site) -> None:
    bound(site, None, 900)
    with site.connect("lmtp") as wire:
        wire.hear()
        wire.ask(b"LHLO c.example\r\n")
        wire.ask(b"MAIL FROM:<>\r\n")
        for name in (b"bob", b"alice"):
            wire.ask(b"RCPT TO:<%s@example.test>\r\n" % name)
        assert wire.ask(b"BDAT 901 LAST\r\n" + message(901)).startswith("250")
        assert wire.hear().startswith("552 5.3.4 <alice@example.test>")
    assert len(site.messages("bob@example.test")) == 1
    assert site.messages("alice@example.test") == []


def test_a_directory_that_fails_lets_nobody_in_for_now(site: Site, monkeypatch) -> None:
    async def failing(self, account):
        raise TryLater("The storage is not available.")

    token = base64.b64encode(f"\0alice@example.test\0{PASSWORD}".encode()).decode()
    with greeted(site, "submission") as wire, monkeypatch.context() as patch:
        patch.setattr(Shared, "message_size", failing)
        assert wire.ask(f"AUTH PLAIN {token}\r\n".encode()).startswith("454 4.7.0")
        assert wire.ask(b"MAIL FROM:<alice@example.test>\r\n").startswith("530")
