"""DANE between two of our servers and Debian's Postfix, both ways, over zones that Knot signs and Unbound validates.

Postfix asks port 53 of a resolver of the system: it gets one of its own in a mount namespace.
"""

from __future__ import annotations

import json
import os
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

import dnslab
from certificates import authority
from mailserver.mailauth.resolver import Tlsa
from mailserver.mailauth.tlsa import record_for
from outside import debian
from outside.fixtures import IN_CI
from outside.mail import message, stored
from outside.meter import wait_until
from outside.relay import Relay, relaying
from outside.server import Account, Ours, running

pytestmark = [pytest.mark.needs(*dnslab.PROGRAMS), pytest.mark.rfc(7672, "2.2")]

#: a resolver for each process of tests, as its port is everybody's
RESOLVER, POSTFIX = f"127.5.{os.getpid() % 250}.53", "127.0.6.2"
HERE, THERE = "here.example", "there.example"
FORGED = "00ff00ff" * 8


@dataclass
class World:
    """here: where our mail begins; it leaves to one port of all hosts.  there: our other server, at that port."""

    here: Ours
    there: Ours
    postfix: Relay

    def send(self, sender: Account, recipient: str) -> None:
        with smtplib.SMTP(self.here.host, self.here.ports["submission"]) as client:
            client.login(sender.address, sender.password)
            text = message(recipient, From=sender.address, To=recipient)
            client.sendmail(sender.address, [recipient], text)

    def ended(self, recipient: str, state: str) -> dict[str, Any]:
        """The queue's row of *recipient*, once it is in *state*, with its only attempt."""

        def row() -> dict[str, Any]:
            done = self.here.cli("queue", "list", "--all", "--recipient", recipient, "--json")
            rows: list[dict[str, Any]] = json.loads(done.stdout)
            return rows[0]

        assert wait_until(lambda: row()["state"] == state, 20, 0.3), f"{row()}\n{self.here.tail()}"
        return row()

    def shown(self, recipient: str) -> str:
        """How the attempts for *recipient* are shown."""
        number = self.ended(recipient, "delivered")["id"]
        return self.here.cli("queue", "show", str(number)).stdout

    def policy(self, domain: str, *words: str) -> dict[str, Any]:
        done = self.here.cli("tls-policy", domain, "--json", *words)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def why_not() -> str:
    if reason := debian.why_not():
        return reason
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 and os.geteuid() == 0 else "no mount namespaces here"


def line(port: int, host: str, record: Tlsa, owner: str = "") -> str:
    data = record.data.hex()
    numbers = f"{record.usage} {record.selector} {record.matching}"
    return f"_{port}._tcp.{host} TLSA {numbers} {data}\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if reason := why_not():
        (pytest.fail if IN_CI else pytest.skip)(reason)
    asks = f'dns: {{servers: ["{RESOLVER}:53"], trust_ad: true}}\nlimits: {{dns: {{try_s: 1, total_s: 3}}}}\n'
    with ExitStack() as stack:
        there = stack.enter_context(running(settings=asks, count=20, domain=THERE))
        port = there.ports["smtp"]
        own = ssl.PEM_cert_to_DER_cert((there.data / "tls/certificate.pem").read_text())
        root = authority("Postfix root")
        paper = root.authority("Middle").server("mail.postfix.example")
        files = paper.files(tmp_path_factory.mktemp("tls"))
        by_root, by_own, wrong = (
            record_for(root.der, 2),
            record_for(own),
            record_for(authority().der),
        )
        at_postfix = f"@ MX 10 mail\nmail A {POSTFIX}\n"
        zones = {
            HERE: "@ A 127.0.0.1\n",
            THERE: "@ MX 10 mail\nmail A 127.0.0.1\n" + line(port, "mail", by_own),
            "postfix.example": at_postfix + line(port, "mail", by_root),
            "hosted.example": "@ MX 10 mail.postfix.example.\n",
            "wrong.example": at_postfix + line(port, "mail", wrong),
            "name.example": at_postfix + line(port, "mail", by_root),
            "unusable.example": at_postfix + line(port, "mail", by_root._replace(usage=0)),
            "forged.example": f"@ MX 20 mail\nmail A {POSTFIX}\n_{port}._tcp.mail TLSA 3 1 1 {FORGED}\n",
            "plain.example": at_postfix + line(port, "mail", wrong),
            "second.example": (
                f"@ MX 20 one\n@ MX 30 mail.{THERE}.\none A {POSTFIX}\n" + line(port, "one", wrong)
            ),
        }
        signed = set(zones) - {"plain.example"}
        stack.enter_context(
            dnslab.running(
                tmp_path_factory.mktemp("dns"), zones, signed, ["forged.example"], RESOLVER
            )
        )
        here = stack.enter_context(
            running(
                settings=f"{asks}outbound: {{port: {port}}}\n",
                count=20,
                domain=HERE,
            )
        )
        domains = sorted(set(zones) - {HERE, THERE})
        main = (
            f"smtpd_tls_cert_file = {files.certificate}\n"
            f"smtpd_tls_key_file = {files.key}\nsmtpd_tls_received_header = yes\n"
            f"relay_domains = {', '.join([*domains, THERE])}\n"
            f"transport_maps = inline:{{ {', '.join(f'{name}=discard:' for name in domains)},"
            f" {THERE}=smtp:{THERE}:{port} }}\n"
            "smtp_dns_support_level = dnssec\nsmtp_host_lookup = dns\n"
            "smtp_tls_security_level = dane\nsmtp_tls_loglevel = 1\nsmtpd_tls_loglevel = 1\n"
        )
        files.certificate.parent.chmod(0o755)
        postfix = stack.enter_context(
            relaying({}, address=POSTFIX, port=port, main=main, resolver=RESOLVER)
        )
        yield World(here, there, postfix)


def test_between_two_of_ours(world: World) -> None:
    """A self-signed certificate is as good as any with a record for its key."""
    sender, recipient = world.here.account(), world.there.account()
    world.send(sender, recipient.address)
    assert " verified (DANE-EE 3 1 1)" in world.shown(recipient.address)
    (raw,) = stored(world.there, recipient, count=1).values()
    assert b" with ESMTPS (TLSv1.3 " in raw


@pytest.mark.rfc(7672, "3.1.2")
@pytest.mark.parametrize("domain", ["postfix.example", "hosted.example"])
def test_postfix_with_an_authority_of_its_own(world: World, domain: str) -> None:
    recipient = f"bob@{domain}"
    world.send(world.here.account(), recipient)
    assert " verified (DANE-TA 2 1 1)" in world.shown(recipient)


def test_postfix_verifies_us(world: World) -> None:
    """Its word for a match with TLSA records."""
    recipient = world.there.account()
    with smtplib.SMTP(world.postfix.address, world.postfix.port) as client:
        client.sendmail("a@postfix.example", [recipient.address], message("back"))
    assert wait_until(lambda: bool(stored(world.there, recipient)), 30, 0.3), world.postfix.log
    assert f"Verified TLS connection established to mail.{THERE}" in world.postfix.log


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        ("wrong.example", "DANE: "),
        ("name.example", "DANE: the certificate is for mail.postfix.example"),
        ("forged.example", "TLSA records could not be found out"),
    ],
)
def test_who_gets_nothing(world: World, domain: str, text: str) -> None:
    recipient = f"bob@{domain}"
    world.send(world.here.account(), recipient)
    assert world.ended(recipient, "deferred")["status"] == "4.7.5"
    shown = world.here.cli("queue", "show", str(world.ended(recipient, "deferred")["id"]))
    assert text in shown.stdout
    assert recipient not in world.postfix.log


@pytest.mark.parametrize(
    ("domain", "ending"),
    [("unusable.example", "(DANE without usable records)"), ("plain.example", "")],
)
def test_who_need_not_prove_anything(world: World, domain: str, ending: str) -> None:
    recipient = f"bob@{domain}"
    world.send(world.here.account(), recipient)
    shown = world.shown(recipient)
    assert "TLSv1.3" in shown
    assert "verified" not in shown
    assert ending in shown


@pytest.mark.rfc(7672, "2.1.2")
def test_the_next_host(world: World) -> None:
    """The first proves nothing; the second is somebody else's, who takes no mail for the domain, and says so."""
    world.send(world.here.account(), "bob@second.example")
    row = world.ended("bob@second.example", "failed")
    assert row["status"].startswith("5.7.")


@pytest.mark.parametrize(
    ("domain", "tls", "connected"),
    [
        (THERE, "dane", True),
        ("postfix.example", "dane", True),
        ("wrong.example", "dane", False),
        ("unusable.example", "encrypt", True),
        ("plain.example", "may", True),
    ],
)
def test_what_is_said_beforehand(world: World, domain: str, tls: str, connected: bool) -> None:
    (host,) = world.policy(domain, "--connect")["hosts"]
    assert host["tls"] == tls
    assert (host["connected"] is not None) == connected, host
    assert ("verified" in str(host["connected"])) == (connected and tls == "dane")


def test_what_is_said_of_a_forged_answer(world: World) -> None:
    facts = world.policy("forged.example")
    assert (facts["signed"], facts["dane"]) == (True, "on")
    assert "TLSA records could not be found out" in facts["hosts"][0]["refusal"]


def test_all_of_it_is_counted(world: World) -> None:
    """Each connection, for reports to the domains (RFC 8460)."""
    from mailserver.store.report_counts import NAME, VERSION
    from mailserver.store.sidefile import reading

    def kinds() -> set[tuple[str, str, str]]:
        with reading(world.here.data / NAME, VERSION) as db:
            rows = db.rows("SELECT domain, facts FROM counted WHERE kind = 'tls'") if db else []
        return {(domain, *_kind(json.loads(facts))) for domain, facts in rows}

    wanted = {
        (THERE, "tlsa", ""),
        ("wrong.example", "tlsa", "validation-failure"),
        ("name.example", "tlsa", "certificate-host-mismatch"),
        ("unusable.example", "tlsa", "tlsa-invalid"),
        ("forged.example", "tlsa", "dnssec-invalid"),
        ("plain.example", "no-policy-found", ""),
    }
    sender = world.here.account()
    for domain, _, _ in wanted:
        world.send(sender, f"counted@{domain}")
    assert wait_until(lambda: wanted <= kinds(), 60, 0.5), kinds()


def _kind(facts: Any) -> tuple[str, str]:
    policy, failure = facts[:2] if isinstance(facts, list) else (facts["policy"], facts["failure"])
    kind = policy[1] if isinstance(policy, list) else policy["type"]
    if failure is None:
        return kind, ""
    return kind, failure[0] if isinstance(failure, list) else failure["result"]
