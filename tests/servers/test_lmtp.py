"""LMTP over real sockets: a reply for each recipient, local mail only, from those who may."""

import asyncio
import smtplib
from pathlib import Path

import pytest

from mailserver.net.endpoint import Endpoint
from mailserver.net.tls import ServerTls
from mailserver.servers.listen import Service, bind
from mailserver.servers.smtp import turned_away
from servers.site import HOST, RAW, Site, Wire, running


def hello(site: Site) -> Wire:
    wire = site.connect("lmtp")
    assert wire.hear() == "220 mail.example.test LMTP mailserver"
    assert wire.ask(b"LHLO relay.example\r\n").startswith("250-mail.example.test\n250-PIPELINING")
    return wire


def envelope(wire: Wire, *recipients: str) -> list[str]:
    """What is said to each recipient."""
    assert wire.ask(b"MAIL FROM:<a@elsewhere.test>\r\n").startswith("250 ")
    return [wire.ask(f"RCPT TO:<{r}>\r\n".encode()) for r in recipients]


@pytest.mark.rfc(2033, "4.2")
@pytest.mark.rfc(3848, "1")
def test_each_recipient_has_a_reply(site: Site) -> None:
    with hello(site) as wire:
        said = envelope(wire, "alice@example.test", "nobody@example.test", "bob@example.test")
        assert [reply[:3] for reply in said] == ["250", "550", "250"]
        assert wire.ask(b"DATA\r\n").startswith("354")
        assert wire.ask(RAW.replace(b"\r\n.", b"\r\n..") + b".\r\n").startswith("250 2.0.0")
        assert wire.hear().startswith("250 2.0.0")
        assert wire.ask(b"NOOP\r\n") == "250 2.0.0 OK"
    (alice,) = site.messages("alice@example.test")
    assert site.messages("bob@example.test") == [alice]
    assert b"\tby mail.example.test with LMTP\r\n" in alice


@pytest.mark.rfc(2033, "4.2", "4.3")
@pytest.mark.parametrize("with_chunks", [False, True])
def test_a_full_mailbox_keeps_nobody_else_from_the_mail(site: Site, with_chunks: bool) -> None:
    """small@ has room for less than this; who sends by SMTP would hear one refusal for all."""
    raw = RAW + b"x" * 2_000 + b"\r\n"
    with hello(site) as wire:
        said = envelope(wire, "alice@example.test", "small@example.test", "bob@example.test")
        assert [reply[:3] for reply in said] == ["250"] * 3
        if with_chunks:
            wire.say(b"BDAT %d LAST\r\n" % len(raw) + raw)
        else:
            wire.ask(b"DATA\r\n")
            wire.say(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert wire.hear().startswith("250 2.0.0")
        assert wire.hear() == "452 4.2.2 <small@example.test>: mailbox full, try again later"
        assert wire.hear().startswith("250 2.0.0")
        (said,) = envelope(wire, "small@example.test")
        assert said.startswith("452 4.2.2"), "remembered, so that the next attempt need not send it"
        assert wire.ask(b"NOOP\r\n") == "250 2.0.0 OK"
    for name in ("alice", "bob"):
        assert site.messages(f"{name}@example.test")[0].endswith(raw)
    assert site.messages("small@example.test") == []


@pytest.mark.rfc(2033, "4.2")
def test_a_message_without_room_for_anybody_is_refused_for_each(site: Site) -> None:
    raw = RAW + b"x" * 2_000 + b"\r\n"
    with hello(site) as wire:
        envelope(wire, "small@example.test", "small+x@example.test")
        wire.say(b"BDAT %d LAST\r\n" % len(raw) + raw)
        assert wire.hear().startswith("452 4.2.2 <small@example.test>: mailbox full")
        assert wire.hear().startswith("452 4.2.2 <small+x@example.test>: mailbox full")
        assert wire.ask(b"NOOP\r\n") == "250 2.0.0 OK"
    assert site.spooled() == []


def test_nobody_logs_in_and_nothing_is_passed_on(site: Site) -> None:
    with hello(site) as wire:
        assert wire.ask(b"AUTH PLAIN AGEAYg==\r\n").startswith("502 5.5.1")
        (said,) = envelope(wire, "x@elsewhere.test")
        assert said.startswith("550 5.7.1 <x@elsewhere.test>: relaying refused")


@pytest.mark.rfc(2033, "3")
def test_others_may_not_deliver(tmp_path: Path, tls: ServerTls) -> None:
    with running(tmp_path, tls, cleartext_from=("10.0.0.0/8",)) as site, site.connect("lmtp") as w:
        assert w.hear() == "554 5.7.1 LMTP is not for your address"
        assert w.hear() == ""


def test_pythons_lmtp_client(site: Site) -> None:
    with smtplib.LMTP("127.0.0.1", site.ports["lmtp"]) as client:
        assert client.sendmail("a@elsewhere.test", ["alice@example.test"], RAW) == {}
    assert site.messages("alice@example.test")[0].endswith(RAW)


@pytest.mark.rfc(2033, "3")
def test_whoever_may_open_the_socket_may_deliver(tmp_path: Path, tls: ServerTls) -> None:
    path = tmp_path / "lmtp"
    with running(tmp_path / "data", tls, cleartext_from=("10.0.0.0/8",)) as site:
        service = Service("lmtp", site.smtp.deliver, is_tls=False, turned_away=turned_away(HOST))
        opened = site.reception.open(bind(Endpoint(path=path))[0], service)
        asyncio.run_coroutine_threadsafe(opened, site.loop).result(10)
        with smtplib.LMTP(str(path)) as client:
            assert client.sendmail("a@elsewhere.test", ["alice@example.test"], RAW) == {}
        assert site.messages("alice@example.test")[0].endswith(RAW)
