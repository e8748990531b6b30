"""What a run may know beside the message: who sent it to whom, when, and what is remembered.

Spec: RFC 5228 §5.4; RFC 5183; RFC 5235 §3; RFC 5260 §5; RFC 5490; RFC 6134 §2; RFC 7352 §3.
Status: complete for the extensions of `extensions/`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from mailserver.sieve.scores import Scores

#: names of address books begin with this; that of the one that everybody has, empty at first (RFC 6134 §2.6)
BOOKS = "urn:ietf:params:sieve:addrbook:"
ADDRESS_BOOK = f"{BOOKS}default"

_EPOCH = datetime.fromtimestamp(0, UTC)


def _nothing_seen(handle: str, seconds: int, renews: bool) -> bool:
    return False


def _no_annotation(mailbox: str, entry: str) -> str | None:
    return None


class Lists(Protocol):
    """Lists that are kept outside of scripts; each has an absolute URI (RFC 6134 §2.5)."""

    __slots__ = ()

    def is_known(self, name: str) -> bool:
        """Whether there is such a list."""
        ...

    def find(self, name: str, values: Sequence[str]) -> str | None:
        """The member that one of *values* matches; None for none."""
        ...

    def members(self, name: str, most: int) -> Sequence[str]:
        """At most *most* of its members."""
        ...


class NoLists(Lists):
    """Where there are none but the default address book, which is empty (RFC 6134 §2.6)."""

    __slots__ = ()

    def is_known(self, name: str) -> bool:
        """Whether it is that book."""
        return name == ADDRESS_BOOK

    def find(self, name: str, values: Sequence[str]) -> str | None:
        """None."""
        return None

    def members(self, name: str, most: int) -> Sequence[str]:
        """()."""
        return ()


@dataclass(frozen=True, slots=True)
class Environment:
    """sender:     the reverse-path, "" for the null one.
    recipient:  the address as the client named it.
    now:        with the time zone that dates without one are told in.
    items:      of `environment` tests, by name in lower case (RFC 5183 §4.1).
    mailboxes:  names of the mailboxes that can be delivered into, those of others among them.
    special_uses: "\\junk" in lower case -> the names of the user's mailboxes with it.
    mailbox_ids: theirs (RFC 9042).
    separators: between the user and the detail part of a localpart (RFC 5233).
    is_duplicate: whether *handle* was seen within so many seconds; it is remembered from now on, once the delivery
                is done (RFC 7352 §3); renews: also if it was seen.
    lists:      those that `:list` asks (RFC 6134).
    scores:     where filters in front of this server say what they found (RFC 5235).
    flags:      of a message that is in a mailbox already, or that a script before has given it; None: none yet.
    has_envelope: it is being delivered: there is an envelope to ask for (RFC 6785 §4.6).
    annotation: (mailbox, "" for the server; entry in lower case) -> its value (RFC 5490); None where there is none.
    """

    sender: str = ""
    recipient: str = ""
    now: datetime = _EPOCH
    items: Mapping[str, str] = field(default_factory=dict)
    mailboxes: frozenset[str] = frozenset()
    special_uses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    mailbox_ids: frozenset[str] = frozenset()
    separators: str = "+"
    is_duplicate: Callable[[str, int, bool], bool] = _nothing_seen
    lists: Lists = field(default_factory=NoLists)
    scores: Scores = field(default_factory=Scores)
    annotation: Callable[[str, str], str | None] = _no_annotation
    flags: tuple[str, ...] | None = None
    has_envelope: bool = True
