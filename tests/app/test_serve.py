"""The whole program as its users meet it: mail in by SMTP, out by IMAP, commands while it runs, its end."""

import imaplib
import json
import signal
import smtplib
import socket
import ssl
import time
from contextlib import suppress

import pytest

from outside.server import PASSWORD, Ours

ALICE, BOB = "alice@example.test", "bob@example.test"
MAIL = f"From: <{ALICE}>\r\nTo: <{ALICE}>\r\nSubject: hello\r\n\r\nsecret content here\r\n".encode()


def serve(workers):
    server = Ours(workers=workers, settings="log: {level: DEBUG}\n", count=2)
    server.create()
    server.start()
    return server


@pytest.fixture(scope="module", params=["2"])
def server(request):
    ours = serve(request.param)
    try:
        yield ours
        assert ours.stop() == 0
    finally:
        ours.discard()


@pytest.fixture(params=["1", "2"])
def fresh(request):
    """A server for a test that ends it."""
    ours = serve(request.param)
    try:
        yield ours
    finally:
        ours.discard()


class Raw:
    """A client that sends and reads lines."""

    def __init__(self, server, name):
        self.sock = socket.create_connection(("127.0.0.1", server.ports[name]), timeout=20)
        self.file = self.sock.makefile("rwb")

    def send(self, line):
        self.file.write(line + b"\r\n")
        self.file.flush()

    def hear(self):
        return self.file.readline()

    def ask(self, line):
        """The last line of the reply to an SMTP command."""
        self.send(line)
        return self.hear_until(lambda said: said[3:4] == b" ")

    def hear_until(self, claim):
        """The first line of which *claim* holds, or b"" at the end."""
        while (said := self.hear()) and not claim(said):
            pass
        return said

    def close(self):
        with suppress(OSError):
            self.file.close()
        self.sock.close()


def imap(server, password=PASSWORD):
    client = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
    client.login(ALICE, password)
    return client


def lines(server):
    return [json.loads(line) for line in server.log.read_text().splitlines() if line]


def send(server, content=MAIL):
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
        client.sendmail("sender@example.org", [ALICE], content)


def test_mail_comes_in_and_goes_out(server):
    send(server)
    client = imap(server)
    client.select()
    _, found = client.search(None, "SUBJECT", "hello")
    _, data = client.fetch(found[0].split()[-1], "(BODY.PEEK[])")
    assert data[0][1].endswith(MAIL)
    client.logout()


def test_tls_from_the_first_octet_with_our_own_certificate(server):
    trust = ssl.create_default_context(cafile=server.data / "tls" / "certificate.pem")
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=trust) as client:
        client.login(ALICE, PASSWORD)
    box = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=trust)
    assert box.login(ALICE, PASSWORD)[0] == "OK"
    box.logout()


def test_idle_hears_of_mail_that_came_to_any_worker(server):
    idlers = []
    for _ in range(6):
        raw = Raw(server, "imap")
        raw.send(f'a LOGIN {ALICE} "{PASSWORD}"'.encode())
        raw.send(b"b SELECT INBOX")
        assert raw.hear_until(lambda said: said.startswith(b"b "))[:4] == b"b OK"
        raw.send(b"c IDLE")
        assert raw.hear_until(lambda said: said.startswith(b"+"))
        idlers.append(raw)
    send(server)
    for raw in idlers:
        assert raw.hear_until(lambda said: b"EXISTS" in said)
        raw.close()


def test_changes_by_commands_count_at_once_in_every_worker(server):
    def may_log_in(password, times=6):
        answers = set()
        for _ in range(times):
            try:
                imap(server, password).logout()
                answers.add(True)
            except imaplib.IMAP4.error:
                answers.add(False)
        return answers

    assert may_log_in(PASSWORD) == {True}
    server.cli("user", "passwd", ALICE, "--password-stdin", stdin="another password")
    assert may_log_in(PASSWORD, 2) == {False}
    assert may_log_in("another password") == {True}
    server.cli("user", "disable", ALICE)
    assert may_log_in("another password", 2) == {False}
    server.cli("user", "enable", ALICE)
    server.cli("user", "passwd", ALICE, "--password-stdin", stdin=PASSWORD)
    assert may_log_in(PASSWORD) == {True}


def test_mail_to_a_new_alias_is_taken_at_once(server):
    def answers():
        found = set()
        for _ in range(8):
            with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
                client.ehlo()
                client.mail("sender@example.org")
                found.add(client.rcpt("fresh@example.test")[0])
        return found

    assert answers() == {550}
    server.cli("alias", "add", "fresh@example.test", ALICE)
    assert answers() == {250}
    server.cli("alias", "remove", "fresh@example.test")
    assert answers() == {550}


SECRETS = ("correct horse 7", "hunter2-wrong", "Y29ycmVjdCBob3JzZSA3", "secret content", "AGFsaWNl")


def test_no_password_and_no_content_reaches_the_log(server):
    """Not even at DEBUG, whatever way they came and however it ended."""
    send(server)
    port = server.ports["submission"]
    for password in (PASSWORD, "hunter2-wrong"):
        for mechanism in ("auth_plain", "auth_login"):
            with smtplib.SMTP("127.0.0.1", port) as client:
                client.ehlo()
                client.user, client.password = ALICE, password
                with suppress(smtplib.SMTPException):
                    client.auth(mechanism[5:].upper(), getattr(client, mechanism))
        box = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
        with suppress(imaplib.IMAP4.error):
            box.login(ALICE, password)
        box.shutdown()
        box = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
        with suppress(imaplib.IMAP4.error):
            box.authenticate("PLAIN", lambda _, p=password: f"\0{ALICE}\0{p}".encode())
        box.shutdown()
    for name, lines_ in (
        ("imap", [b"a LOGIN alice@example.test hunter2-wrong extra", b'b LOGIN "hunter2-wrong']),
        ("imap", [b"a AUTHENTICATE PLAIN AGFsaWNl=hunter2-wrong", b"hunter2-wrong b LOGIN"]),
        ("submission", [b"AUTH PLAIN AGFsaWNl!!hunter2-wrong", b"AUTH hunter2-wrong", b"hunter2-wrong"]),
        ("submission", [b"AUTH LOGIN", b"hunter2-wrong", b"hunter2-wrong", b"*"]),
    ):  # fmt: skip
        raw = Raw(server, name)
        raw.hear()
        for line in lines_:
            raw.send(line)
            raw.hear()
        raw.close()
    time.sleep(0.2)
    text = server.log.read_text()
    assert len(text) > 1_000
    for secret in SECRETS:
        assert secret not in text


def test_every_line_of_a_connection_has_its_session(server):
    send(server)
    time.sleep(0.2)
    smtp = [line for line in lines(server) if line["logger"] == "smtp"]
    accepted = [line for line in smtp if line["event"] == "message accepted"][-1]
    events = [line["event"] for line in smtp if line["session"] == accepted["session"]]
    assert events[0] == "connected"
    assert "message accepted" in events
    assert all(line["peer"] == "127.0.0.1" for line in smtp)


def test_stop_in_the_middle_of_a_message_finishes_it(fresh):
    raw = Raw(fresh, "smtp")
    raw.hear()
    assert raw.ask(b"EHLO client.example").startswith(b"250")
    assert raw.ask(b"MAIL FROM:<sender@example.org>").startswith(b"250")
    assert raw.ask(f"RCPT TO:<{ALICE}>".encode()).startswith(b"250")
    assert raw.ask(b"DATA").startswith(b"354")
    raw.file.write(MAIL)
    raw.file.flush()
    idle = Raw(fresh, "smtp")
    idle.hear()
    watcher = imap(fresh)
    watcher.select()
    watcher.send(b"x IDLE\r\n")
    assert watcher.readline().startswith(b"+")

    fresh.process.send_signal(signal.SIGTERM)
    assert idle.hear().startswith(b"421")
    while not watcher.readline().startswith(b"* BYE"):
        pass
    time.sleep(0.3)
    assert fresh.process.poll() is None
    assert raw.ask(b".").startswith(b"250")
    assert raw.hear().startswith(b"421")
    assert raw.hear() == b""
    assert fresh.process.wait(20) == 0
    fresh.process = None

    fresh.start()
    client = imap(fresh)
    assert client.select()[1] == [b"1"]
    client.logout()
    assert fresh.stop() == 0


def test_acknowledged_mail_survives_a_kill(fresh):
    for _ in range(5):
        send(fresh)
    fresh.kill()
    fresh.start()
    client = imap(fresh)
    assert client.select()[1] == [b"5"]
    client.logout()
