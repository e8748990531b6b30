"""SMTP with large, slow and broken peers, a broken disk, and a server that stops."""

import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mailserver.base.limits import ConnectionLimits, Limits, SmtpLimits
from mailserver.net.tls import ServerTls
from mailserver.servers import smtp_taking
from mailserver.store.spool import Spool
from mailserver.store.store import Store
from servers.site import HOST, RAW, Site, greeted, running, send, until


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


@pytest.mark.parametrize("size", [100, 2_400_000])
def test_a_connection_that_dies_in_data_leaves_nothing(site: Site, size: int) -> None:
    with greeted(site) as wire:
        for command in (b"MAIL FROM:<>", b"RCPT TO:<alice@example.test>", b"DATA"):
            wire.ask(command + b"\r\n")
        wire.say(b"x" * size)
        if size > 2_300_000:
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
