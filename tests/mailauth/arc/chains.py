"""Chains made by us, by dkimpy and by Mail::DKIM, and what each of these says of them."""

import asyncio
import os
import subprocess
import time

import dkim

from mailauth.dkim.judges import PERL, record
from mailauth.dkim.peers import PEM, dns
from mailauth.dkim.signing import RSA, ZONE, split
from mailserver.base.limits import DkimLimits
from mailserver.mailauth.arc.seal import seal
from mailserver.mailauth.arc.verify import ArcResult, Chain
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.record import look_up

RESULTS = b"Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=example.org\r\n"


def judge(message: bytes) -> ArcResult:
    """What we say of a message sealed at any time."""
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
