"""Two of our servers report to each other: what one has seen of the other's mail, the other shows."""

from __future__ import annotations

import base64
import contextlib
import json
import smtplib
from collections.abc import Iterator
from typing import Any

import apsw
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

import dnslab
from outside.meter import wait_until
from outside.server import Ours, running

pytestmark = [pytest.mark.needs(*dnslab.PROGRAMS)]

ZONES = {
    f"{name}.example": (
        "@ MX 10 mail\nmail A 127.0.0.1\n"
        '@ TXT "v=spf1 ip4:127.0.0.1 -all"\n'  # the host's own name has none: reports pass by their signature
        f'_dmarc TXT "v=DMARC1; p=reject; rua=mailto:dmarc-reports@{name}.example;'
        f' ruf=mailto:dmarc-reports@{name}.example; fo=1"\n'
        f'_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls-reports@{name}.example"\n'
    )
    for name in ("here", "there")
}
KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
ZONES["here.example"] += (
    f'ours._domainkey TXT "v=DKIM1; k=ed25519; p={base64.b64encode(PUBLIC).decode()}"\n'
)
ALIKE = b"From: Alice <alice@there.example>\r\nTo: alice@here.example\r\nSubject: secret\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ours, Ours]]:
    """(here, which sends to the port of there; there)."""
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(
            dnslab.running(tmp_path_factory.mktemp("dns"), ZONES, signed=(), bogus=())
        )
        dns = f'dns: {{servers: ["127.0.0.1:{lab.resolver[1]}"]}}\n'
        there = stack.enter_context(running(settings=dns, count=2, domain="there.example"))
        settings = (
            f"{dns}outbound: {{port: {there.ports['smtp']}}}\n"
            "limits: {queue: {idle_connection_s: 0.1}}\n"  # each message has a session to count
        )
        here = stack.enter_context(running(settings=settings, count=2, domain="here.example"))
        file = tmp_path_factory.mktemp("key") / "ours.pem"
        file.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        here.cli("dkim", "import", "here.example", "ours", str(file), "--active")
        yield here, there


def ask(server: Ours, *words: str) -> Any:
    return json.loads(server.cli(*words, "--json").stdout)


def a_day_later(server: Ours) -> None:
    """What was counted today is from yesterday, so that it is due."""
    with contextlib.closing(apsw.Connection(str(server.data / "reports.db"))) as db:
        db.set_busy_timeout(5_000)
        for table in ("counted", "wanted", "omitted"):
            db.execute(f"UPDATE {table} SET day = day - 1")


def counted(server: Ours, kind: str, domain: str) -> int:
    path = server.data / "reports.db"
    if not path.exists():
        return 0
    with contextlib.closing(apsw.Connection(str(path))) as db:
        db.set_busy_timeout(5_000)
        sql = "SELECT total(count) FROM counted WHERE kind = ? AND domain = ?"
        with contextlib.suppress(apsw.SQLError):  # somebody is just making it
            return int(db.execute(sql, (kind, domain)).fetchall()[0][0])
    return 0


@pytest.mark.rfc(9990, "3.5")
@pytest.mark.rfc(8460, "5.3")
@pytest.mark.rfc(9991)
def test_what_one_has_seen_the_other_shows(servers: tuple[Ours, Ours]) -> None:
    here, there = servers
    here.cli("report", "settings", "failures=here.example", "org=Here and Sons")
    with smtplib.SMTP(here.host, here.ports["smtp"], local_hostname="mail.there.example") as client:
        for _ in range(3):
            client.sendmail("alice@there.example", ["alice@here.example"], ALIKE)
    assert wait_until(lambda: counted(here, "dmarc", "there.example") == 3, 20), here.tail()
    shown = ask(here, "report", "send", "there.example", "--dry-run")
    assert [one["to"] for one in shown if one["kind"] == "dmarc"] == [
        ["dmarc-reports@there.example"]
    ]

    a_day_later(here)
    left = ask(here, "report", "send", "there.example", "--now")
    assert left[0]["outcome"] == "dmarc-reports@there.example"
    rows: list[dict[str, Any]] = []

    def has_come(kind: str) -> bool:
        rows[:] = ask(there, "report", "list", "--kind", kind)
        return bool(rows)

    assert wait_until(lambda: has_come("dmarc"), 30, 0.5), here.tail() + there.tail()
    (row,) = rows
    assert (row["org"], row["domain"], row["good"], row["bad"]) == (
        "Here and Sons",
        "there.example",
        3,
        0,
    )
    (summary,) = ask(there, "report", "summary", "--domain", "there.example", "--since", "2d")
    assert [(one["name"], one["good"]) for one in summary["sources"]] == [("127.0.0.1", 3)]

    assert wait_until(lambda: has_come("failure"), 30, 0.5), here.tail() + there.tail()
    content = ask(there, "report", "show", str(rows[0]["id"]))["content"]
    assert (content["alignment"], content["source"]) == ("dkim", "127.0.0.1")

    assert wait_until(lambda: counted(here, "tls", "there.example") >= 1, 20), here.tail()
    a_day_later(here)
    here.cli("report", "send", "there.example", "--now")
    assert wait_until(lambda: has_come("tls"), 30, 0.5), here.tail() + there.tail()
    assert rows[0]["good"] + rows[0]["bad"] >= 1
    assert len(ask(here, "report", "sent")) == 2
