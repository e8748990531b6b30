"""Mail of real programs is judged over a real DNS; what one server of ours passes on survives at another by ARC."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dkim
import pytest

import dnslab
from mailserver.mailauth.dkim.keys import generate, record_text, to_pem
from outside.mail import stored
from outside.meter import wait_until
from outside.server import Account, Ours, running
from outside.wire import Imap

pytestmark = pytest.mark.needs(*dnslab.PROGRAMS, "swaks")

#: bank.example may be sent from 127.0.0.1 only; nobody sends for forged.example and shop.example
ZONES = {
    "bank.example": '@ TXT "v=spf1 ip4:127.0.0.1 -all"\n_dmarc TXT "v=DMARC1; p=reject"\n',
    "forged.example": (
        '@ TXT "v=spf1 include:none.host.example redirect=_spf.host.example"\n'
        '_dmarc TXT "v=DMARC1; p=reject; adkim=s; aspf=s"\n'
    ),
    "shop.example": '@ TXT "v=spf1 -all"\n_dmarc TXT "v=DMARC1; p=quarantine"\n',
    "loop.example": (
        '@ TXT "v=spf1 include:loop.example include:many.loop.example -all"\n_dmarc CNAME _dmarc\n'
        + "many TXT "
        + '"v=spf1 " '
        + " ".join(f'"exists:%{{i}}.{n}.loop.example "' for n in range(20))
        + "\n"
    ),
    "host.example": (
        'none TXT "v=spf1 ip4:192.0.2.1 -all"\n_spf TXT "v=spf1 a:nowhere.host.example -all"\n'
        "client A 127.0.0.1\n"
    ),
    "127.in-addr.arpa": "1.0.0 PTR client.host.example.\n",
}


@dataclass
class Place:
    """here: passes mail on to *there*.  Both ask the DNS of the laboratory."""

    here: Ours
    there: Ours
    folder: Path

    def send(self, server: Ours, sender: str, to: Account | str, *more: str) -> str:
        """What swaks and the server say to each other."""
        recipient = to if isinstance(to, str) else to.address
        return subprocess.run(
            [
                *("swaks", "--server", server.host, "--port", str(server.ports["smtp"])),
                *("--ehlo", "client.host.example", "--from", sender, "--to", recipient),
                *more,
            ],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,  # a refusal is no failure here
        ).stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("judged")
    key = generate("rsa-2048")
    (folder / "key.pem").write_bytes(to_pem(key))
    text = record_text(key)
    parts = " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
    here = Ours(count=4, domain="here.test")
    try:
        here.create()
        zone = here.cli(
            "dns", "records", "here.test", "--address", "127.0.0.1", "--format", "zone"
        ).stdout
        zones = dict(ZONES) | {"here.test": zone}
        zones["bank.example"] += f"s1._domainkey TXT {parts}\n"
        with dnslab.running(folder, zones, signed=(), bogus=()) as lab:
            settings = f'dns: {{servers: ["127.0.0.1:{lab.resolver[1]}"]}}\n'
            with here.config.open("a") as config:
                config.write(settings)
            here.start()
            with running(count=8, domain="there.test", settings=settings) as there:
                here.cli("route", "add", "there.test", f"smtp:127.0.0.1:{there.ports['smtp']}")
                yield Place(here, there, folder)
            here.stop()
    finally:
        here.discard()


def field(raw: bytes) -> str:
    """Our Authentication-Results, unfolded."""
    found = re.search(rb"^Authentication-Results: ((?:[^\r\n]|\r\n[ \t])*)", raw, re.MULTILINE)
    assert found is not None, raw
    return " ".join(found[1].decode().split())


def header(author: str) -> tuple[str, ...]:
    return ("--header", f"From: {author}")


@pytest.mark.rfc(8601, "4.1")
def test_mail_of_its_author_is_taken(place: Place) -> None:
    reader = place.here.account()
    said = place.send(place.here, "a@bank.example", reader, *header("a@bank.example"))
    assert "250 2.0.0" in said
    (raw,) = stored(place.here, reader).values()
    assert field(raw).startswith("mail.here.test; iprev=pass (127.0.0.1 is client.host.example)")
    assert "spf=pass" in field(raw)
    assert "dmarc=pass" in field(raw)
    assert b"\r\nReceived-SPF: pass (" in raw


@pytest.mark.rfc(9989, "5.4")
def test_a_forged_author_is_refused_and_the_reason_told(place: Place) -> None:
    reader = place.here.account()
    said = place.send(place.here, "a@forged.example", reader, *header("a@forged.example"))
    assert "550 5.7.26 Rejected by the DMARC policy of forged.example" in said
    assert stored(place.here, reader) == {}

    def explained() -> bool:
        return "forged.example" in place.here.cli("explain", reader.address, check=False).stdout

    assert wait_until(explained, 10, 0.2)
    told = place.here.cli("explain", reader.address).stdout
    assert re.search(r"spf: fail: .*redirect=", told), told
    assert re.search(r"refused +dmarc: fail for forged.example: nothing aligned", told), told


def test_suspicious_mail_is_filed_as_junk(place: Place) -> None:
    reader = place.there.account()
    said = place.send(place.there, "a@shop.example", reader, *header("a@shop.example"))
    assert "250 2.0.0" in said
    assert stored(place.there, reader) == {}
    (raw,) = stored(place.there, reader, "Junk").values()
    assert "dmarc=fail" in field(raw)
    with Imap(place.there, reader) as imap:
        assert b"\\Junk" in b" ".join(imap.do('LIST "" Junk').untagged)


@pytest.mark.rfc(7208, "4.6.4")
def test_traps_in_records_end_in_an_error_and_no_harm(place: Place) -> None:
    reader = place.there.account()
    said = place.send(place.there, "a@loop.example", reader, *header("a@loop.example"))
    assert "250 2.0.0" in said
    (raw,) = stored(place.there, reader).values()
    assert "spf=permerror" in field(raw)


@pytest.mark.rfc(6376, "6.1")
def test_what_dkimpy_signed_is_its_authors(place: Place) -> None:
    """The envelope is somebody else's, so that only the signature speaks for the author."""
    reader = place.there.account()
    content = b"From: Anna <a@bank.example>\r\nTo: b@there.test\r\nSubject: signed\r\n\r\nhello\r\n"
    pem = (place.folder / "key.pem").read_bytes()
    signed = dkim.sign(content, b"s1", b"bank.example", pem) + content
    for name, data in (("good", signed), ("bad", signed.replace(b"hello", b"hullo"))):
        (place.folder / name).write_bytes(data.replace(b"\r\n", b"\n"))
    said = place.send(place.there, "x@shop.example", reader, "--data", f"@{place.folder / 'good'}")
    assert "250 2.0.0" in said
    (raw,) = stored(place.there, reader).values()
    assert "dkim=pass" in field(raw)
    assert "dmarc=pass" in field(raw)
    said = place.send(place.there, "x@shop.example", reader, "--data", f"@{place.folder / 'bad'}")
    assert "550 5.7.26 Rejected by the DMARC policy of bank.example" in said


def events(place: Place) -> list[str]:
    """What became of the mail that here.test has passed on."""
    rows = json.loads(place.here.cli("queue", "list", "--all", "--json").stdout)
    return [row["state"] for row in rows]


def is_over(place: Place, seen: int) -> bool:
    """Whether more than *seen* recipients have heard of their mail, and nobody waits."""
    states = events(place)
    return len(states) > seen and not {"pending", "claimed", "deferred"} & set(states)


@pytest.mark.rfc(8617, "5.1", "8.1")
def test_what_is_passed_on_survives_where_the_sealer_is_trusted(place: Place) -> None:
    """The author's domain lets only its own host send: without ARC, a forward of its mail is refused."""
    reader = place.there.account()
    place.here.cli("alias", "add", "away@here.test", reader.address)
    place.there.cli("domain", "set", "there.test", "--dmarc", "reject")
    for trusts in (False, True):
        if trusts:
            place.there.cli("trust", "add", "sealer", "here.test")
        before = len(events(place))
        subject = ("--header", f"Subject: trusted {trusts}")
        said = place.send(
            place.here, "a@bank.example", "away@here.test", *header("a@bank.example"), *subject
        )
        assert "250 2.0.0" in said
        assert wait_until(lambda seen=before: is_over(place, seen), 30, 0.3), place.here.tail()
    (raw,) = stored(place.there, reader).values()
    assert b"Subject: trusted True" in raw
    assert "dmarc=fail" in field(raw)
    assert "arc=pass (sealed by here.test)" in field(raw)
    assert b"ARC-Seal: i=1;" in raw
    assert raw.startswith(b"Return-Path: <SRS0=")
