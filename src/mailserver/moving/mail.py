"""What is moved: mailboxes with their names, messages with all that is known of them.

Status: complete.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mailserver.base.errors import MailError

PIECE = 262_144  #: octets of a message that are in memory at a time


class Unreadable(MailError):
    """A message cannot be read where it is; the text says why.  It is left out, the others are not."""


class Box(NamedTuple):
    """A mailbox.

    name:        here: NFC, "/" between levels.        folder:  what its source calls it.
    uidvalidity: 0 where UIDs mean nothing.            uidnext: 0 where nothing is known of it.
    """

    name: str
    folder: str
    uidvalidity: int = 0
    uidnext: int = 0
    special_use: str | None = None
    is_subscribed: bool = False


@dataclass(frozen=True, slots=True)
class Mail:
    r"""A message.

    key:         names it in its mailbox for good, whatever else comes and goes.
    label:       what to call it in a line about it.
    flags:       bits of `store.flags`.                 internal_at: UTC epoch seconds.
    uid:         0 where it has none.
    octets:      gives it from its beginning, in pieces, with CRLF at the ends of lines.  Raises Unreadable.
    """

    key: int
    label: str
    flags: int
    keywords: tuple[str, ...]
    internal_at: int
    uid: int
    octets: Callable[[], Iterator[bytes]]


class Source(Protocol):
    """Where mail comes from.  name: the same each time, so that what has come is known again."""

    name: str

    def boxes(self) -> Iterable[Box]:
        """All mailboxes, superior ones first."""
        ...

    def mail(self, box: Box, done: set[int]) -> Iterator[Mail]:
        """The messages of *box* whose keys are not in *done*, UIDs ascending where they have any."""
        ...
