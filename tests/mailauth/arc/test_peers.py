"""Chains of which some links are ours and some are dkimpy's or Mail::DKIM's, judged by all of them."""

import asyncio
import itertools
import os
import re
import subprocess
import time

import dkim
import pytest

from mailauth.dkim.peers import PEM, corpus, dns
from mailauth.dkim.signing import RSA, ZONE, signed, split
from mailauth.dkim.test_peers import PERL, record
from mailserver.base.limits import DkimLimits
from mailserver.mailauth.arc.seal import seal
from mailserver.mailauth.arc.verify import ArcResult, Chain
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.record import look_up

RESULTS = b"Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=example.org\r\n"


def judge(message: bytes) -> ArcResult:
    header, body = split(message)
    read = Message(header)
    chain = Chain(read, now=int(time.time()))
    read.feed(body)
    return chain.result({n: asyncio.run(look_up(ZONE, n, DkimLimits())) for n in chain.names})


class Peers:
    """Who seals, and who judges."""

    def __init__(self, home) -> None:
        self._home = home
        (home / "keys").write_text(dns())
        (home / "private.pem").write_bytes(PEM)
        (home / "private.pem").chmod(0o600)

    def ours(self, message: bytes) -> bytes:
        header, body = split(message)
        text = {"authserv_id": "mx.example.org", "results_text": "spf=pass"}
        now = int(time.time())
        return seal(header, [body], RSA, chain=judge(message), now=now, **text) + message

    def dkimpy(self, message: bytes) -> bytes:
        fields = dkim.arc_sign(message, b"rsa", b"example.org", PEM, b"mx.example.org")
        return b"".join(fields) + message

    def perl(self, message: bytes) -> bytes:
        chain = judge(message).result
        file = self._home / "message.eml"
        file.write_bytes(message)
        keys = {"DOMAIN": "example.org", "SELECTOR": "rsa", "SRVID": "mx.example.org"}
        assert self.run("seal", CHAIN=chain, **keys) == "done"
        return file.read_bytes()

    def say(self, message: bytes) -> tuple[str, str, str]:
        """The results of all three."""
        (self._home / "message.eml").write_bytes(message)
        result, _, _ = dkim.arc_verify(message, dnsfunc=record)
        return judge(message).result, result.decode(), self.run("arc").split(" ")[0]

    def run(self, task: str, **rest: str) -> str:
        done = subprocess.run(
            ["perl", PERL, task, self._home / "keys", self._home / "message.eml"],
            env={**os.environ, "KEYFILE": str(self._home / "private.pem"), **rest},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    return Peers(tmp_path_factory.mktemp("arc"))


@pytest.mark.needs("dkimproxy-verify")
@pytest.mark.rfc(8617, "5.1", "5.2")
@pytest.mark.parametrize("who", itertools.product(["ours", "dkimpy", "perl"], repeat=2))
def test_chains_of_two(peers, who):
    message = signed(corpus()[25])
    for name in who:  # the others take what was found about the chain from this field
        found = b"arc=%b" % judge(message).result.encode()
        message = re.sub(rb"(?m)^Authentication-Results:[^\n]*\n", b"", message)
        message = RESULTS.replace(b"spf=pass", found + b"; spf=pass") + message
        message = getattr(peers, name)(message)
    assert peers.say(message) == ("pass", "pass", "pass")
    assert judge(message).instance == 2


@pytest.mark.needs("dkimproxy-verify")
@pytest.mark.rfc(8617, "5.2")
@pytest.mark.parametrize(
    "change",
    [
        lambda m: m + b"more\r\n",
        lambda m: m.replace(b"spf=pass", b"spf=fail", 1),
        lambda m: m.replace(b"i=2; a=rsa", b"i=3; a=rsa", 1),
        lambda m: m.replace(b"cv=pass", b"cv=none", 1),
        lambda m: m.replace(b"cv=none", b"cv=pass"),
        lambda m: m.replace(b"ARC-Seal: i=1", b"X-Seal: i=1"),
        lambda m: m.replace(b"ARC-Authentication-Results: i=1", b"X-Results: i=1"),
        lambda m: m.replace(b"s=rsa", b"s=gone", 1),
        lambda m: m.replace(b"From: Alice", b"From: Eve"),
    ],
)
def test_broken_chains(peers, change):
    message = peers.ours(peers.ours(RESULTS + corpus()[3]))
    assert peers.say(message) == ("pass", "pass", "pass")
    broken = change(message)
    assert broken != message
    ours, dkimpy, perl = peers.say(broken)
    assert ours == "fail"
    assert dkimpy == "fail"
    assert perl != "pass"


@pytest.mark.needs("dkimproxy-verify")
@pytest.mark.rfc(8617, "5.2")
def test_a_message_that_was_changed_between_two_seals(peers):
    message = peers.ours(RESULTS + corpus()[3]) + b"-- \r\nthe list\r\n"
    header, body = split(message)
    text = {"authserv_id": "list.example.org", "results_text": "arc=pass"}
    before = judge(message.removesuffix(b"-- \r\nthe list\r\n"))
    message = seal(header, [body], RSA, chain=before, now=int(time.time()), **text) + message
    assert peers.say(message) == ("pass", "pass", "pass")
