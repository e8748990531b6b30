"""Many clients of every dialect on one mailbox, at the same time, over real connections to two worker processes.

What each may see is known without knowing in which order the server took their commands: a number never means another
message; what a client alone has set stays set; whoever is asked last has the truth; and whoever comes back with what he
kept at any moment has it, too.

MAILSERVER_STRESS_S: seconds that it takes, 6 by default.     MAILSERVER_STRESS_SEED: to see the same commands again.
"""

import os
import random  # noqa: TID251 - seeded, so that the same commands can be seen again
import re
import socket
import threading
import time
from collections import deque

import pytest

from imap.believer import DIALECTS, Believer, Saved, unrolled
from outside.server import Ours, running

SECONDS = float(os.environ.get("MAILSERVER_STRESS_S", "6"))
SEED = int(os.environ.get("MAILSERVER_STRESS_SEED", "0")) or random.SystemRandom().randrange(10**6)
BOX, OTHER = "Stress", "Elsewhere"
FEW, MANY = 10, 40  # messages in the mailbox, about
KEPT = 4  # states that a client could come back with


class Line:
    """A connection: octets in, what the server says up to the tagged response out."""

    def __init__(self, server: Ours) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.ports["imap"]), 30)
        self.buffer = b""
        self.past: deque[bytes] = deque(maxlen=30)
        self.until(b"* OK")
        account = server.accounts[0]
        assert b"x OK" in self(f'x LOGIN {account.address} "{account.password}"\r\n'.encode())

    def __call__(self, data: bytes) -> bytes:
        self.sock.sendall(data)
        said = self.until(b"x ")
        self.past.append(data + said)
        return said

    def until(self, start: bytes) -> bytes:
        """All lines up to the one that begins so."""
        said = b""
        while True:
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                data = self.sock.recv(65_536)
                if not data:
                    raise ConnectionError(f"closed after {said + self.buffer!r}")
                self.buffer += data
                continue
            self.buffer = rest
            said += line + b"\r\n"
            if line.startswith(start):
                return said

    def idle(self, seconds: float) -> bytes:
        self.sock.sendall(b"x IDLE\r\n")
        self.until(b"+ ")
        time.sleep(seconds)
        self.sock.sendall(b"DONE\r\n")
        said = self.until(b"x ")
        self.past.append(b"x IDLE\r\n" + said)
        return said


class Person:
    """own: for each message whether it has this client's keyword, which nobody else touches.  states: kept before."""

    def __init__(self, server: Ours, number: int) -> None:
        self.server, self.number = server, number
        self.dialect = sorted(DIALECTS)[number % len(DIALECTS)]
        self.random = random.Random(SEED * 1_000 + number)  # for tests
        self.keyword = f"k{number}"
        self.own: dict[int, bool] = {}
        self.states: list[Saved] = []
        self.commands = 0
        self.connect()
        self.believer.open()

    def connect(self) -> None:
        self.line = Line(self.server)
        self.believer = Believer(self.line, BOX, self.dialect)

    def act(self) -> None:
        """One command, or a few."""
        self.commands += 1
        believer, chance = self.believer, self.random
        if len(believer.messages) < FEW or chance.random() < 0.1:
            self.append()
            return
        if len(believer.messages) > MANY:
            self.remove()
            return
        acts = [self.mark, self.mark, self.mark_unchanged, self.touch, self.fetch, self.idle]
        acts += [self.search, self.remove, self.copy, self.reopen, self.come_back, self.changes]
        chance.choice(acts)()

    def prefix(self) -> str:
        return "UID " if self.believer.is_uid_only else ""

    def some(self) -> tuple[str, list[int | None]]:
        """A range of messages as a command names it; their UIDs as far as they are known."""
        messages = self.believer.messages
        if self.believer.is_uid_only:
            known = sorted(m.uid for m in messages if m.uid)
            if not known:
                return "", []
            chosen = self.random.sample(known, min(3, len(known)))
            return ",".join(map(str, sorted(chosen))), list(chosen)
        low = self.random.randrange(len(messages))
        high = min(low + self.random.randrange(3), len(messages) - 1)
        return f"{low + 1}:{high + 1}", [m.uid for m in messages[low : high + 1]]

    def append(self) -> None:
        said = self.believer.say(f"APPEND {BOX} ({self.keyword}) {{3+}}\r\nabc")
        uid = re.search(rb"APPENDUID \d+ (\d+)", said)
        assert uid
        self.own[int(uid[1])] = True

    def mark(self, modifier: str = "") -> None:
        named, uids = self.some()
        if named and None not in uids:
            sign = self.random.choice("+-")
            silent = self.random.choice(["", ".SILENT"])
            said = self.believer.say(
                f"{self.prefix()}STORE {named}{modifier} {sign}FLAGS{silent} ({self.keyword})"
            )
            failed = self.failed(said)
            for uid in uids:
                if uid and uid not in failed:
                    self.own[uid] = sign == "+"
            if silent:
                for message in self.believer.messages:
                    if message.uid in uids and message.uid not in failed:
                        message.flags = None  # to be seen again

    def mark_unchanged(self) -> None:
        if self.believer.has_modseq:
            self.mark(f" (UNCHANGEDSINCE {max(self.believer.highest, 1)})")

    def failed(self, said: bytes) -> set[int | None]:
        m = re.search(rb"MODIFIED ([0-9,:]+)", said)
        numbers = unrolled(m[1]) if m else []
        if self.believer.is_uid_only:
            return set(numbers)
        return {self.believer.messages[n - 1].uid for n in numbers}

    def touch(self) -> None:
        named, _ = self.some()
        if named:
            flag = self.random.choice(["\\Seen", "\\Flagged", "\\Answered"])
            sign = self.random.choice("+-")
            self.believer.say(f"{self.prefix()}STORE {named} {sign}FLAGS ({flag})")

    def fetch(self) -> None:
        named, _ = self.some()
        if named:
            self.believer.fetch(named)

    def changes(self) -> None:
        named, _ = self.some()
        if named and self.believer.has_modseq:
            self.believer.fetch(named, f" (CHANGEDSINCE {max(self.believer.highest - 5, 1)})")

    def idle(self) -> None:
        self.believer.hear(self.line.idle(self.random.random() / 10))

    def search(self) -> None:
        what = "UID SEARCH ALL" if self.believer.is_uid_only else "SEARCH 1:* NOT DELETED"
        self.believer.say(what)

    def remove(self) -> None:
        named, uids = self.some()
        if named:
            self.believer.say(f"{self.prefix()}STORE {named} +FLAGS.SILENT (\\Deleted)")
            for message in self.believer.messages:
                if message.uid in uids:
                    message.flags = None
            if self.random.random() < 0.5:
                self.believer.say("EXPUNGE")
            elif known := [uid for uid in uids if uid]:
                self.believer.say(f"UID EXPUNGE {','.join(map(str, known))}")

    def copy(self) -> None:
        named, _ = self.some()
        if named:
            verb = self.random.choice(["COPY", "COPY", "MOVE"])
            self.believer.say(f"{self.prefix()}{verb} {named} {OTHER}")

    def reopen(self) -> None:
        self.keep()
        self.believer.open()

    def keep(self) -> None:
        """What could be had on the disk if the connection broke now."""
        if self.believer.has_qresync:
            self.remember(self.believer.saved())

    def remember(self, state: Saved) -> None:
        """Keep *state*, and let go of another, old or new."""
        self.states.append(state)
        if len(self.states) > KEPT:
            self.states.pop(self.random.randrange(KEPT))

    def come_back(self) -> None:
        self.keep()
        if self.believer.has_qresync:
            saved = self.believer.saved()
            self.line.sock.close()
            self.connect()
            self.believer.resync(saved, names_uids=self.random.random() < 0.5)
            cache = self.believer.cache
            self.remember(Saved(saved.uidvalidity, self.believer.highest, cache))
            if self.believer.messages:
                self.believer.fetch("1:*")

    # when all is quiet

    def settle(self, truth: dict[int, set[str]]) -> None:
        """What it believes, and what it could come back with, is the truth."""
        self.keep()
        believer = self.believer
        believer.say("NOOP")
        believer.say("NOOP")
        assert len(believer.messages) == len(truth)
        for message in believer.messages:
            if message.uid and message.flags is not None:
                assert message.flags == truth[message.uid], message.uid
        for uid, flags in truth.items():
            if uid in self.own:
                assert (self.keyword in flags) == self.own[uid], f"UID {uid} lost {self.keyword}"
        for n, saved in enumerate(self.states):
            self.line.sock.close()
            self.connect()
            self.believer.resync(saved, names_uids=n % 2 == 0)
            for uid, flags in self.believer.cache.items():
                assert truth.get(uid) == flags, f"UID {uid} since {saved.highest}"
            assert not self.believer.earlier & set(truth)


def live(person: Person, until: float, failures: list[str]) -> None:
    try:
        while time.monotonic() < until and not failures:
            person.act()
    except BaseException as error:
        failures.append(told(person, error))


def told(person: Person, error: BaseException) -> str:
    past = b"\n".join(person.line.past).decode(errors="replace")
    return f"{person.number} ({person.dialect}), seed {SEED}: {error!r}\n{past}"


@pytest.mark.rfc(3501, "5.2", "7.3.1", "7.4.1")
@pytest.mark.rfc(7162, "3.1.3", "3.2.5.1", "3.2.10.2", "6")
@pytest.mark.rfc(9586, "3.3", "3.4")
def test_many_clients_at_the_same_time() -> None:
    settings = "limits: {imap: {expunged_kept: 20}}\n"
    with running(workers="2", settings=settings, count=1) as server:
        admin = Line(server)
        for name in (BOX, OTHER):
            assert b"x OK" in admin(f"x CREATE {name}\r\n".encode())
        for _ in range(FEW):
            admin(f"x APPEND {BOX} {{3+}}\r\nabc\r\n".encode())
        people = [Person(server, number) for number in range(2 * len(DIALECTS))]
        failures: list[str] = []
        until = time.monotonic() + SECONDS
        threads = [
            threading.Thread(target=live, args=(person, until, failures), daemon=True)
            for person in people
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]
        viewer = Believer(Line(server), BOX, "rev2")
        viewer.open()
        truth = {m.uid: m.flags for m in viewer.messages}
        for person in people:
            try:
                person.settle(truth)
            except AssertionError as error:
                raise AssertionError(told(person, error)) from error
        assert sum(person.commands for person in people) > 20 * SECONDS
        assert b"bug" not in server.log.read_bytes()
