"""What the comparisons of two IMAP servers share: the same mail in both, and what differs of what they say."""

from __future__ import annotations

from dataclasses import dataclass

from outside.corpus import Sample
from outside.server import Account, Server
from outside.wire import Atom, Imap

Told = dict[bytes, object]


@dataclass(frozen=True, slots=True)
class Difference:
    origin: str
    item: bytes
    ours: object
    theirs: object
    raw: bytes

    def __str__(self) -> str:
        return f"{self.origin} {self.item.decode()}\n   ours   {self.ours!r:.600}\n   theirs {self.theirs!r:.600}"


def report(found: list[Difference]) -> str:
    by_item: dict[bytes, int] = {}
    for d in found:
        by_item[d.item.partition(b"[")[0]] = by_item.get(d.item.partition(b"[")[0], 0) + 1
    return f"{len(found)} differences {by_item}\n" + "\n".join(str(d) for d in found[:40])


def fill(server: Server, account: Account, samples: list[Sample]) -> Imap:
    """A session with all samples in its INBOX, in order, selected."""
    imap = Imap(server, account, timeout_s=120)
    for n, sample in enumerate(samples):
        flags = ("", "\\Seen", "\\Flagged", "\\Answered \\Seen", "\\Draft", "$Work", "\\Deleted")[
            n % 7
        ]
        imap.append(
            "INBOX", sample.raw, flags, f"{1 + n % 28:02d}-Mar-2026 {n % 24:02d}:30:00 +0000"
        )
    imap.select("INBOX")
    return imap


def folded(value: object) -> object:
    if isinstance(value, list):
        return [folded(v) for v in value]
    if isinstance(value, Atom):
        return (bytes(value).upper(),)
    return b" ".join(value.split()).lower() if isinstance(value, bytes) else value


def is_leaf(part: list[object], kind: bytes, subtype: bytes) -> bool:
    return folded(part[:2]) == [kind, subtype]


def children(part: list[object]) -> list[object]:
    """The parts of a multipart: the lists before its subtype."""
    return part[: next(n for n, value in enumerate(part) if not isinstance(value, list))]
