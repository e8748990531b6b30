"""What is told of mail that failed, and whose reports are believed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailauth.reports.letters import about
from mailauth.zone import Zone
from mailserver.net.tls import ServerTls
from servers.site import Site, Wire, running

GOOD, BAD = "192.0.2.1", "203.0.113.9"
ASKS = "ruf=mailto:f@bank.example"
RECORDS = f"""
elsewhere.example    TXT  "v=spf1 ip4:{GOOD} -all"
_dmarc.elsewhere.example TXT "v=DMARC1; p=none"
bank.example         TXT  "v=spf1 ip4:{GOOD} -all"
_dmarc.bank.example  TXT  "v=DMARC1; p=reject; {ASKS}"
all.example          TXT  "v=spf1 ip4:{GOOD} -all"
_dmarc.all.example   TXT  "v=DMARC1; p=none; fo=1:d; {ASKS}"
psd.example          TXT  "v=spf1 -all"
_dmarc.psd.example   TXT  "v=DMARC1; p=none; psd=y; {ASKS}"
quiet.example        TXT  "v=spf1 -all"
_dmarc.quiet.example TXT  "v=DMARC1; p=none"
"""


@pytest.fixture(name="site")
def judging(tmp_path: Path, tls: ServerTls) -> Iterator[Site]:
    with running(tmp_path, tls, proxies=("127.0.0.0/8",), resolver=Zone(RECORDS)) as site:
        yield site


def come(site: Site, peer: str) -> Wire:
    wire = site.connect("smtp")
    wire.say(f"PROXY TCP4 {peer} 192.0.2.250 1 25\r\n".encode())
    assert wire.hear().startswith("220 ")
    assert wire.ask(b"EHLO client.example\r\n").startswith("250-")
    return wire


def send(site: Site, raw: bytes, domain: str, peer: str, to: str = "alice@example.test") -> str:
    with come(site, peer) as wire:
        for command in (f"MAIL FROM:<a@{domain}>", f"RCPT TO:<{to}>", "DATA"):
            reply = wire.ask(command.encode() + b"\r\n")
            assert reply[0] in "23", reply
        return wire.ask(raw + b".\r\n")


def letter(domain: str) -> bytes:
    return f"From: a@{domain}\r\nSubject: x\r\n\r\nhello\r\n".encode()


@pytest.mark.rfc(9991)
@pytest.mark.rfc(6591, "3.2.2")
def test_a_message_that_is_refused_is_told_of(site: Site) -> None:
    assert send(site, letter("bank.example"), "bank.example", BAD).startswith("550 ")
    (failure,) = site.failures
    assert (failure.policy_domain, failure.header_from) == ("bank.example", "bank.example")
    assert (failure.source, failure.to, failure.delivery) == (BAD, "example.test", "reject")
    assert (failure.is_dkim_aligned, failure.is_spf_aligned) == (False, False)
    assert failure.ruf == ("mailto:f@bank.example",)
    assert ("dmarc", "fail") in [(one.method, one.result) for one in failure.results]
    assert b"From: a@bank.example\r\n" in failure.header
    assert b"hello" not in failure.header
    assert b"Delivered-To" not in failure.header


@pytest.mark.rfc(9989, "4.7")
def test_what_passes_is_told_of_only_where_half_of_it_is_asked_for(site: Site) -> None:
    for domain in ("bank.example", "all.example"):
        assert send(site, letter(domain), domain, GOOD).startswith("250 ")
    (failure,) = site.failures
    assert failure.policy_domain == "all.example"
    assert (failure.is_dkim_aligned, failure.is_spf_aligned) == (False, True)
    assert failure.delivery == "delivered"


def test_who_does_not_ask_and_public_suffixes_hear_nothing(site: Site) -> None:
    for domain in ("psd.example", "quiet.example", "unknown.example"):
        assert send(site, letter(domain), domain, BAD).startswith("250 ")
    assert site.failures == []


@pytest.mark.rfc(8460, "3")
@pytest.mark.parametrize(("peer", "kept"), [(GOOD, 1), (BAD, 0)])
def test_a_report_that_nobody_stands_for_is_only_mail(site: Site, peer: str, kept: int) -> None:
    to = "dmarc-reports@example.test"
    assert send(site, about("example.test"), "elsewhere.example", peer, to).startswith("250 ")
    assert len(site.store.read_now(lambda tx: tx.reports.list())) == kept
    boxes = site.messages("alice@example.test")
    assert len(boxes) == 1
