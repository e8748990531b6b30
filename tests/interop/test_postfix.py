"""Mail between two of our servers with Debian's Postfix in the middle: what we send it takes, what it sends we take.

Notices go the same way back.
"""

from __future__ import annotations

import email
import email.policy
import smtplib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from outside import debian
from outside.fixtures import IN_CI
from outside.mail import big, message, stored, without_trace
from outside.meter import wait_until
from outside.relay import Relay, relaying
from outside.server import Account, Ours, running

HERE, THERE = "here.test", "there.test"


@dataclass
class Way:
    """here: where mail begins; there: where it goes; relay: between them."""

    here: Ours
    there: Ours
    relay: Relay

    def send(
        self,
        sender: Account,
        recipient: str,
        content: bytes,
        mail: tuple[str, ...] = (),
        rcpt: tuple[str, ...] = (),
    ) -> None:
        server = self.here if sender in self.here.accounts else self.there
        with smtplib.SMTP(server.host, server.ports["submission"]) as client:
            client.starttls()
            client.login(sender.address, sender.password)
            refused = client.sendmail(sender.address, [recipient], content, mail, rcpt)
        assert not refused

    def arrived(self, server: Ours, account: Account) -> bytes:
        """The only message in the INBOX of *account*, once it is there."""
        found: dict[int, bytes] = {}

        def look() -> bool:
            found.update(stored(server, account))
            return bool(found)

        assert wait_until(look, 120, 0.2), f"{self.relay.log[-3_000:]}\n{self.here.tail()}"
        (raw,) = found.values()
        return raw

    def notice(self, server: Ours, account: Account) -> tuple[str, str]:
        """Action and status of the only recipient that the only message there reports on."""
        report = email.message_from_bytes(self.arrived(server, account), policy=email.policy.SMTP)
        assert report.get_content_type() == "multipart/report"
        _, status, *_ = report.iter_parts()
        _, of_recipient = status.get_payload()
        return str(of_recipient["Action"]), str(of_recipient["Status"])


@pytest.fixture(scope="module")
def way() -> Iterator[Way]:
    reason = debian.why_not()
    if reason:
        (pytest.fail if IN_CI else pytest.skip)(f"needs postfix: {reason}")
    with ExitStack() as stack:
        here = stack.enter_context(running(count=12, domain=HERE))
        there = stack.enter_context(running(count=12, domain=THERE))
        relay = stack.enter_context(
            relaying({HERE: here.ports["smtp"], THERE: there.ports["smtp"]})
        )
        for server in (here, there):
            server.cli("route", "add", "*", f"smtp:127.0.0.1:{relay.port}")
        yield Way(here, there, relay)


@pytest.mark.rfc(5321, "3.6.2")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(message("dots", ".\r\n..\r\n.x\r\n\r\n.\r\n"), id="dots"),
        pytest.param(message("eight", "Grüße aus Köln\r\n"), id="8bit"),
        pytest.param(big("large", 3_000_000), id="large"),
        pytest.param(message("empty", ""), id="empty"),
    ],
)
def test_a_message_arrives_as_it_was(way: Way, content: bytes) -> None:
    sender, recipient = way.here.account(), way.there.account()
    content = content.replace(b"Sender <sender@example.org>", sender.address.encode())
    way.send(sender, recipient.address, content)
    raw = way.arrived(way.there, recipient)
    assert without_trace(raw) == content
    assert raw.count(b"\r\nReceived:") == 3  # here, at the relay, there
    assert b"TLS" in raw.split(b"\r\n\r\n")[0]


def test_there_and_back(way: Way) -> None:
    one, other = way.there.account(), way.here.account()
    way.send(one, other.address, message("back", From=one.address))
    assert b"Subject: back" in way.arrived(way.here, other)


@pytest.mark.rfc(6531, "3.4", "3.5")
def test_a_header_beyond_ascii(way: Way) -> None:
    sender, recipient = way.here.account(), way.there.account()
    content = message("Grüße", From=sender.address)
    way.send(sender, recipient.address, content, mail=("SMTPUTF8", "BODY=8BITMIME"))
    raw = way.arrived(way.there, recipient)
    assert without_trace(raw) == content
    assert b"with UTF8SMTP" in raw


@pytest.mark.rfc(3461, "5.2.1")
def test_who_asked_hears_that_it_was_delivered(way: Way) -> None:
    """ENVID, RET, NOTIFY and ORCPT pass through three servers, and the last one reports."""
    sender, recipient = way.here.account(), way.there.account()
    way.send(
        sender,
        recipient.address,
        message("receipt", From=sender.address),
        mail=("RET=HDRS", "ENVID=we+2Basked"),
        rcpt=("NOTIFY=SUCCESS", f"ORCPT=rfc822;{recipient.address}"),
    )
    assert way.notice(way.here, sender) == ("delivered", "2.1.5")
    report = way.arrived(way.here, sender)
    assert b"Original-Envelope-Id: we+asked\r\n" in report
    assert b"Original-Recipient: rfc822; " + recipient.address.encode() in report
    assert b"Reporting-MTA: dns; mail.there.test\r\n" in report


@pytest.mark.rfc(5321, "6.1")
def test_an_unknown_recipient_comes_back(way: Way) -> None:
    """The relay takes it, our other server does not: Postfix's bounce comes home."""
    sender = way.here.account()
    way.send(sender, f"nobody@{THERE}", message("lost", From=sender.address))
    assert way.notice(way.here, sender) == ("failed", "5.1.1")


def test_what_the_relay_refuses_we_return(way: Way) -> None:
    sender = way.here.account()
    way.send(sender, "bob@unknown.example", message("lost", From=sender.address))
    assert way.notice(way.here, sender) == ("failed", "5.4.4")
