"""Servers that our mail goes to and that mean no good: they hold up neither other mail nor anybody here.

Spec: RFC 5321 §4.5.3.2, §4.5.4.1.
"""

from __future__ import annotations

import json
import smtplib
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from hostile.neighbour import beside, besieged
from misbehaving import RESET, SILENCE, NextHop, Slow
from outside.mail import big, message
from outside.meter import wait_until
from outside.server import Ours

#: what one of them does
MISDEEDS: dict[str, Mapping[str, object]] = {
    "never greets": {"GREETING": SILENCE},
    "greets for ever": {"GREETING": b"220-still here\r\n" * 400_000},
    "greets octet by octet": {"GREETING": Slow(0.3, octets=True)},
    "one endless line": {"EHLO": b"250-" + b"x" * 8_000_000},
    "many extensions": {"EHLO": "250 " + "\n".join(f"X-{n}" for n in range(4_000))},
    "garbage": {"MAIL": bytes(range(256)) * 2_000},
    "resets": {"RCPT": RESET},
    "takes nothing": {"BODY": SILENCE},
    "never says that it has it": {"END": SILENCE},
    "talks all the time": {"DATA": b"354 go\r\n" + b"250 ok\r\n" * 100_000},
    "will not let us go": {"QUIT": SILENCE},
}
RECIPIENTS = 6  #: at each
SETTINGS = (
    "limits:\n"
    "  smtp: {idle_commands: 1000000, error_delay_s: 0.05}\n"
    "  imap: {auth_delay_s: 0.05}\n"
    "  outbound: {greeting_s: 3, command_s: 3, data_s: 3, block_s: 3, end_s: 3}\n"
)
#: its hops take their time, and so do the tests beside this one
SOON_S = 15.0


@dataclass
class World:
    """Our server, one good server, and the bad ones."""

    ours: Ours
    good: NextHop
    bad: list[NextHop]


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        ours = stack.enter_context(besieged(SETTINGS, count=3))
        good = stack.enter_context(NextHop())
        bad = [stack.enter_context(NextHop(misdeed)) for misdeed in MISDEEDS.values()]
        ours.cli("route", "add", "good.example", f"smtp:127.0.0.1:{good.port}")
        for n, hop in enumerate(bad):
            ours.cli("route", "add", f"bad{n}.example", f"smtp:127.0.0.1:{hop.port}")
        yield World(ours, good, bad)


def test_bad_next_hops_hold_up_nobody(world: World) -> None:
    ours, good = world.ours, world.good
    user = ours.account()
    large = big("large", 3_000_000).replace(b"sender@example.org", user.address.encode())
    with beside(ours), smtplib.SMTP(ours.host, ours.ports["submission"]) as client:
        client.login(user.address, user.password)
        for m in range(RECIPIENTS):
            everywhere = [f"bob{m}@bad{n}.example" for n in range(len(world.bad))]
            client.sendmail(user.address, everywhere, large)
        assert wait_until(lambda: all(hop.connections for hop in world.bad), SOON_S)
        for n in range(20):
            text = message(f"good {n}", From=user.address)
            client.sendmail(user.address, [f"a{n}@good.example"], text)
            assert wait_until(lambda n=n: len(good.messages) > n, SOON_S), ours.tail()
        time.sleep(4)  # until our patience with the bad ones has ended
    done = ours.cli("queue", "list", "--domain", "bad*.example", "--limit", "500", "--json")
    rows = json.loads(done.stdout)
    states = {row["state"] for row in (rows if isinstance(rows, list) else rows["recipients"])}
    assert states <= {"deferred", "pending", "claimed"}
    assert "deferred" in states
