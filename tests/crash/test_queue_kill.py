"""kill -9 while mail leaves: what was accepted is delivered, bounced or in the queue, and a bounce comes once.

Twice is delivered only what a next hop had taken when the server died before it could write that down (RFC 5321 §6.1).
Three rounds by default; MAILSERVER_TESTS=full makes it 20.
"""

from __future__ import annotations

import json
import os
import random  # noqa: TID251 - seeded: the moments of the kills are the same each time
import re
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from misbehaving import NextHop, Slow
from outside.meter import tree, wait_until
from outside.server import Account, Ours
from outside.wire import Gone, Imap, Refused, Smtp, dotted

IN_THE_WINDOW = 40  #: connections, and results that wait for their commit, at the moment of a kill

SETTINGS = """
outbound: {{smarthost: "127.0.0.1:{port}"}}
limits:
  queue: {{retry_first_s: 1, retry_longest_s: 2, back_off_first_s: 1, back_off_longest_s: 2, warn_after_s: 3600}}
"""


class Hop:
    """A next hop that now and then asks to come again, and knows some recipients to be nobody."""

    def __init__(self) -> None:
        self.seen: Counter[bytes] = Counter()
        self.mails = 0
        self.hop = NextHop({"RCPT": self._rcpt, "MAIL": self._mail})

    def _rcpt(self, _: NextHop, line: bytes) -> str | None:
        self.seen[line] += 1
        if b"nobody-" in line:
            return "550 5.1.1 No such user"
        if sum(line) % 5 == 0 and self.seen[line] == 1:
            return "450 4.2.0 Come again"
        return None

    def _mail(self, _: NextHop, line: bytes) -> str | None:
        self.mails += 1
        return "421 4.3.2 Restarting" if self.mails % 97 == 0 else None

    def received(self) -> Counter[str]:
        """How often each recipient got its message."""
        found: Counter[str] = Counter()
        for message in list(self.hop.unanswered):
            identity = re.search(rb"^X-Id: (\S+)", message.content, re.M)
            assert identity, "a message without its header"
            assert message.content.endswith(b"last line of %s\r\n" % identity[1]), "half a message"
            for rcpt in message.rcpts:
                found[rcpt.decode().partition("<")[2].partition("@")[0]] += 1
        return found


class Senders:
    """Users who send until the server is gone. accepted: the recipients of what was answered with 250."""

    def __init__(self, server: Ours) -> None:
        self.server = server
        self.accepted: dict[str, Account] = {}
        self.lock = threading.Lock()
        self.problems: list[str] = []

    def start(self, turn: int) -> list[threading.Thread]:
        threads = [
            threading.Thread(target=self._send, args=(account, f"t{turn}-{n}"), daemon=True)
            for n, account in enumerate(self.server.accounts[:4])
        ]
        for thread in threads:
            thread.start()
        return threads

    def _send(self, account: Account, name: str) -> None:
        try:
            with Smtp(self.server, "submission") as smtp:
                smtp.hello()
                smtp.login(account)
                for n in range(100_000):
                    identity = f"{name}-{n}"
                    to = [identity]
                    if n % 7 == 3:
                        to.append(f"nobody-{identity}")
                    if n % 11 == 5:
                        to = [f"nobody-{identity}"]
                    body = "filler\r\n" * (20_000 if n % 13 == 12 else 20)
                    raw = (
                        f"From: {account.address}\r\nTo: x@elsewhere.test\r\nSubject: {identity}\r\n"
                        f"X-Id: {identity}\r\n\r\n{body}last line of {identity}\r\n"
                    ).encode()
                    smtp.envelope([f"{t}@elsewhere.test" for t in to], account.address)
                    smtp.ok(dotted(raw))
                    with self.lock:
                        self.accepted.update(dict.fromkeys(to, account))
        except (OSError, Gone):
            pass
        except (Refused, AssertionError, ValueError) as problem:
            self.problems.append(repr(problem))


def check_queue(server: Ours) -> None:
    """Nothing in the tables contradicts anything else, whatever moment the kill came."""
    with closing(sqlite3.connect(server.data / "mailserver.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        open_ = "('pending', 'claimed', 'deferred', 'held')"
        assert not db.execute(
            f"SELECT q.id FROM queued q WHERE q.open <> (SELECT count(*) FROM queued_recipient r"
            f" WHERE r.queued_id = q.id AND r.state IN {open_})"
        ).fetchall()
        assert not db.execute(
            "SELECT id FROM queued WHERE open > 0 AND blob_id NOT IN (SELECT id FROM blob)"
        ).fetchall()
        assert not db.execute(
            "SELECT id FROM blob WHERE id NOT IN (SELECT blob_id FROM message)"
            " AND id NOT IN (SELECT blob_id FROM queued WHERE blob_id IS NOT NULL)"
        ).fetchall()
        for (path,) in db.execute("SELECT path FROM blob WHERE path IS NOT NULL"):
            assert (server.data / "blobs" / path).exists()


def states(server: Ours) -> dict[str, str]:
    """Recipient to its state."""
    with closing(sqlite3.connect(server.data / "mailserver.db")) as db:
        rows = db.execute("SELECT address, state FROM queued_recipient").fetchall()
    return {address.partition("@")[0]: state for address, state in rows}


def bounces(server: Ours, account: Account) -> Counter[str]:
    """How often each recipient is named as failed in the notices of *account*."""
    found: Counter[str] = Counter()
    with Imap(server, account, timeout_s=120) as imap:
        if imap.select("INBOX").number("EXISTS"):
            for values in imap.fetch("1:*", "(BODY.PEEK[])").values():
                raw = values[b"BODY[]"]
                assert isinstance(raw, bytes)
                assert b"Action: failed" in raw
                found.update(
                    name.decode()
                    for name in re.findall(
                        rb"^Final-Recipient: rfc822; ?([^@\s]+)@", raw, re.M | re.I
                    )
                )
    return found


@pytest.mark.rfc(5321, "6.1")
@pytest.mark.parametrize("workers", ["1", "2"], ids=["one worker", "two workers"])
def test_accepted_is_delivered_bounced_or_queued(
    workers: str, full: Callable[[int, int], int]
) -> None:
    dice, hop, rounds = random.Random(7), Hop(), full(3, 20)
    with hop.hop:
        server = Ours(workers=workers, settings=SETTINGS.format(port=hop.hop.port), count=4)
        try:
            server.create()
            senders = Senders(server)
            for turn in range(rounds):
                server.start()
                threads = senders.start(turn)
                time.sleep(1.0 + dice.random())
                everyone = tree(server.roots())
                server.kill()
                for thread in threads:
                    thread.join(30)
                assert not senders.problems, f"{senders.problems[:3]}\n{server.tail()}"
                assert wait_until(
                    lambda all_=everyone: not any(Path(f"/proc/{p}").exists() for p in all_), 5
                )
                check_queue(server)
                now = states(server)
                assert set(senders.accepted) <= set(now), "accepted, and not in the queue's books"
            server.start()
            final = {"delivered", "failed"}
            assert wait_until(lambda: set(states(server).values()) <= final, 120), Counter(
                states(server).values()
            )
            told: Counter[str] = Counter()
            for account in server.accounts[:4]:
                told += bounces(server, account)
            assert server.stop() == 0
            check_queue(server)
        finally:
            server.discard()
    received = hop.received()
    for identity in senders.accepted:
        if identity.startswith("nobody-"):
            assert told[identity] == 1, f"{identity}: {told[identity]} notices"
            assert not received[identity]
        else:
            assert received[identity], f"{identity} was accepted and never arrived"
            assert not told[identity]
    assert max(told.values(), default=0) <= 1, "a notice came twice"
    twice = sum(count - 1 for count in received.values())
    print(
        f"{rounds} kills: {len(senders.accepted)} accepted, {sum(told.values())} bounced, {twice} twice"
    )
    assert len(senders.accepted) > 20 * rounds, "too little happened to prove anything"
    assert sum(told.values()) > 2 * rounds
    assert twice <= IN_THE_WINDOW * rounds


def test_another_worker_goes_on_with_the_queue() -> None:
    """The leader dies in the middle of its connections: what it had claimed is sent by the next one."""
    hop = NextHop({"END": Slow(0.3)})
    with hop:
        server = Ours(workers="2", settings=SETTINGS.format(port=hop.port), count=4)
        try:
            server.create()
            server.start()
            account = server.accounts[0]
            with Smtp(server, "submission") as smtp:
                smtp.hello()
                smtp.login(account)
                for n in range(60):
                    smtp.send([f"r{n}@elsewhere.test"], mail(account, f"k-{n}"), account.address)
            assert wait_until(lambda: len(hop.messages) > 5, 20)
            leader = leaders(server)[-1]
            os.kill(leader, signal.SIGKILL)
            assert wait_until(lambda: set(states(server).values()) == {"delivered"}, 60), states(
                server
            )
            assert leaders(server)[-1] != leader
            assert server.stop() == 0
        finally:
            server.discard()
    received = Counter(rcpt for message in hop.unanswered for rcpt in message.rcpts)
    assert len(received) == 60
    assert sum(received.values()) <= 60 + IN_THE_WINDOW


def leaders(server: Ours) -> list[int]:
    """The processes that began to lead, in their order."""
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if "leading" in line]
    return [line["pid"] for line in lines if line["event"] == "leading"]


def mail(account: Account, identity: str) -> bytes:
    return (
        f"From: {account.address}\r\nTo: x@elsewhere.test\r\nSubject: {identity}\r\n"
        f"X-Id: {identity}\r\n\r\nlast line of {identity}\r\n"
    ).encode()
