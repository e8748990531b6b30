"""MTA-STS as a running server obeys it: a record in the DNS, a policy over HTTPS, a host with a certificate or without.

The web server listens at port 443 of a loopback address, so it needs root.
"""

from __future__ import annotations

import json
import os
import smtplib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

import dnslab
from certificates import authority, self_signed
from mailserver.mailauth.mta_sts import Mode, own
from mailserver.net.tls import ServerTls
from misbehaving import NextHop
from outside.mail import message
from outside.meter import wait_until
from outside.server import Ours, running
from webserver import WebServer, page

pytestmark = [pytest.mark.needs(*dnslab.PROGRAMS), pytest.mark.rfc(8461, "3.3", "5")]

WEB = f"127.7.{os.getpid() % 250}.43"
#: each domain: its mode, the hosts of its policy, which certificate its host has, and what becomes of its mail
DOMAINS = {
    "good.example": (Mode.ENFORCE, "mail.good.example", "trusted", "delivered"),
    "wild.example": (Mode.ENFORCE, "*.wild.example", "trusted", "delivered"),
    "moved.example": (Mode.ENFORCE, "other.moved.example", "trusted", "deferred"),
    "selfsigned.example": (Mode.ENFORCE, "mail.selfsigned.example", "own", "deferred"),
    "stripped.example": (Mode.ENFORCE, "mail.stripped.example", "none", "deferred"),
    "trial.example": (Mode.TESTING, "mail.trial.example", "own", "delivered"),
    "unfetched.example": (None, "", "own", "delivered"),
    "kept.example": (Mode.ENFORCE, "other.kept.example", "trusted", "deferred"),
}
KEPT = "kept.example"  #: a test of its own: a destination that got nothing rests for a while
HOSTS = {"trusted": "127.0.7.2", "own": "127.0.7.3", "none": "127.0.7.4"}


@dataclass
class World:
    server: Ours
    hops: dict[str, NextHop]
    web: WebServer

    def send(self, recipient: str) -> None:
        sender = self.server.accounts[0]
        with smtplib.SMTP(self.server.host, self.server.ports["submission"]) as client:
            client.login(sender.address, sender.password)
            text = message(recipient, From=sender.address, To=recipient)
            client.sendmail(sender.address, [recipient], text)

    def row(self, recipient: str) -> dict[str, Any]:
        done = self.server.cli("queue", "list", "--all", "--recipient", recipient, "--json")
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows[0]

    def ended(self, recipient: str, state: str) -> str:
        """Its attempts as they are shown, once it is in *state*."""
        assert wait_until(lambda: self.row(recipient)["state"] == state, 30, 0.3), (
            self.row(recipient),
            self.server.tail(),
        )
        return self.server.cli("queue", "show", str(self.row(recipient)["id"])).stdout


def _served(request: bytes) -> bytes:
    """The policy of the domain that is asked for; a domain without one has a broken web server."""
    name = request.partition(b"Host: mta-sts.")[2].partition(b"\r\n")[0].decode()
    mode, mx, _, _ = DOMAINS[name]
    return page(200, str(own(mode, [mx])).encode()) if mode is not None else page(503, b"")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if os.geteuid() != 0:
        pytest.skip("port 443 needs root")
    folder = tmp_path_factory.mktemp("tls")
    root = authority("Everybody's root")
    (folder / "root.pem").write_bytes(root.pem)
    names = [f"mta-sts.{name}" for name in DOMAINS]
    trusted = root.server(*(f"mail.{name}" for name in DOMAINS)).files(folder, "trusted")
    contexts = {
        "trusted": ServerTls(trusted).context,
        "own": ServerTls(self_signed("mail.example").files(folder, "own")).context,
        "none": None,
    }
    zones = {
        name: f'@ MX 10 mail\nmail A {HOSTS[kind]}\nmta-sts A {WEB}\n_mta-sts TXT "v=STSv1; id=1;"\n'
        for name, (_, _, kind, _) in DOMAINS.items()
    }
    with ExitStack() as stack:
        lab = stack.enter_context(
            dnslab.running(tmp_path_factory.mktemp("dns"), zones, signed=(), bogus=())
        )
        web_tls = ServerTls(root.server(*names).files(folder, "web")).context
        web = stack.enter_context(WebServer(web_tls, _served, address=WEB, port=443))
        hops: dict[str, NextHop] = {}
        port = 0
        for kind, address in HOSTS.items():
            hop = NextHop(tls=contexts[kind], address=address, port=port)
            hops[kind] = stack.enter_context(hop)
            port = hop.port
        settings = (
            f'dns: {{servers: ["127.0.0.1:{lab.resolver[1]}"]}}\n'
            f"outbound: {{port: {port}, authorities: {folder}/root.pem, "
            f'web_networks: ["127.0.0.0/8"]}}\n'
            "limits: {dns: {try_s: 1, total_s: 3}, mta_sts: {fetch_s: 5}}\n"
        )
        server = stack.enter_context(running(settings=settings, count=2))
        yield World(server, hops, web)


@pytest.mark.parametrize("domain", [name for name in DOMAINS if name != KEPT])
def test_what_becomes_of_mail(world: World, domain: str) -> None:
    mode, _, kind, state = DOMAINS[domain]
    recipient = f"bob@{domain}"
    world.send(recipient)
    shown = world.ended(recipient, state)
    verified = mode is Mode.ENFORCE and state == "delivered"
    assert ("verified (MTA-STS)" in shown) == verified
    taken = [m for m in world.hops[kind].messages if recipient.encode() in m.rcpts[0]]
    assert len(taken) == (state == "delivered")
    assert all(message.is_tls for message in taken)
    facts = json.loads(world.server.cli("tls-policy", domain, "--json").stdout)
    assert facts["mta_sts"]["mode"] == mode
    assert facts["mta_sts"]["failure"] == ("" if mode else "sts-policy-fetch-error")


@pytest.mark.rfc(8461, "5.1")
def test_policies_stay(world: World) -> None:
    """Over a restart, and while the web server says nothing any more."""
    for name in ("good.example", KEPT):
        world.send(f"before@{name}")
        world.ended(f"before@{name}", DOMAINS[name][3])
    world.server.stop()
    world.server.start()
    kept = {
        row["domain"] for row in json.loads(world.server.cli("mta-sts", "kept", "--json").stdout)
    }
    assert {"good.example", KEPT} <= kept
    asked = len(world.web.requests)
    world.send("after@good.example")
    assert "verified (MTA-STS)" in world.ended("after@good.example", "delivered")
    tried = world.row(f"before@{KEPT}")["attempts"]
    world.server.cli("queue", "retry", "--destination", KEPT)

    def is_tried_again() -> bool:
        return bool(world.row(f"before@{KEPT}")["attempts"] > tried)

    assert wait_until(is_tried_again, 20, 0.3), world.server.tail()
    assert world.row(f"before@{KEPT}")["status"] == "4.7.5"
    assert len(world.web.requests) == asked
