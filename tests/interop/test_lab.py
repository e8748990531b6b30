"""The laboratory that docs/testing.md walks through: mail goes every way, and what is broken is said and mended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pytest

import dnslab
from outside import debian
from outside.fixtures import IN_CI
from outside.meter import wait_until
from outside.server import ROOT

pytestmark = [
    pytest.mark.needs(*dnslab.PROGRAMS, "swaks"),
    pytest.mark.rfc(7672, "2.2"),
    pytest.mark.rfc(8461, "5"),
]

PEOPLE = {"one": "alice@one.example", "two": "alice@two.example", "post": "bob@post.example"}


@dataclass
class Lab:
    """folder: as the program made it."""

    folder: Path

    def run(self, *words: str) -> str:
        """What a program of the laboratory says."""
        done = subprocess.run(
            [str(self.folder / words[0]), *words[1:]], capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stdout + done.stderr
        return done.stdout

    def attempts(self, server: str, recipient: str) -> str:
        """How the newest message for *recipient* is shown."""
        row = self._row(server, recipient)
        return self.run(f"{server}/mailserver", "queue", "show", str(row["id"]))

    def is_(self, server: str, recipient: str, state: str) -> bool:
        """Whether the newest message for *recipient* is in *state* soon."""
        return wait_until(lambda: self._row(server, recipient)["state"] == state, 30, 0.5)

    def _row(self, server: str, recipient: str) -> dict[str, object]:
        words = ("queue", "list", "--all", "--recipient", recipient, "--json")
        rows: list[dict[str, object]] = json.loads(self.run(f"{server}/mailserver", *words))
        return rows[-1] if rows else {"state": ""}

    def zone(self, name: str, old: str, new: str) -> None:
        """Edits a zone, and waits until nobody remembers how it was."""
        file = self.folder / f"zones/{name}.zone"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
        time.sleep(4)

    def retry(self, server: str, destination: str) -> None:
        self.run(f"{server}/mailserver", "queue", "retry", "--destination", destination)


def why_not() -> str:
    if reason := debian.why_not():
        return reason
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 and os.geteuid() == 0 else "no mount namespaces here"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if reason := why_not():
        (pytest.fail if IN_CI else pytest.skip)(reason)
    folder = Path("/tmp") / f"lab-{os.getpid()}"
    log = tmp_path_factory.mktemp("lab") / "said"
    command = [sys.executable, str(ROOT / "tests/outside/lab.py"), str(folder)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--net", f"127.12.{os.getpid() % 250}"], stdout=out, stderr=out
        )
    try:
        ready = wait_until(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, 90)
        assert ready, "it does not get ready"
        assert process.poll() is None, log.read_text()
        yield Lab(folder)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        subprocess.run(["rm", "-rf", str(folder)], check=False)


def test_all_six_ways(lab: Lab) -> None:
    for here, there in permutations(PEOPLE, 2):
        lab.run("send", here, PEOPLE[here], PEOPLE[there])
    log = lab.folder / "post/log"
    for here, there in permutations(PEOPLE, 2):
        if here == "post":
            sent = f"to=<{PEOPLE[there]}>.* status=sent"
            assert wait_until(lambda sent=sent: re.search(sent, log.read_text()), 30), there
            continue
        assert lab.is_(here, PEOPLE[there], "delivered"), (here, there)
        kind = "DANE-TA 2 1 1" if there == "post" else "DANE-EE 3 1 1"
        assert f" verified ({kind})" in lab.attempts(here, PEOPLE[there])
    for here, there in (("one", "two"), ("two", "one")):
        taken = re.search(r"Taken as (\w+)", lab.attempts(here, PEOPLE[there]))
        assert taken is not None
        said = lab.run(f"{there}/mailserver", "explain", taken[1])
        source = re.search(rf"127\.12\.\d+\.\d+ is mail\.{here}\.example", said)
        assert source is not None, said  # the address that it says mail leaves from
        for check in ("iprev", "helo", "spf", "dkim", "dmarc"):
            assert re.search(rf"check +{check}: pass", said), said
    assert log.read_text().count("Verified TLS connection established to mail.") >= 2
    inbox = lab.folder / "post/mail/inbox/new"
    assert wait_until(lambda: inbox.exists() and len(list(inbox.iterdir())) == 2, 20)


def test_policies_both_ways(lab: Lab) -> None:
    for here, there in (("one", "two"), ("two", "one")):
        lab.run("send", here, f"alice@{here}-sts.example", f"alice@{there}-sts.example")
        assert lab.is_(here, f"alice@{there}-sts.example", "delivered")
        shown = lab.attempts(here, f"alice@{there}-sts.example")
        assert " verified (MTA-STS)" in shown


def test_a_wrong_record_is_said_and_mended(lab: Lab) -> None:
    lab.zone("two.example", "TLSA 3 1 1 ", f"TLSA 3 1 1 {'0' * 64} ; ")
    lab.run("send", "one", PEOPLE["one"], "postmaster@two.example")
    assert lab.is_("one", "postmaster@two.example", "deferred")
    shown = lab.attempts("one", "postmaster@two.example")
    assert "4.7.5 TLS failed: DANE: the certificate matches none of the TLSA records" in shown
    lab.zone("two.example", f"{'0' * 64} ; ", "")
    lab.retry("one", "two.example")
    assert lab.is_("one", "postmaster@two.example", "delivered")


def test_a_bogus_zone_is_said_and_mended(lab: Lab) -> None:
    lab.zone("one.example", "", "; bogus\n")
    lab.run("send", "two", PEOPLE["two"], "postmaster@one.example")
    assert lab.is_("two", "postmaster@one.example", "deferred")
    assert "its signatures are wrong" in lab.attempts("two", "postmaster@one.example")
    lab.zone("one.example", "; bogus\n", "")
    lab.retry("two", "one.example")
    assert lab.is_("two", "postmaster@one.example", "delivered")
