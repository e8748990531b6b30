"""Two servers that pass mail to each other: forwards, bounces that find back, loops, and one as the other's backup."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator

import pytest

from outside.mail import message, stored
from outside.meter import wait_until
from outside.server import Account, Ours, running

FAR = "far.test"
QUICK = "limits: {queue: {retry_first_s: 1, retry_longest_s: 1, idle_connection_s: 0.2}}\n"


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Ours, Ours]]:
    """example.test and far.test, each knowing where the other is."""
    with (
        running(settings=QUICK, count=20) as near,
        running(settings=QUICK, count=20, domain=FAR) as far,
    ):
        near.cli("route", "add", FAR, f"smtp:127.0.0.1:{far.ports['smtp']}")
        far.cli("route", "add", near.domain, f"smtp:127.0.0.1:{near.ports['smtp']}")
        yield near, far


def submit(server: Ours, sender: Account, to: str, subject: str) -> None:
    with smtplib.SMTP(server.host, server.ports["submission"]) as client:
        client.login(sender.address, sender.password)
        client.sendmail(sender.address, [to], message(subject, From=sender.address))


def wait_for(server: Ours, account: Account, count: int = 1) -> list[bytes]:
    """The messages in the account's INBOX once there are so many."""
    wait_until(lambda: len(stored(server, account)) >= count, 30)
    return list(stored(server, account).values())


@pytest.mark.rfc(9228, "4")
def test_a_forward_and_the_bounce_that_finds_back(both: tuple[Ours, Ours]) -> None:
    near, far = both
    author, reader, owner = far.account(), far.account(), near.account()
    near.cli("user", "set", owner.address, "--forward", reader.address, "--no-keep")
    submit(far, author, owner.address, "over there and back")
    (arrived,) = wait_for(far, reader)
    path = re.match(rb"Return-Path: <(SRS0=[^>]*@example\.test)>\r\n", arrived)
    assert path is not None
    assert f"\r\nDelivered-To: {owner.address}\r\n".encode() in arrived
    assert b"\r\nSubject: over there and back\r\n" in arrived
    assert stored(near, owner) == {}
    with smtplib.SMTP(near.host, near.ports["smtp"]) as client:
        client.sendmail("", [path[1].decode().lower()], message("it bounced"))
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("x@elsewhere.example", [path[1].decode()], message("spam"))
    (bounce,) = wait_for(far, author)
    assert bounce.startswith(b"Return-Path: <>\r\n")
    assert b"\r\nSubject: it bounced\r\n" in bounce


@pytest.mark.rfc(5321, "6.3")
def test_a_loop_over_two_servers_ends_after_one_round(both: tuple[Ours, Ours]) -> None:
    near, far = both
    author, one, two = near.account(), near.account(), far.account()
    near.cli("user", "set", one.address, "--forward", two.address)
    far.cli("user", "set", two.address, "--forward", one.address, "--no-keep")
    submit(near, author, one.address, "round and round")
    (notice,) = wait_for(far, two)
    assert b"5.4.6" in notice
    assert b"Mail loop" in notice
    assert len(stored(near, one)) == 1, "his copy, and none of the second round"
    assert stored(near, author) == {}


@pytest.mark.rfc(5321, "3.6.1")
def test_a_backup_asks_and_waits_for_its_primary(both: tuple[Ours, Ours]) -> None:
    near, _ = both
    with running(settings=QUICK, count=3, domain="late.test") as primary:
        known = primary.account()
        near.cli("domain", "add", "late.test", "--backup-mx")
        near.cli("route", "add", "late.test", f"smtp:127.0.0.1:{primary.ports['smtp']}")

        def give(to: str, subject: str) -> tuple[int, bytes]:
            with smtplib.SMTP(near.host, near.ports["smtp"]) as client:
                try:
                    client.sendmail("x@elsewhere.example", [to], message(subject))
                except smtplib.SMTPRecipientsRefused as refused:
                    return refused.recipients[to]
            return 250, b""

        assert give(known.address, "first")[0] == 250
        code, text = give("nobody@late.test", "never")
        assert code == 550
        assert b"5.1.1" in text
        assert b"its server says" in text
        wait_for(primary, known)
        primary.stop()
        assert give(known.address, "second")[0] == 250
        code, text = give("u02@late.test", "unasked")
        assert (code, text[:5]) == (450, b"4.4.3")
        primary.start()
        near.cli("queue", "retry", "--domain", "late.test")
        subjects = b"".join(wait_for(primary, known, 2))
        assert b"Subject: second" in subjects
        assert b"unasked" not in subjects
