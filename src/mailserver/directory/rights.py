"""Rights to a mailbox: letters, and what a list of them amounts to for one account.

Spec: RFC 4314 §2, §2.1, §2.1.1, §3.1.  Status: complete.

All rules about rights stand here, as functions of values; where the lists are kept is the business of the store, and
what each command needs stands with the command.
"""

from collections.abc import Iterable
from typing import NamedTuple

from mailserver.base.errors import PeerError

#: every right there is, in the order they are told (RFC 4314 §2.1)
ALL = "lrswipkxtea"
#: rights of RFC 2086 that others are part of (RFC 4314 §2.1.1); DELETE needed the right "c" in most old servers
VIRTUAL = {"c": "kx", "d": "te"}
#: what is told of RFC 4314's own rights in CAPABILITY (RFC 4314 §2.2, §5.1.1)
NEW = "kxte"


class Entry(NamedTuple):
    """A line of an access control list that applies to somebody.  is_negative: it takes *rights* away."""

    rights: str
    is_negative: bool = False


def read(text: str) -> str:
    """The rights that *text* lists, in the order of ALL; "c" and "d" stand for their members (RFC 4314 §2.1.1).

    Raises PeerError for any other letter (RFC 4314 §3.1).
    """
    named = set(text)
    for virtual, members in VIRTUAL.items():
        if virtual in named:
            named.remove(virtual)
            named.update(members)
    if unknown := named - set(ALL):
        raise PeerError(f"there is no right {min(unknown)!r}")
    return ordered(named)


def shown(rights: str) -> str:
    """*rights* as responses tell them: with "c" and "d" where a member is among them (RFC 4314 §2.1.1)."""
    return rights + "".join(v for v, members in VIRTUAL.items() if set(members) & set(rights))


def ordered(rights: Iterable[str]) -> str:
    """*rights*, each once, in the order of ALL; what is none drops out."""
    have = set(rights)
    return "".join(right for right in ALL if right in have)


def modified(rights: str, modification: str) -> str:
    """*rights* after SETACL with "+letters", "-letters" or "letters" (RFC 4314 §3.1).  Raises PeerError."""
    sign, letters = modification[:1], modification[1:]
    if sign == "+":
        return ordered({*rights, *read(letters)})
    if sign == "-":
        return ordered(set(rights) - set(read(letters)))
    return read(modification)


def effective(entries: Iterable[Entry]) -> str:
    """What somebody may do whom *entries* apply to: all that is given, without all that is taken away (RFC 4314 §2)."""
    given: set[str] = set()
    taken: set[str] = set()
    for entry in entries:
        (taken if entry.is_negative else given).update(entry.rights)
    return ordered(given - taken)
