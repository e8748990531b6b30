"""Mail from other servers over real sockets: what is stored, what is refused, who gets it."""

import re
import smtplib

import pytest

from mailserver.directory import accounts
from mailserver.directory.addresses import parse
from mailserver.store.tx import Write
from servers.site import HOST, RAW, Site, greeted, send, until


@pytest.mark.rfc(5321, "4.4", "4.1.1.4")
def test_a_message_from_another_server_is_stored_as_it_came(site: Site) -> None:
    with smtplib.SMTP("127.0.0.1", site.ports["smtp"], local_hostname="client.example") as client:
        assert client.sendmail("a@elsewhere.test", ["alice@example.test"], RAW) == {}
    (stored,) = site.messages("alice@example.test")
    head, body = stored[: -len(RAW)], stored[-len(RAW) :]
    assert body == RAW
    assert re.fullmatch(
        rb"Return-Path: <a@elsewhere\.test>\r\n"
        rb"Delivered-To: alice@example\.test\r\n"
        rb"Received: from client\.example \(\[127\.0\.0\.1\]\)\r\n"
        rb"\tby mail\.example\.test with ESMTP\r\n"
        rb"\tid [0-9a-f]{16}\r\n"
        rb"\tfor <alice@example\.test>;\r\n"
        rb"\t\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\r\n",
        head,
    )
    assert site.spooled() == []


@pytest.mark.rfc(5321, "4.4", "7.2")
def test_all_recipients_get_it_in_one_commit_and_are_not_named(site: Site) -> None:
    with greeted(site) as wire:
        reply = send(wire, "team@example.test", "bob+x@example.test", "dave@other.test")
    assert re.fullmatch(r"250 2\.0\.0 Taken as [0-9a-f]{16}", reply)
    (alice,) = site.messages("alice@example.test")
    assert site.messages("bob@example.test") == [alice]
    assert site.messages("dave@other.test") == [alice]
    assert b"for <" not in alice
    assert b"Delivered-To" not in alice
    blobs = site.store.read_now(lambda tx: tx.blobs._db.rows("SELECT count(*) FROM blob", ()))
    assert blobs == [(1,)]


def test_the_detail_of_a_subaddress_stays_visible(site: Site) -> None:
    with greeted(site) as wire:
        assert send(wire, "Alice+News@Example.Test").startswith("250")
    (stored,) = site.messages("alice@example.test")
    assert b"\r\nDelivered-To: Alice+News@example.test\r\n" in stored


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [
        ("nobody@example.test", "550 5.1.1 <nobody@example.test>: no such user here"),
        ("carol@example.test", "550 5.2.1 <carol@example.test>: the account is switched off"),
        ("full@example.test", "452 4.2.2 <full@example.test>: mailbox full, try again later"),
        ("x@elsewhere.test", "550 5.7.1 <x@elsewhere.test>: relaying refused"),
        (
            "x%elsewhere.test@example.test",
            "550 5.7.1 <x%elsewhere.test@example.test>: relaying refused",
        ),
        ("x@[192.0.2.1]", "550 5.7.1 <x@[192.0.2.1]>: relaying refused"),
        ("@example.test:x@elsewhere.test", "550 5.7.1 <x@elsewhere.test>: relaying refused"),
        (
            '"x@elsewhere.test"@example.test',
            '550 5.7.1 <"x@elsewhere.test"@example.test>: relaying',
        ),
    ],
)
def test_recipients_refused_on_port_25(site: Site, recipient: str, reply: str) -> None:
    with greeted(site) as wire:
        assert send(wire, recipient).startswith(reply)


@pytest.mark.rfc(5321, "4.5.1", "4.1.3")
@pytest.mark.parametrize(
    "recipient",
    [
        "postmaster",
        "POSTMASTER",
        "Postmaster@example.test",
        f"postmaster@{HOST}",
        "alice@[127.0.0.1]",
    ],
)
def test_postmaster_and_our_address_literal(site: Site, recipient: str) -> None:
    with greeted(site) as wire:
        assert send(wire, recipient, sender="<>").startswith("250")
    (stored,) = site.messages("alice@example.test")
    assert stored.startswith(b"Return-Path: <>\r\n")


@pytest.mark.rfc(6531, "3.7.3", "4.3")
def test_internationalized_mail(site: Site) -> None:
    with greeted(site) as wire:
        for command in (
            "MAIL FROM:<jürgen@bücher.example> SMTPUTF8",
            "RCPT TO:<MÜLLER@example.test>",
            "DATA",
        ):
            assert wire.ask(command.encode() + b"\r\n")[0] in "23"
        assert wire.ask("From: jürgen@bücher.example\r\n\r\nhü\r\n.\r\n".encode()).startswith("250")
    (stored,) = site.messages("müller@example.test")
    assert "Return-Path: <jürgen@xn--bcher-kva.example>\r\n".encode() in stored
    assert b" with UTF8SMTP\r\n" in stored


@pytest.mark.rfc(5321, "6.3")
def test_loops_are_cut(site: Site) -> None:
    hops = b"Received: from x by y; Thu, 1 Jan 1970 00:00:00 +0000\r\n"
    with greeted(site) as wire:
        assert send(wire, "alice@example.test", raw=hops * 50 + RAW).startswith("250")
        reply = send(wire, "alice@example.test", raw=hops * 51 + RAW)
    assert reply.startswith("554 5.4.6 Mail loop: the message has passed through 51 servers")
    assert len(site.messages("alice@example.test")) == 1


@pytest.mark.parametrize(
    ("raw", "reply"),
    [
        (
            b"From: a@b.test\r\nFROM : c@d.test\r\n\r\nx\r\n",
            "550 5.7.1 Message refused: it has 2 From",
        ),
        (b" folded\r\nFrom: a@b.test\r\n\r\nx\r\n", "550 5.6.0 Message refused: its first line"),
        (
            b"X: " + b"y" * 1_100_000 + b"\r\nFrom: a@b.test\r\n\r\nx\r\n",
            "552 5.3.4 Message refused: its header",
        ),
        (b"From: a@b.test\n\r\nx\r\n", "550 5.6.11 Message refused: a CR or LF stands alone"),
    ],
)
def test_messages_refused_on_port_25(site: Site, raw: bytes, reply: str) -> None:
    with greeted(site) as wire:
        assert send(wire, "alice@example.test", raw=raw).startswith(reply)
        assert send(wire, "alice@example.test").startswith("250")
    assert len(site.messages("alice@example.test")) == 1
    assert site.spooled() == []


def test_messages_without_a_header_and_empty_ones_are_taken(site: Site) -> None:
    with greeted(site) as wire:
        for raw in (b"", b"\r\n", b"just text\r\n"):
            assert send(wire, "alice@example.test", raw=raw).startswith("250")
    stored = site.messages("alice@example.test")
    ends = [re.split(rb" [+-]\d{4}(?=\r\n)", message)[1] for message in stored]
    assert ends == [b"\r\n", b"\r\n\r\n", b"\r\njust text\r\n"]


# -- the directory changes


def test_a_new_account_gets_mail_at_once(site: Site) -> None:
    with greeted(site) as wire:
        assert send(wire, "new@example.test").startswith("550 5.1.1")
        wire.ask(b"RSET\r\n")
        site.store.write_now(lambda tx: accounts.create(tx, parse("new@example.test"), "hash"))
        until(
            lambda: send(wire, "new@example.test").startswith("250") or wire.ask(b"RSET\r\n") == ""
        )
    assert len(site.messages("new@example.test")) == 1


def test_an_account_that_goes_between_rcpt_and_data(site: Site) -> None:
    with greeted(site) as wire:
        for command in (
            b"MAIL FROM:<>",
            b"RCPT TO:<alice@example.test>",
            b"RCPT TO:<bob@example.test>",
            b"DATA",
        ):
            assert wire.ask(command + b"\r\n")[0] in "23"

        def gone(tx):
            tx.accounts.remove(tx.accounts.by_address("bob", "example.test").id)

        site.store.write_now(gone)
        assert wire.ask(RAW + b".\r\n").startswith("450 4.2.1 A mailbox has just gone")
        assert send(wire, "bob@example.test").startswith("550 5.1.1")
    assert site.messages("alice@example.test") == []


# -- quota


def test_quota_is_known_at_rcpt_when_the_size_is_declared(site: Site) -> None:
    with greeted(site) as wire:
        assert wire.ask(b"MAIL FROM:<> SIZE=3000\r\n").startswith("250")
        assert wire.ask(b"RCPT TO:<small@example.test>\r\n").startswith(
            "452 4.2.2 <small@example.test>"
        )
        assert wire.ask(b"RCPT TO:<alice@example.test>\r\n").startswith("250")


def test_a_message_over_quota_is_filed_nowhere_and_the_next_attempt_leaves_the_full_one_out(
    site: Site,
) -> None:
    large = RAW + b"x" * 2_000 + b"\r\n"
    with greeted(site) as wire:
        reply = send(wire, "alice@example.test", "small@example.test", raw=large)
        assert reply.startswith("452 4.2.2 <small@example.test>: mailbox full")
        assert site.messages("alice@example.test") == []
        for command in (b"MAIL FROM:<>", b"RCPT TO:<alice@example.test>"):
            assert wire.ask(command + b"\r\n").startswith("250")
        assert wire.ask(b"RCPT TO:<small@example.test>\r\n").startswith("452 4.2.2")
        assert wire.ask(b"DATA\r\n").startswith("354")
        assert wire.ask(large + b".\r\n").startswith("250")
        assert len(site.messages("alice@example.test")) == 1

        def more(tx):
            account = tx.accounts.by_address("small", "example.test")
            tx.accounts.set(account.id, quota=100_000)

        site.store.write_now(more)
        until(
            lambda: (
                send(wire, "small@example.test", raw=large).startswith("250")
                or not wire.ask(b"RSET\r\n")
            )
        )
    assert site.spooled() == []


@pytest.mark.rfc(9208, "5.2")
def test_a_mailbox_with_as_many_messages_as_it_may_have_is_full_at_rcpt(site: Site) -> None:
    def bound(tx: Write) -> None:
        account = tx.accounts.by_address("alice", "example.test")
        assert account is not None
        tx.accounts.set(account.id, max_messages=2)

    site.store.write_now(bound)
    with greeted(site) as wire:
        for _ in range(2):
            assert send(wire, "alice@example.test").startswith("250")
        assert wire.ask(b"MAIL FROM:<>\r\n").startswith("250")
        assert wire.ask(b"RCPT TO:<alice@example.test>\r\n").startswith("452 4.2.2")
        assert wire.ask(b"RCPT TO:<bob@example.test>\r\n").startswith("250")
    assert len(site.messages("alice@example.test")) == 2


def test_a_mailbox_fills_up_message_by_message(site: Site) -> None:
    with greeted(site) as wire:
        replies = [send(wire, "small@example.test") for _ in range(3)]
        while replies[-1].startswith("250"):
            wire.ask(b"RSET\r\n")
            replies.append(send(wire, "small@example.test"))
    assert replies[-1].startswith("452 4.2.2")
    assert len(site.messages("small@example.test")) == len(replies) - 1
