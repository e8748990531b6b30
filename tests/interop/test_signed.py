"""What our server signs, judged by others: OpenDKIM, dkimpy, and SpamAssassin with all its rules.

The DNS is a laboratory that holds exactly what `mailserver dns records` prints.
"""

from __future__ import annotations

import json
import re
import smtplib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import pytest

import dnslab
from misbehaving import NextHop
from outside import debian
from outside.fixtures import IN_CI
from outside.mail import stored
from outside.meter import wait_until
from outside.programs import run
from outside.relay import relaying
from outside.server import PORTS, Account, Ours, free_ports, running, wait_port

ELSEWHERE = "bob@elsewhere.example"
ADDRESS = (
    "128.66.7.7"  #: of our host, as others see it; an address that nobody uses, and no example
)

TEXT = (
    "Hello Bob,\r\n\r\nthe papers for Thursday are on the shared drive, in the folder of last week. "
    "Could\r\nyou have a look at the second one before we meet?  I am not sure about the dates.\r\n\r\n"
    "Thanks\r\nAlice\r\n"
)


@dataclass
class Place:
    """server: signs.  hop: everything goes there.  lab: the DNS, with the server's records."""

    server: Ours
    hop: NextHop
    lab: dnslab.Lab
    folder: Path

    def sent(self, content: bytes, sender: Account, envelope: str | None = None) -> bytes:
        """*content* as it left."""
        before = len(self.hop.messages)
        with smtplib.SMTP(self.server.host, self.server.ports["submission"]) as client:
            client.starttls()
            client.login(sender.address, sender.password)
            assert not client.sendmail(envelope or sender.address, [ELSEWHERE], content)
        return self.next(before)

    def next(self, before: int) -> bytes:
        """What left after the first *before* messages."""
        assert wait_until(lambda: len(self.hop.messages) > before, 30, 0.1), self.server.tail()
        return self.hop.messages[before].content


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("signed")
    with NextHop() as hop, running(count=6) as server:
        server.cli("route", "add", "*", f"smtp:127.0.0.1:{hop.port}")
        zone = server.cli(
            "dns", "records", server.domain, "--address", ADDRESS, "--format", "zone"
        ).stdout
        zones = {
            server.domain: zone,
            "elsewhere.example": "@ MX 10 mx\nmx A 198.51.100.9\n",
            "7.66.128.in-addr.arpa": f"7 PTR mail.{server.domain}.\n",
        }
        with dnslab.running(folder, zones, signed=(), bogus=()) as lab:
            yield Place(server, hop, lab, folder)


def letter(sender: Account, **more: str) -> bytes:
    """As a mail program writes it."""
    fields = {
        "From": f"Alice Example <{sender.address}>",
        "To": f"Bob <{ELSEWHERE}>",
        "Subject": "Papers for Thursday",
        "Date": formatdate(localtime=False),
        "Message-ID": f"<5f1e2d3c-8a7b-4c6d-9e0f-{id(more):012x}@example.test>",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
    } | more
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n"


def opendkim_conf(place: Place) -> Path:
    """OpenDKIM that verifies with the records of the zone, and asks nobody else."""
    records = place.server.cli("dns", "records", place.server.domain, "--json").stdout
    table = place.folder / "testdns"
    table.write_text(
        "".join(
            f"{row['name']} {row['value']}\n" for row in json.loads(records) if row["for"] == "dkim"
        )
    )
    config = place.folder / "opendkim.conf"
    config.write_text(
        f"Mode v\nTestDNSData file:{table}\nSyslog no\nAlwaysAddARHeader yes\nAuthservID relay.test\n"
        "InternalHosts file:/dev/null\n"
    )
    return config


def opendkim(place: Place, content: bytes) -> str:
    """What OpenDKIM says of *content*."""
    config = opendkim_conf(place)
    file = place.folder / "message"
    file.write_bytes(content)
    return run(place.folder, "opendkim", "-x", config, "-t", file, "-vv")


def spamassassin(place: Place, content: bytes, sender: str) -> tuple[float, dict[str, float]]:
    """Score and rules that hit, of *content* as bob's server would have received it from ours."""
    trace = (
        f"Return-Path: <{sender}>\r\nReceived: from mail.{place.server.domain}"
        f" (mail.{place.server.domain} [{ADDRESS}])\r\n\tby mx.elsewhere.example (Postfix) with ESMTPS id 4XyZ\r\n"
        f"\tfor <{ELSEWHERE}>; {formatdate(localtime=False)}\r\n"
    ).encode()
    file = place.folder / "message"
    file.write_bytes(trace + content)
    host, port = place.lab.resolver
    site = place.folder / "site"
    site.mkdir(exist_ok=True)
    for pre in Path("/etc/spamassassin").glob("*.pre"):
        (site / pre.name).write_text(pre.read_text())
    (site / "local.cf").write_text(
        f"dns_available yes\nclear_dns_servers\ndns_server [{host}]:{port}\nreport_safe 0\nuse_bayes 0\n"
        "use_razor2 0\nuse_pyzor 0\nclear_trusted_networks\nclear_internal_networks\n"
        "trusted_networks 198.51.100.0/24\ninternal_networks 198.51.100.0/24\n"
        "clear_headers\nadd_header all Status score=_SCORE_ tests=_TESTSSCORES(,)_\n"
    )
    said = run(
        place.folder,
        "spamassassin",
        "-C",
        "/usr/share/spamassassin",
        "--siteconfigpath",
        site,
        "-p",
        "/dev/null",
        file,
        limit_s=120,
    )
    status = re.search(r"^X-Spam-Status: score=(\S+) tests=((?:.|\n[ \t])*)", said, re.M)
    assert status, said[:2_000]
    rules = dict(one.split("=") for one in re.sub(r"\s", "", status[2]).split(",") if "=" in one)
    return float(status[1]), {name: float(points) for name, points in rules.items()}


@pytest.mark.needs("opendkim")
@pytest.mark.parametrize("size", [1, 40_000], ids=["small", "large"])
def test_opendkim_verifies(place: Place, size: int) -> None:
    sender = place.server.accounts[0]
    content = place.sent(letter(sender) + TEXT.encode() * max(1, size // len(TEXT)), sender)
    assert content.count(b"DKIM-Signature:") == 2
    said = opendkim(place, content)
    assert "verification (s=" in said, said
    assert "succeeded" in said, said


def is_clean(score: float, rules: dict[str, float], valid: str = "DKIM_VALID_AU") -> bool:
    """Nothing speaks against it: that it is signed counts 0.1, which its being valid takes back."""
    against = {name for name, points in rules.items() if points > 0} - {"DKIM_SIGNED"}
    return not against and score <= 0 and {"DKIM_VALID", valid} <= set(rules)


@pytest.mark.needs("opendkim", "postfix")
def test_a_postfix_with_opendkim_verifies(place: Place) -> None:
    """Through Postfix, with OpenDKIM as its milter, to a next hop that shows what it found."""
    if reason := debian.why_not():
        (pytest.fail if IN_CI else pytest.skip)(f"needs postfix: {reason}")
    (port,) = free_ports(1)
    config = opendkim_conf(place)
    milter = subprocess.Popen(
        ["opendkim", "-f", "-x", str(config), "-p", f"inet:{port}@127.0.0.1"],
        stderr=subprocess.DEVNULL,
    )
    lines = f"smtpd_milters = inet:127.0.0.1:{port}\nmilter_default_action = tempfail\n"
    try:
        wait_port(port)
        with NextHop() as end, relaying({"elsewhere.example": end.port}, main=lines) as relay:
            place.server.cli("route", "add", "elsewhere.example", f"smtp:127.0.0.1:{relay.port}")
            sender = place.server.accounts[0]
            with smtplib.SMTP(place.server.host, place.server.ports["submission"]) as client:
                client.starttls()
                client.login(sender.address, sender.password)
                content = letter(sender) + ("Grüße\r\n.\r\n" + TEXT).encode()
                assert not client.sendmail(sender.address, [ELSEWHERE], content)
            assert wait_until(lambda: bool(end.messages), 30, 0.1), relay.log[-2_000:]
            header = end.messages[0].content.partition(b"\r\n\r\n")[0]
    finally:
        place.server.cli("route", "remove", "elsewhere.example")
        milter.terminate()
        milter.wait(20)
    found = b" ".join(re.findall(rb"^Authentication-Results:(?:[^\r\n]|\r\n[ \t])*", header, re.M))
    assert b"relay.test" in found, header
    assert b"dkim=pass" in found, found
    assert b"dkim=fail" not in found, found


@pytest.mark.needs("spamassassin")
def test_spamassassin_has_nothing_against_a_submitted_message(place: Place) -> None:
    sender = place.server.accounts[0]
    content = place.sent(letter(sender) + TEXT.encode(), sender)
    score, rules = spamassassin(place, content, sender.address)
    assert is_clean(score, rules), rules
    assert {"SPF_PASS", "SPF_HELO_PASS", "DKIM_VALID_EF"} <= set(rules)


def from_outside(place: Place, sender: str, recipient: str, content: bytes) -> None:
    with smtplib.SMTP(place.server.host, place.server.ports["smtp"]) as client:
        assert not client.sendmail(sender, [recipient], content)


@pytest.mark.needs("spamassassin")
def test_nor_against_an_answer(place: Place) -> None:
    """A vacation answer has a null sender: the host's own name passes SPF, and the author's domain signs."""
    alice = place.server.accounts[0]
    script = place.folder / "vacation.sieve"
    script.write_text('require "vacation"; vacation "I am back on Monday, and answer then.";')
    place.server.cli("sieve", "put", alice.address, str(script), "--activate")
    before = len(place.hop.messages)
    question = letter(Account(ELSEWHERE, ""), To=alice.address) + TEXT.encode()
    from_outside(place, ELSEWHERE, alice.address, question)
    content = place.next(before)
    assert b"Auto-Submitted: auto-replied" in content
    score, rules = spamassassin(place, content, "")
    assert is_clean(score, rules), rules
    assert "SPF_HELO_PASS" in rules


@pytest.mark.rfc(6376, "8.5")
@pytest.mark.parametrize("author", ["alice@example.test", "carol@third.example"])
def test_nobody_gets_a_signature_for_what_he_may_not_write(place: Place, author: str) -> None:
    """From outside, in our user's name, to an alias that leads out again."""
    if not any("exit@" in line for line in place.server.cli("alias", "list").stdout.splitlines()):
        place.server.cli("alias", "add", f"exit@{place.server.domain}", ELSEWHERE)
    before = len(place.hop.messages)
    content = letter(Account(author, "")) + TEXT.encode()
    from_outside(place, author, f"exit@{place.server.domain}", content)
    assert b"DKIM-Signature:" not in place.next(before)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ours, Ours]]:
    """Two of our servers, which ask the same DNS; it holds what `dns records` of both prints."""
    folder = tmp_path_factory.mktemp("pair")
    free = iter(free_ports(2 * len(PORTS)))
    servers = [
        Ours(count=4, domain=name, ports={port: next(free) for port in PORTS})
        for name in ("here.test", "there.test")
    ]
    try:
        zones = {}
        for server in servers:
            server.create()
            words = ("dns", "records", server.domain, "--address", "127.0.0.1", "--format", "zone")
            zones[server.domain] = server.cli(*words).stdout
        with dnslab.running(folder, zones, signed=(), bogus=()) as lab:
            for server, other in zip(servers, reversed(servers), strict=True):
                with server.config.open("a") as config:
                    config.write(f"dns: {{servers: ['127.0.0.1:{lab.resolver[1]}']}}\n")
                server.cli("route", "add", "*", f"smtp:127.0.0.1:{other.ports['smtp']}")
                server.start()
            yield servers[0], servers[1]
            for server in servers:
                server.stop()
    finally:
        for server in servers:
            server.discard()


def arrived(server: Ours, account: Account) -> bytes:
    found: dict[int, bytes] = {}

    def look() -> bool:
        found.update(stored(server, account))
        return bool(found)

    assert wait_until(look, 30, 0.2), server.tail()
    (raw,) = found.values()
    return raw


@pytest.mark.needs("knotd", "unbound")
def test_another_of_our_servers_believes_it(pair: tuple[Ours, Ours]) -> None:
    """With nothing in the DNS but what was printed: SPF, both signatures, DMARC."""
    here, there = pair
    sender, reader = here.account(), there.account()
    with smtplib.SMTP(here.host, here.ports["submission"]) as client:
        client.starttls()
        client.login(sender.address, sender.password)
        content = letter(sender, To=reader.address) + TEXT.encode()
        assert not client.sendmail(sender.address, [reader.address], content)
    header = arrived(there, reader).partition(b"\r\n\r\n")[0]
    (results,) = re.findall(
        rb"^Authentication-Results:(?:[^\r\n]|\r\n[ \t])*", header, re.MULTILINE | re.IGNORECASE
    )
    said = b" ".join(results.split())
    assert said.count(b"dkim=pass") == 2, said
    assert b"spf=pass" in said
    assert b"dmarc=pass" in said
    until = (
        time.monotonic() + 10
    )  # it is written down after the next server has said that it has it
    while not re.search(r'"dkim": ?"here\.test: \d{8}r, \d{8}e"', log := here.log.read_text()):
        assert time.monotonic() < until, log[-2_000:]
        time.sleep(0.05)


@pytest.mark.needs("spamassassin", "opendkim")
def test_nor_against_a_notice(place: Place) -> None:
    """One of two recipients refuses by script: the sender hears of it, signed by the domain above our host."""
    one, other = place.server.accounts[2:4]
    script = place.folder / "reject.sieve"
    script.write_text('require "reject"; reject "Not here, please.";')
    place.server.cli("sieve", "put", other.address, str(script), "--activate")
    before = len(place.hop.messages)
    question = letter(Account(ELSEWHERE, ""), To=other.address) + TEXT.encode()
    with smtplib.SMTP(place.server.host, place.server.ports["smtp"]) as client:
        assert not client.sendmail(ELSEWHERE, [one.address, other.address], question)
    content = place.next(before)
    assert b"multipart/report" in content
    assert f"From: Mail Delivery <postmaster@mail.{place.server.domain}>".encode() in content
    assert "succeeded" in opendkim(place, content)
    score, rules = spamassassin(place, content, "")
    assert is_clean(score, rules, valid="SPF_HELO_PASS"), rules
