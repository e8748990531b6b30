"""Mail leaves by what the DNS says: Knot and Unbound on loopback, a next hop behind each address."""

from __future__ import annotations

import contextlib
import json
import smtplib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import dnslab
from misbehaving import NextHop
from outside.mail import message
from outside.meter import wait_until
from outside.server import Account, Ours, running

pytestmark = [pytest.mark.needs(*dnslab.PROGRAMS), pytest.mark.rfc(5321, "5.1")]

#: the last part of each address in 127.0.3.0/24 says who listens there: nobody at 9
ZONES = {
    "several.example": (
        "@ MX 30 third\n@ MX 20 second\n@ MX 10 first\n@ MX 10 also\n"
        "first A 127.0.3.9\nalso A 127.0.3.9\nsecond A 127.0.3.9\nsecond A 127.0.3.2\n"
        "third A 127.0.3.3\n"
    ),
    "equal.example": "@ MX 5 one\n@ MX 5 two\none A 127.0.3.4\ntwo A 127.0.3.5\n",
    "null.example": "@ MX 0 .\n@ A 127.0.3.6\n",
    "alias.example": "@ MX 10 mail\nmail CNAME real\nreal A 127.0.3.7\nwww CNAME several.example.\n",
    "six.example": "@ MX 10 mail\nmail AAAA ::1\n",
    "implicit.example": "@ A 127.0.3.8\n",
    "nowhere.example": "@ MX 10 missing\n",
    "bare.example": '@ TXT "no mail"\n',
    "bogus.example": "@ MX 10 mail\nmail A 127.0.0.61\n",
}
HOSTS = (2, 3, 4, 5, 6, 7, 8)


@dataclass
class Town:
    """Our server, and who took which recipients."""

    server: Ours
    hops: dict[str, NextHop]
    user: Account

    def send(self, *recipients: str) -> None:
        with smtplib.SMTP(self.server.host, self.server.ports["submission"]) as client:
            client.login(self.user.address, self.user.password)
            text = message("out", From=self.user.address)
            client.sendmail(self.user.address, list(recipients), text)

    def taken(self, recipient: str) -> list[str]:
        """The addresses of the hosts that took a message for *recipient*."""
        line = f"RCPT TO:<{recipient}>".encode()
        return [
            address
            for address, hop in self.hops.items()
            for message in hop.messages
            if any(rcpt.startswith(line) for rcpt in message.rcpts)
        ]

    def row(self, recipient: str) -> dict[str, Any]:
        """How the queue has it."""
        done = self.server.cli("queue", "list", "--all", "--recipient", recipient, "--json")
        found = json.loads(done.stdout)
        rows: list[dict[str, Any]] = found if isinstance(found, list) else found["recipients"]
        return rows[0]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(
            dnslab.running(
                tmp_path_factory.mktemp("dns"),
                ZONES,
                signed=("several.example", "bogus.example"),
                bogus=("bogus.example",),
            )
        )
        first = stack.enter_context(NextHop(address=f"127.0.3.{HOSTS[0]}"))
        others = [f"127.0.3.{n}" for n in HOSTS[1:]] + (["::1"] if has_ipv6() else [])
        hops = [first] + [
            stack.enter_context(NextHop(address=address, port=first.port)) for address in others
        ]
        settings = (
            f'dns: {{servers: ["127.0.0.1:{lab.resolver[1]}"]}}\n'
            f"outbound: {{port: {first.port}}}\n"
            "limits: {dns: {try_s: 1, total_s: 3}, queue: {idle_connection_s: 0.1}}\n"
        )
        server = stack.enter_context(running(settings=settings, count=2))
        yield Town(server, {hop.address: hop for hop in hops}, server.account())


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.parametrize(
    ("domain", "hosts"),
    [
        (
            "several.example",
            ["127.0.3.2"],
        ),  # the best two do not answer, nor does an address of the third
        ("www.alias.example", ["127.0.3.2"]),
        ("alias.example", ["127.0.3.7"]),
        ("implicit.example", ["127.0.3.8"]),
    ],
)
def test_who_takes_the_mail(town: Town, domain: str, hosts: list[str]) -> None:
    recipient = f"bob@{domain}"
    town.send(recipient)
    assert wait_until(lambda: bool(town.taken(recipient)), 20), town.server.tail()
    assert town.taken(recipient) == hosts


def test_only_ipv6(town: Town) -> None:
    if "::1" not in town.hops:
        pytest.skip("this machine has no IPv6")
    town.send("bob@six.example")
    assert wait_until(lambda: town.taken("bob@six.example") == ["::1"], 20), town.server.tail()


def test_equals_take_turns(town: Town) -> None:
    """Each message comes when the connection of the one before has ended."""
    for n in range(40):
        recipient = f"bob{n}@equal.example"
        town.send(recipient)
        assert wait_until(lambda who=recipient: bool(town.taken(who)), 20), town.server.tail()
        if town.hops["127.0.3.4"].messages and town.hops["127.0.3.5"].messages:
            return
        time.sleep(0.3)
    pytest.fail("forty messages went to one of two equal hosts")


@pytest.mark.parametrize(
    ("domain", "state", "status"),
    [
        pytest.param("null.example", "failed", "5.1.10", marks=pytest.mark.rfc(7505, "4.1")),
        ("missing.several.example", "failed", "5.1.2"),
        ("bare.example", "failed", "5.1.2"),
        ("nowhere.example", "failed", "5.4.4"),
        ("bogus.example", "deferred", "4.4.3"),
        (dnslab.SILENT, "deferred", "4.4.3"),
    ],
)
def test_who_takes_no_mail(town: Town, domain: str, state: str, status: str) -> None:
    recipient = f"bob@{domain}"
    town.send(recipient)
    assert wait_until(lambda: town.row(recipient)["state"] == state, 20, 0.5), town.row(recipient)
    assert town.row(recipient)["status"] == status
    assert town.taken(recipient) == []
