r"""Message flags: system flags as bits, keywords as one sorted line of text.

Spec: RFC 9051 §2.3.2.  Status: complete.
"""

from collections.abc import Iterable

SEEN = 1
ANSWERED = 2
FLAGGED = 4
DELETED = 8
DRAFT = 16
ALL = SEEN | ANSWERED | FLAGGED | DELETED | DRAFT

#: wire name of each bit, in the order FLAGS responses list them
NAMES: dict[int, str] = {
    ANSWERED: "\\Answered",
    FLAGGED: "\\Flagged",
    DELETED: "\\Deleted",
    SEEN: "\\Seen",
    DRAFT: "\\Draft",
}


def join(keywords: Iterable[str]) -> str:
    """The keywords as they are stored: sorted without regard to case, each once, parted by a space."""
    return " ".join(sorted({k.lower(): k for k in keywords}.values(), key=str.lower))


def add(stored: str, more: Iterable[str]) -> str:
    """*stored* with *more*; a keyword that is there already keeps its spelling."""
    words = {k.lower(): k for k in more}
    words.update((k.lower(), k) for k in stored.split())
    return join(words.values())


def remove(stored: str, less: Iterable[str]) -> str:
    """*stored* without *less*, whose case does not matter (RFC 9051 §2.3.2)."""
    gone = {k.lower() for k in less}
    return " ".join(k for k in stored.split() if k.lower() not in gone)
