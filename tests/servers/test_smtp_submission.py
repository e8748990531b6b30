"""Mail from users over real sockets: log-in, TLS, and in whose name they write."""

import re
import smtplib
from pathlib import Path

import pytest

from mailserver.base.limits import Limits, SmtpLimits
from mailserver.net.tls import ServerTls
from servers.site import (
    PASSWORD,
    Site,
    greeted,
    running,
    send,
    submit,
    until,
    unverified,
)


@pytest.mark.rfc(3207, "4")
@pytest.mark.rfc(4954, "4")
def test_a_user_submits_over_starttls(site: Site) -> None:
    with smtplib.SMTP("127.0.0.1", site.ports["submission"], local_hostname="laptop") as client:
        client.starttls(context=unverified())
        client.login("alice@example.test", PASSWORD)
        client.sendmail(
            "alice@example.test",
            ["bob@example.test"],
            b"From: Alice <alice@example.test>\r\n\r\nhi\r\n",
        )
    (stored,) = site.messages("bob@example.test")
    assert re.search(rb"by mail\.example\.test with ESMTPSA \(TLSv1\.3 TLS_\w+\)\r\n", stored)
    head, _, _ = stored.partition(b"\tfor ")
    assert head.count(b"alice") == 1, "only the Return-Path names her: who logged in is not shown"


@pytest.mark.rfc(8314, "3.3")
def test_a_user_submits_over_implicit_tls(site: Site) -> None:
    with smtplib.SMTP_SSL("127.0.0.1", site.ports["submissions"], context=unverified()) as client:
        client.user, client.password = "alice@example.test", PASSWORD
        client.ehlo("laptop")
        client.auth("LOGIN", client.auth_login)
        client.sendmail(
            "alice@example.test", ["bob@example.test"], b"From: alice@example.test\r\n\r\nhi\r\n"
        )
    (stored,) = site.messages("bob@example.test")
    assert b" with ESMTPSA (TLSv1.3 " in stored


def test_passwords_without_tls_only_from_trusted_networks(tmp_path: Path, tls: ServerTls) -> None:
    with running(tmp_path, tls, cleartext_from=()) as site:
        with greeted(site, "submission") as wire:
            assert wire.ask(b"AUTH PLAIN AGEAYg==\r\n").startswith("538 5.7.11")
            assert wire.ask(b"MAIL FROM:<alice@example.test>\r\n").startswith(
                "530 5.7.0 Must issue a STARTTLS"
            )
            assert wire.ask(b"STARTTLS\r\n").startswith("220")
            wire.tls()
            assert "AUTH PLAIN LOGIN" in wire.ask(b"EHLO x\r\n")
        with smtplib.SMTP("127.0.0.1", site.ports["submission"]) as client:
            client.ehlo()
            assert not client.has_extn("auth")


def test_wrong_passwords(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(smtp=SmtpLimits(auth_failures=2, error_delay_s=0.0))
    with running(tmp_path, tls, limits) as site, greeted(site, "submission") as wire:
        assert wire.ask(b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3cm9uZw==\r\n").startswith(
            "535 5.7.8"
        )
        assert wire.ask(b"MAIL FROM:<alice@example.test>\r\n").startswith("530 5.7.0 Log in first")
        assert wire.ask(b"AUTH PLAIN AGNhcm9sQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl\r\n").startswith(
            "421 4.7.0"
        )
        assert wire.hear() == ""


@pytest.mark.rfc(6409, "6.1")
@pytest.mark.parametrize(
    ("sender", "reply"),
    [
        ("<alice@example.test>", "250 2.1.0"),
        ("<ALICE+shop@example.test>", "250 2.1.0"),
        ("<team@example.test>", "250 2.1.0"),
        ("<alice@[127.0.0.1]>", "250 2.1.0"),
        ("<>", "250 2.1.0"),
        ("<bob@example.test>", "550 5.7.1 <bob@example.test> is not an address of yours"),
        ("<nobody@example.test>", "550 5.7.1 "),
        ("<alice@elsewhere.test>", "550 5.7.1 "),
    ],
)
def test_senders_of_a_user(site: Site, sender: str, reply: str) -> None:
    with submit(site) as wire:
        assert wire.ask(f"MAIL FROM:{sender}\r\n".encode()).startswith(reply)


@pytest.mark.rfc(6409, "6.1", "8.1")
@pytest.mark.parametrize(
    ("header", "reply"),
    [
        (b"From: Alice <alice@example.test>", "250 "),
        (b'From: "boss@example.test" <team@example.test>', "250 "),
        (b"From: alice@example.test, team@example.test\r\nSender: alice@example.test", "250 "),
        (b"From: Us: alice@example.test, team@example.test;", "250 "),
        (
            b"From: boss@example.test",
            "550 5.7.1 Not your address in From or Sender: boss@example.test",
        ),
        (
            b"From: alice@example.test, bob@example.test",
            "550 5.7.1 Not your address in From or Sender: bob",
        ),
        (b"From: alice@example.test\r\nSender: bob@example.test", "550 5.7.1 Not your address"),
        (
            b"From: alice@example.test\r\nFrom: alice@example.test",
            "550 5.7.1 Message refused: it has 2 From",
        ),
        (
            b"From: alice@example.test\r\nfrom : bob@example.test",
            "550 5.7.1 Message refused: it has 2 From",
        ),
        (
            b"From: alice@example.test\r\nSender: a@b.c\r\nSender: alice@example.test",
            "550 5.7.1 Message refused",
        ),
        (b"Subject: no author", "550 5.6.0 Message refused: it has no From field"),
        (b"From: alice", "550 5.6.0 Message refused: no valid address in From or Sender: alice@"),
        (b"From: <alice@example.test> <bob@example.test>", "550 5.7.1 Not your address"),
        (b"From: alice@example.test (\r\n bob@example.test\r\n )", "250 "),
        (b"From:\r\n bob@example.test", "550 5.7.1 Not your address"),
        (
            b"From: alice@example.test" + b", x@y.example" * 200,
            "550 5.6.0 Message refused: no valid",
        ),
    ],
)
def test_authors_of_a_users_message(site: Site, header: bytes, reply: str) -> None:
    with submit(site) as wire:
        raw = header + b"\r\n\r\nhello\r\n"
        assert send(wire, "bob@example.test", raw=raw, sender="<alice@example.test>").startswith(
            reply
        )


def test_an_account_switched_off_while_logged_in_sends_nothing_more(site: Site) -> None:
    raw = b"From: alice@example.test\r\n\r\nhello\r\n"
    with submit(site) as wire:
        assert send(wire, "bob@example.test", raw=raw, sender="<alice@example.test>").startswith(
            "250"
        )

        def off(tx):
            account = tx.accounts.by_address("alice", "example.test")
            tx.accounts.set(account.id, is_active=False)

        site.store.write_now(off)
        until(
            lambda: wire.ask(b"MAIL FROM:<alice@example.test>\r\n").startswith(
                "550 5.7.1 Your account"
            )
        )


@pytest.mark.rfc(6409, "8.2", "8.3")
@pytest.mark.parametrize("with_chunks", [False, True])
def test_a_message_is_made_whole_and_loses_its_blind_copies(site: Site, with_chunks: bool) -> None:
    raw = b"From: alice@example.test\r\nBcc: dave@other.test,\r\n eve@x\r\nTo: bob\r\n\r\nBcc: hi"
    with submit(site) as wire:
        if with_chunks:
            wire.ask(b"MAIL FROM:<alice@example.test>\r\n")
            wire.ask(b"RCPT TO:<bob@example.test>\r\n")
            for octet in raw[:-1]:
                assert wire.ask(b"BDAT 1\r\n" + bytes([octet])).startswith("250")
            assert wire.ask(b"BDAT 1 LAST\r\n" + raw[-1:]).startswith("250")
        else:
            assert send(
                wire, "bob@example.test", raw=raw + b"\r\n", sender="<alice@example.test>"
            ).startswith("250")
    (stored,) = site.messages("bob@example.test")
    assert re.search(
        rb"\r\nFrom: alice@example\.test\r\nTo: bob\r\nDate: \w{3}, [^\r]+\r\n"
        rb"Message-ID: <([0-9a-f]{16})@mail\.example\.test>\r\n\r\nBcc: hi",
        stored,
    )


def test_mail_from_other_servers_is_not_touched(site: Site) -> None:
    raw = b"From: a@b.example\r\nBcc: x@y.example\r\n\r\nhi\r\n"
    with greeted(site) as wire:
        assert send(wire, "bob@example.test", raw=raw).startswith("250")
    assert site.messages("bob@example.test")[0].endswith(b"\r\n" + raw)


def test_where_a_user_was_need_not_be_told(tmp_path: Path, tls: ServerTls) -> None:
    raw = b"From: alice@example.test\r\n\r\nhi\r\n"
    with running(tmp_path, tls, hides_clients=True) as site:
        with submit(site) as wire:
            assert send(wire, "bob@example.test", raw=raw, sender="<>").startswith("250")
        with greeted(site) as wire:
            assert send(wire, "bob@example.test").startswith("250")
        mine, others = site.messages("bob@example.test")
    assert b"\r\nReceived: from example.test\r\n\tby mail.example.test with ESMTPA\r\n" in mine
    assert b"127.0.0.1" not in mine
    assert b"client.example" not in mine
    assert b"\r\nReceived: from client.example ([127.0.0.1])\r\n" in others
