"""Clients that work until the server is gone, and write every promise they get into the ledger."""

from __future__ import annotations

import random  # noqa: TID251 - seeded, so that a failing round can be repeated
import threading
from collections.abc import Callable

from crash.ledger import LARGE, SMALL, Ledger, message
from outside.server import Account, Ours
from outside.wire import Gone, Imap, Refused, Smtp, dotted


class Crowd:
    """All clients of one round. problems: what no kill explains."""

    def __init__(self, server: Ours, ledger: Ledger, turn: int) -> None:
        self.server, self.ledger, self.turn = server, ledger, turn
        self.problems: list[str] = []
        self.over = threading.Event()
        a, b, c = server.accounts[:3]
        jobs = [
            lambda: self.sends("s1", [a.address]),
            lambda: self.sends("s2", [a.address, b.address]),
            lambda: self.sends("s3", [b.address]),
            lambda: self.appends("a1", a),
            lambda: self.appends("a2", c),
            lambda: self.copies(a),
            lambda: self.moves(c),
            lambda: self.flags(b),
        ]
        self.threads = [
            threading.Thread(target=self._until_gone, args=(job,), daemon=True) for job in jobs
        ]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), "a client hangs after the server was killed"

    def _until_gone(self, job: Callable[[], None]) -> None:
        try:
            job()
        except (OSError, Gone):
            pass
        except (Refused, AssertionError, KeyError, ValueError) as problem:
            self.problems.append(repr(problem))

    def sends(self, name: str, recipients: list[str]) -> None:
        while not self.over.is_set():
            with Smtp(self.server) as smtp:
                smtp.hello()
                for n in range(40):
                    identity = f"{name}-{self.turn}-{n}-{id(smtp):x}"
                    smtp.envelope(recipients)
                    with self.ledger.lock:
                        self.ledger.tried[identity] = recipients
                    smtp.ok(dotted(message(identity, LARGE if n % 5 == 4 else SMALL)))
                    with self.ledger.lock:
                        self.ledger.accepted[identity] = self.ledger.tried.pop(identity)

    def appends(self, name: str, account: Account) -> None:
        with Imap(self.server, account) as imap:
            for n in range(100_000):
                identity = f"{name}-{self.turn}-{n}"
                with self.ledger.lock:
                    self.ledger.appending.add(identity)
                said = imap.append("INBOX", message(identity, LARGE if n % 4 == 3 else SMALL))
                assert said is not None, "APPEND without APPENDUID"
                with self.ledger.lock:
                    self.ledger.appending.discard(identity)
                    self.ledger.appended[identity] = (account.address, *said)

    def copies(self, account: Account) -> None:
        dice = random.Random(self.turn)
        with Imap(self.server, account) as imap:
            imap.do("CREATE Copies")
            while True:
                imap.select("INBOX")
                names = identities(imap)
                if not names:
                    continue
                chosen = sorted(dice.sample(sorted(names), min(len(names), 10)))
                reply = imap.ok(f"UID COPY {','.join(map(str, chosen))} Copies")
                for source, target in uid_pairs(reply.code("COPYUID")):
                    with self.ledger.lock:
                        self.ledger.copied[account.address, target] = names[source]

    def moves(self, account: Account) -> None:
        """Messages wander between two mailboxes, a few at a time."""
        dice = random.Random(self.turn)
        with Imap(self.server, account) as imap:
            for name in ("Source", "Target"):
                imap.do(f"CREATE {name}")
            if account.address not in self.ledger.moving:
                for n in range(60):
                    identity = f"m-{self.turn}-{n}"
                    imap.append("Source", message(identity, LARGE if n % 10 == 0 else SMALL))
                    with self.ledger.lock:
                        self.ledger.moving.setdefault(account.address, set()).add(identity)
            while True:
                for here, there in (("Source", "Target"), ("Target", "Source")):
                    imap.select(here)
                    names = identities(imap)
                    if not names:
                        continue
                    chosen = sorted(
                        dice.sample(sorted(names), min(len(names), 1 + dice.randrange(20)))
                    )
                    reply = imap.ok(f"UID MOVE {','.join(map(str, chosen))} {there}")
                    assert len(uid_pairs(reply.code("COPYUID"))) == len(chosen)
                    with self.ledger.lock:
                        self.ledger.moves += len(chosen)

    def flags(self, account: Account) -> None:
        with Imap(self.server, account) as imap:
            while True:
                imap.select("INBOX")
                for uid in imap.search("UNFLAGGED", uid=True)[:20]:
                    imap.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Flagged)")
                    with self.ledger.lock:
                        self.ledger.flagged.add((account.address, uid))


def identities(imap: Imap) -> dict[int, str]:
    """UID to the "identity size" of each message in the selected mailbox."""
    found = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (X-Id)])")
    names = {}
    for uid, values in found.items():
        (field,) = [v for k, v in values.items() if k.startswith(b"BODY[HEADER.FIELDS")]
        assert isinstance(field, bytes)
        names[uid] = field.decode().removeprefix("X-Id:").strip()
    return names


def uid_pairs(code: bytes | None) -> list[tuple[int, int]]:
    """(source, target) of a COPYUID response code."""
    assert code is not None, "no COPYUID"
    _, sources, targets = code.split()
    return list(zip(numbers(sources), numbers(targets), strict=True))


def numbers(text: bytes) -> list[int]:
    found: list[int] = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found
