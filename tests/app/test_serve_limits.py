"""Limits and traces of a whole server with two workers, seen from outside."""

import json
import smtplib
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from outside.server import PASSWORD, Ours

ALICE, BOB = "alice@example.test", "bob@example.test"
MAIL = f"From: <{ALICE}>\r\nTo: <{BOB}>\r\nMessage-ID: <m1@example.test>\r\n\r\nhello\r\n".encode()
SETTINGS = """
limits:
  rates:
    exempt: ["127.0.0.1/32"]
    account: {messages_per_hour: 10}
    address: {failed_logins_per_hour: 6}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Ours]:
    ours = Ours(workers="2", settings=SETTINGS, count=2)
    ours.create()
    ours.start()
    try:
        yield ours
        assert ours.stop() == 0
    finally:
        ours.discard()


def log_in(server: Ours, password: str, source: str) -> int:
    client = smtplib.SMTP(timeout=20)
    client.source_address = (source, 0)
    client.connect("127.0.0.1", server.ports["submission"])
    with client:
        client.ehlo()
        client.user, client.password = ALICE, password
        try:
            return client.auth("PLAIN", client.auth_plain)[0]
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code


def explained(server: Ours, what: str, wanted: int) -> list[dict[str, object]]:
    """What explain says, once it knows of that many."""
    end = time.monotonic() + 15
    while True:
        said = server.cli("explain", what, "--limit", "100", "--json", check=False).stdout
        found = json.loads(said)
        if isinstance(found, list) and len(found) >= wanted:
            return found
        assert time.monotonic() < end, said
        time.sleep(0.1)


def test_a_message_is_explained_while_the_server_runs(server: Ours) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
        client.ehlo("client.example")
        client.mail("a@elsewhere.test")
        client.rcpt("nobody@example.test")
        client.rcpt(BOB)
        code, text = client.data(MAIL)
    assert code == 250
    token = text.split()[-1].decode()
    (told,) = explained(server, token, 1)
    assert told["is_taken"] is True
    assert told["filed"][0]["account"] == BOB
    assert [s["reply"][:3] for s in told["steps"] if s["reply"]] == ["550"]
    assert explained(server, "m1@example.test", 1)[0]["id"] == token
    assert "client.example" in server.cli("explain", token).stdout


def test_one_limit_for_all_workers(server: Ours) -> None:
    """Connections go to any worker; together they let pass what is allowed, and at most a little more."""
    taken, refusals = 0, []
    for _ in range(16):
        with smtplib.SMTP("127.0.0.1", server.ports["submission"]) as client:
            client.login(ALICE, PASSWORD)
            try:
                client.sendmail(ALICE, [BOB], MAIL)
                taken += 1
            except smtplib.SMTPSenderRefused as error:
                refusals.append((error.smtp_code, error.smtp_error))
        time.sleep(0.25)
    assert 10 <= taken <= 13
    assert len(refusals) >= 3
    assert {code for code, _ in refusals} == {450}
    assert all(b"Too many messages from alice@example.test" in text for _, text in refusals)
    shown = json.loads(server.cli("limits", "show", ALICE, "--json").stdout)
    (hour,) = [r for r in shown if r["kind"] == "account" and r["measure"] == "messages"
               and r["period"] == "hour"]  # fmt: skip
    assert hour["count"] == taken
    assert hour["is_reached"]
    server.cli("limits", "set", ALICE, "messages_per_hour=1000")
    end = time.monotonic() + 10
    with smtplib.SMTP("127.0.0.1", server.ports["submission"]) as client:
        client.login(ALICE, PASSWORD)
        while client.mail(ALICE)[0] != 250:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_who_guesses_is_stopped_in_every_worker_and_the_user_is_not(server: Ours) -> None:
    assert log_in(server, PASSWORD, "127.3.0.1") == 235
    codes = []
    for n in range(14):
        codes.append(log_in(server, f"guess {n}", "127.2.0.1"))
        time.sleep(0.2)
    assert codes.count(535) <= 9
    assert codes[-1] == 454
    assert log_in(server, PASSWORD, "127.2.0.1") == 454
    assert log_in(server, PASSWORD, "127.3.0.1") == 235
    assert log_in(server, PASSWORD, "127.0.0.1") == 235
    kinds = [told["steps"][0]["what"] for told in explained(server, "127.2.0.1", 10)]
    assert "guessing" in kinds
    assert "password" in kinds
    server.cli("limits", "reset", "127.2.0.1")
    end = time.monotonic() + 10
    while log_in(server, PASSWORD, "127.2.0.1") != 235:
        assert time.monotonic() < end
        time.sleep(0.3)


def test_mail_goes_on_without_log_and_cache(server: Ours) -> None:
    """Both files are written over with nonsense while the server runs."""
    for name in ("log.db", "cache.db"):
        with (server.data / name).open("r+b") as file:
            file.write(b"nonsense" * 4_096)
    for name in ("log.db-wal", "cache.db-wal"):
        with suppress(FileNotFoundError):
            (server.data / name).write_bytes(b"")
    for _ in range(5):
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
            client.sendmail("b@elsewhere.test", [BOB], MAIL)
        time.sleep(0.3)
    end = time.monotonic() + 20
    while True:
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
            client.sendmail("again@elsewhere.test", [BOB], MAIL)
        said = server.cli("explain", "again@elsewhere.test", check=False)
        if said.returncode == 0:
            break
        assert time.monotonic() < end, said.stderr
        time.sleep(0.5)
    assert "bug" not in server.log.read_text()
