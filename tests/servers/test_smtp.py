"""SMTP over real sockets: real clients, TLS, what is stored, what is refused, what is left behind."""

import base64
import re
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mailserver.base.limits import ConnectionLimits, Limits, SmtpLimits
from mailserver.directory import accounts
from mailserver.directory.addresses import parse
from mailserver.net.tls import ServerTls
from mailserver.servers import smtp_taking
from mailserver.store.spool import Spool
from mailserver.store.store import Store
from servers.site import HOST, PASSWORD, Site, certificate, running

RAW = b"From: a@elsewhere.test\r\nSubject: x\r\n\r\nhello\r\n.leading dot\r\n"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def site(tmp_path: Path, tls: ServerTls) -> Iterator[Site]:
    with running(tmp_path, tls) as site:
        yield site


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def greeted(site: Site, port: str = "smtp"):
    wire = site.connect(port)
    assert wire.hear().startswith("220 ")
    assert wire.ask(b"EHLO client.example\r\n").startswith("250-")
    return wire


def send(wire, *recipients: str, raw: bytes = RAW, sender: str = "<a@elsewhere.test>") -> str:
    """The reply to the end of the data, or the first refusal."""
    for command in (f"MAIL FROM:{sender}", *(f"RCPT TO:<{r}>" for r in recipients), "DATA"):
        reply = wire.ask(command.encode() + b"\r\n")
        if reply[0] not in "23":
            return reply
    return wire.ask(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")


def until(claim, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


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
        ("away@example.test", "550 5.4.4 <away@example.test>: the alias leads to another server"),
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


# -- submission


def submit(site: Site, user: str = "alice@example.test"):
    wire = greeted(site, "submission")
    token = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
    assert wire.ask(f"AUTH PLAIN {token}\r\n".encode()).startswith("235 2.7.0")
    return wire


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


def test_mail_from_users_to_other_servers_is_refused_truthfully(site: Site) -> None:
    with submit(site) as wire:
        reply = send(wire, "x@elsewhere.test", sender="<alice@example.test>")
        assert reply.startswith("550 5.4.4 <x@elsewhere.test>: not one of our domains")


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


def test_a_mailbox_fills_up_message_by_message(site: Site) -> None:
    with greeted(site) as wire:
        replies = [send(wire, "small@example.test") for _ in range(3)]
        while replies[-1].startswith("250"):
            wire.ask(b"RSET\r\n")
            replies.append(send(wire, "small@example.test"))
    assert replies[-1].startswith("452 4.2.2")
    assert len(site.messages("small@example.test")) == len(replies) - 1


# -- large, slow and broken


@pytest.mark.rfc(1870, "6")
def test_ten_megabytes(site: Site) -> None:
    raw = b"From: a@b.test\r\nSubject: big\r\n\r\n" + (b"x" * 70 + b"\r\n..\r\n") * 140_000
    with smtplib.SMTP("127.0.0.1", site.ports["smtp"]) as client:
        client.sendmail("a@b.test", ["alice@example.test", "bob@example.test"], raw)
    (stored,) = site.messages("alice@example.test")
    assert stored.endswith(raw)
    assert site.messages("bob@example.test") == [stored]
    assert len(site.spooled()) == 1, "the message's own file, and nothing else"


def test_a_message_beyond_the_limit(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(
        smtp=SmtpLimits(message_size=100_000), connections=ConnectionLimits(spool_memory=10_000)
    )
    with running(tmp_path, tls, limits) as site, greeted(site) as wire:
        assert wire.ask(b"MAIL FROM:<> SIZE=100001\r\n").startswith("552 5.3.4")
        assert send(wire, "alice@example.test", raw=(b"x" * 98 + b"\r\n") * 1001).startswith(
            "552 5.3.4"
        )
        assert site.spooled() == []
        assert send(wire, "alice@example.test", raw=(b"x" * 98 + b"\r\n") * 1000).startswith("250")
    assert site.spooled() == []


@pytest.mark.parametrize("size", [100, 400_000])
def test_a_connection_that_dies_in_data_leaves_nothing(site: Site, size: int) -> None:
    with greeted(site) as wire:
        for command in (b"MAIL FROM:<>", b"RCPT TO:<alice@example.test>", b"DATA"):
            wire.ask(command + b"\r\n")
        wire.say(b"x" * size)
        if size > 300_000:
            until(lambda: len(site.spooled()) == 1)
    until(lambda: site.reception.connections == 0)
    assert site.spooled() == []
    assert site.messages("alice@example.test") == []
    assert site.context.memory.used == 0


def test_without_memory_messages_go_through_files(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(connections=ConnectionLimits(input_memory=1))
    with running(tmp_path, tls, limits) as site, greeted(site) as wire:
        assert send(wire, "alice@example.test").startswith("250")
        assert site.messages("alice@example.test")[0].endswith(RAW)
        assert site.spooled() == []


def test_a_disk_that_is_full_is_reported_at_the_end_and_forgotten(site: Site, monkeypatch) -> None:
    def full(self, data):
        raise OSError(28, "No space left on device")

    with greeted(site) as wire:
        with monkeypatch.context() as patch:
            for command in (b"MAIL FROM:<>", b"RCPT TO:<alice@example.test>", b"DATA"):
                wire.ask(command + b"\r\n")
            patch.setattr(Spool, "write", full)
            assert wire.ask(RAW + b".\r\n").startswith("452 4.3.1 Storage is not available")
        assert send(wire, "alice@example.test").startswith("250")
    assert len(site.messages("alice@example.test")) == 1
    assert site.spooled() == []


def test_a_bug_costs_one_message_not_the_connection(site: Site, monkeypatch) -> None:
    def broken(raw, limits):
        raise ZeroDivisionError

    with greeted(site) as wire:
        with monkeypatch.context() as patch:
            patch.setattr(smtp_taking, "derive", broken)
            assert send(wire, "alice@example.test").startswith("451 4.3.0 Local trouble")
        assert send(wire, "alice@example.test").startswith("250")


def assert_gone(site: Site) -> None:
    """Long before the client would have ended: nobody is connected."""
    until(lambda: site.reception.connections == 0, 0.2)


@pytest.mark.rfc(5321, "4.5.3.2")
def test_timeouts_get_a_421(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(smtp=SmtpLimits(idle_timeout_s=0.3, data_timeout_s=0.3))
    with running(tmp_path, tls, limits) as site:
        with greeted(site) as wire:
            assert wire.hear() == f"421 4.4.2 {HOST} Timeout, closing connection"
            assert wire.hear() == ""
        with greeted(site) as wire, suppress(ConnectionError):  # a dribble is no progress
            for _ in range(30):
                wire.say(b"N")
                time.sleep(0.02)
        assert_gone(site)
        with greeted(site) as wire:
            for command in (b"MAIL FROM:<>", b"RCPT TO:<alice@example.test>", b"DATA"):
                wire.ask(command + b"\r\n")
            with suppress(ConnectionError):
                for _ in range(30):
                    wire.say(b"x")
                    time.sleep(0.02)
        assert_gone(site)
    assert site.spooled() == []


@pytest.mark.rfc(2920, "3.1", "3.2")
def test_a_pipelined_group_in_any_pieces(site: Site) -> None:
    group = (
        b"MAIL FROM:<>\r\nRCPT TO:<nobody@example.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n"
    )
    with greeted(site) as wire:
        for size in (1, 7, len(group)):
            for i in range(0, len(group), size):
                wire.say(group[i : i + size])
            assert [wire.hear()[:3] for _ in range(4)] == ["250", "550", "250", "354"]
            assert wire.ask(b".\r\n").startswith("250")
        wire.say(b"MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n")
        assert [wire.hear()[:3] for _ in range(6)] == ["250", "250", "354", "250", "221", ""]


@pytest.mark.rfc(3207, "4.2")
def test_what_is_pipelined_behind_starttls_is_not_heard(site: Site) -> None:
    with greeted(site, "submission") as wire:
        wire.say(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@example.test>\r\n")
        assert wire.hear().startswith("220")
        wire.tls()
        assert wire.ask(b"NOOP\r\n") == "250 2.0.0 OK"
        assert wire.ask(b"MAIL FROM:<alice@example.test>\r\n") == "503 5.5.1 Say EHLO first"


def test_a_handshake_that_fails_ends_the_connection(site: Site) -> None:
    with greeted(site) as wire:
        assert wire.ask(b"STARTTLS\r\n").startswith("220")
        wire.say(b"NOOP\r\n" * 10)
        assert wire.socket.recv(1000)[:1] in (b"", b"\x15")
    until(lambda: site.reception.connections == 0)


# -- stopping


@pytest.mark.rfc(5321, "3.8")
def test_stopping_lets_a_transaction_finish(site: Site) -> None:
    with greeted(site) as busy, greeted(site) as idle:
        for command in (b"MAIL FROM:<>", b"RCPT TO:<alice@example.test>", b"DATA"):
            busy.ask(command + b"\r\n")
        site.loop.call_soon_threadsafe(site._over.set)
        assert idle.hear() == f"421 4.3.2 {HOST} Server is stopping, try again later"
        assert idle.hear() == ""
        assert busy.ask(b"hello\r\n.\r\n").startswith("250 2.0.0")
        assert busy.hear().startswith("421 4.3.2")
        assert busy.hear() == ""
    site._thread.join(10)
    with reopened(site) as again:
        assert len(again.messages("alice@example.test")) == 1


@contextmanager
def reopened(site: Site) -> Iterator[Site]:
    """The store of a site that has stopped."""
    site.store = Store(site.folder)
    site.store.open()
    yield site
    site.store.close()


def test_an_early_talker_is_sent_away(tmp_path: Path, tls: ServerTls) -> None:
    limits = Limits(smtp=SmtpLimits(greeting_delay_s=0.2))
    with running(tmp_path, tls, limits) as site:
        with site.connect() as wire:
            wire.say(b"EHLO x\r\n")
            assert wire.hear() == "554 5.5.1 You spoke before the greeting"
            assert wire.hear() == ""
        with site.connect() as wire:
            assert wire.hear().startswith("220")
