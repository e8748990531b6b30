"""What clients were told, kept outside the server: the promises that a restarted server is held to."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field

SMALL, LARGE = (
    2_000,
    200_000,
)  # octets: below and above the size from which a body is a file of its own


def message(identity: str, size: int) -> bytes:
    """A message that any octet lost or changed in would show: its text follows from its X-Id."""
    seed = hashlib.sha256(identity.encode()).hexdigest()
    lines = [f"{seed[n % 32 :]}{seed[: n % 32]} {n}" for n in range(size // 70)]
    head = f"From: s@example.org\r\nTo: r@example.test\r\nSubject: {identity}\r\nX-Id: {identity} {size}\r\n\r\n"
    return (head + "\r\n".join(lines) + "\r\n").encode()


@dataclass
class Ledger:
    """Facts by identity.

    accepted: answered with 250 or OK; the recipients' addresses (SMTP) or (address, mailbox, uid) (APPEND).
    tried:    sent, but not answered before the kill.
    copied:   (address, uid in Copies) of each COPY that was answered, with the identity.
    moving:   what lies in Source or Target of an account: each exactly once, whatever was answered.
    moves:    how many messages answered MOVEs moved.
    flagged:  (address, uid) in INBOX whose \\Flagged was answered.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    accepted: dict[str, list[str]] = field(default_factory=dict)
    tried: dict[str, list[str]] = field(default_factory=dict)
    appended: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    appending: set[str] = field(default_factory=set)
    copied: dict[tuple[str, int], str] = field(default_factory=dict)
    moving: dict[str, set[str]] = field(default_factory=dict)
    moves: int = 0
    flagged: set[tuple[str, int]] = field(default_factory=set)
    seen: dict[tuple[str, str, int], str] = field(default_factory=dict)
    validity: dict[tuple[str, str], int] = field(default_factory=dict)
    verified: set[tuple[str, str, int]] = field(default_factory=set)

    def count(self) -> Counter[str]:
        return Counter(
            accepted=len(self.accepted),
            appended=len(self.appended),
            copied=len(self.copied),
            moved=self.moves,
            flagged=len(self.flagged),
            unknown=len(self.tried) + len(self.appending),
        )
