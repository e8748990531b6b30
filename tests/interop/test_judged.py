"""A whole server judges mail from others and asks a real DNS: signed, unsigned, forged and silent zones, and traps."""

import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import dnslab
from mailserver.mailauth.results import parse
from outside.mail import message, stored
from outside.server import Account, Ours, running

pytestmark = [
    pytest.mark.needs(*dnslab.PROGRAMS),
    pytest.mark.rfc(7208, "4", "8"),
    pytest.mark.rfc(8601, "2.7"),
]

ZONES = {
    "signed.example": '@ TXT "v=spf1 mx -all"\n@ MX 1 mail\nmail A 127.0.9.1\n_dmarc TXT "v=DMARC1; p=reject"\n',
    "plain.example": '@ TXT "v=spf1 include:signed.example -all"\n_dmarc TXT "v=DMARC1; p=none"\n',
    "bogus.example": '@ TXT "v=spf1 +all"\n_dmarc TXT "v=DMARC1; p=reject"\n',
    "traps.example": (
        'loop TXT "v=spf1 include:loop.traps.example +all"\n'
        'void TXT "v=spf1 a:no1.traps.example a:no2.traps.example a:no3.traps.example +all"\n'
        'twice TXT "v=spf1 +all"\ntwice TXT "v=spf1 -all"\n'
        'forged TXT "v=spf1 include:bogus.example +all"\n'
    ),
    "127.in-addr.arpa": "1.9.0 PTR mail.signed.example.\n2.9.0 PTR mail.signed.example.\n",
}  # fmt: skip
SETTINGS = """\
dns: {{servers: ["127.0.0.1:{port}"]}}
limits: {{dns: {{try_s: 1, total_s: 2, rounds: 1}}, authentication: {{wait_s: 4}}}}
"""
KNOWN, OTHER = "127.0.9.1", "127.0.9.2"


@dataclass
class Place:
    """server: asks the lab.  account: gets the mail."""

    server: Ours
    account: Account

    def send(self, peer: str, domain: str) -> str:
        """The last reply to a message from a client at *peer*."""
        raw = message("x", **{"From": f"a@{domain}"})
        with smtplib.SMTP(
            self.server.host,
            self.server.ports["smtp"],
            "mail.signed.example",
            source_address=(peer, 0),
        ) as client:
            try:
                client.sendmail(f"a@{domain}", [self.account.address], raw)
            except smtplib.SMTPDataError as error:
                return f"{error.smtp_code} {error.smtp_error!r}"
        return "250"

    def last(self) -> bytes:
        """The header of the message that came last."""
        found = stored(self.server, self.account)
        return found[max(found)].partition(b"\r\n\r\n")[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    signed = {"signed.example", "bogus.example"}
    with (
        dnslab.running(tmp_path_factory.mktemp("dns"), ZONES, signed, {"bogus.example"}) as lab,
        running(settings=SETTINGS.format(port=lab.resolver[1]), count=2) as server,
    ):
        yield Place(server, server.account())


@pytest.mark.parametrize(
    ("peer", "domain", "reply", "found", "reason"),
    [
        (
            KNOWN,
            "signed.example",
            "250",
            "iprev=pass spf=pass dmarc=pass",
            "matches mx of signed.example",
        ),
        (OTHER, "signed.example", "550", "", ""),
        (
            KNOWN,
            "plain.example",
            "250",
            "iprev=pass spf=pass dmarc=pass",
            "by mx of signed.example",
        ),
        (
            OTHER,
            "plain.example",
            "250",
            "iprev=fail spf=fail dmarc=fail",
            "matches -all of plain.example",
        ),
        (KNOWN, "bogus.example", "451", "", ""),
        (
            KNOWN,
            "x.silent.example",
            "250",
            "iprev=pass spf=temperror dmarc=temperror",
            "cannot be had",
        ),
        (
            KNOWN,
            "loop.traps.example",
            "250",
            "iprev=pass spf=permerror dmarc=none",
            "more than 10 terms",
        ),
        (
            KNOWN,
            "void.traps.example",
            "250",
            "iprev=pass spf=permerror dmarc=none",
            "more than 2 terms",
        ),
        (
            KNOWN,
            "twice.traps.example",
            "250",
            "iprev=pass spf=permerror dmarc=none",
            "has 2 SPF records",
        ),
        (
            KNOWN,
            "forged.traps.example",
            "250",
            "iprev=pass spf=temperror dmarc=none",
            "signatures are wrong",
        ),
        (KNOWN, "no.plain.example", "250", "iprev=pass spf=none", "does not exist"),
    ],
)
def test_what_the_dns_says(
    place: Place, peer: str, domain: str, reply: str, found: str, reason: str
) -> None:
    start = time.monotonic()
    said = place.send(peer, domain)
    assert said.startswith(reply), said
    assert time.monotonic() - start < 15
    if not found:
        return
    header = place.last().replace(b"\r\n\t", b" ")
    results = next(
        line for line in header.split(b"\r\n") if line.startswith(b"Authentication-Results:")
    )
    methods = {
        one.method: one.result for one in reversed(parse(results.partition(b":")[2]).results)
    }
    assert dict(pair.split("=") for pair in found.split()).items() <= methods.items(), methods
    assert reason.encode() in b"".join(
        line for line in header.split(b"\r\n") if line.startswith(b"Received-SPF:")
    )
