r"""Flags as a search asks for them: of each set of flags in use once, however many messages have it.

Spec: RFC 3501 §2.3.2, §6.4.4.  Status: complete.
"""

import sys
from array import array
from collections.abc import Callable
from typing import Final, TypeAlias

from mailserver.base.ids import AccountId, MailboxId, UidValidity
from mailserver.imap.fetching.item import FlagSets
from mailserver.imap.fetching.known_flags import KnownFlags, MailboxFlags
from mailserver.imap.searching.bits import full
from mailserver.store.tx import Read

#: whether a message with these system flags, as bits, and these keywords, joined with spaces, matches
Test: TypeAlias = Callable[[int, str], bool]

_LOW = 0 if sys.byteorder == "little" else 1
_DIGITS = b"01"
_OCTET: Final = 256


class Flags:
    """What is known of the flags of one mailbox while one search runs, as of its first look.

    found: that, to be kept for others; None for nothing.
    """

    __slots__ = ("_is_tried", "_known", "_owner", "_uidvalidity", "found")

    def __init__(self, known: KnownFlags, owner: AccountId, uidvalidity: UidValidity) -> None:
        self._known, self._owner, self._uidvalidity = known, owner, uidvalidity
        self._is_tried = False
        self.found: MailboxFlags | None = None

    def look(self, tx: Read, mailbox: MailboxId, *, is_needed: bool) -> MailboxFlags | None:
        """The flags of *mailbox*; None where that cannot be, or they are not known and not *is_needed*."""
        if not self._is_tried:
            self._is_tried = True
            found = self._known.read(tx, mailbox, self._owner, is_needed=is_needed)
            if found is not None and found.uidvalidity == self._uidvalidity:
                self.found = found
        return self.found


def verdicts(sets: FlagSets, test: Test) -> list[bool]:
    """What *test* says of each message of *sets*."""
    hits = [test(*kind) for kind in sets.kinds]
    return [hits[kind] for kind in sets.which]


def matching(sets: FlagSets, test: Test) -> int:
    """The messages of *sets* that *test* is true of, as bits; see `bits`."""
    hits = bytes([_DIGITS[test(*kind)] for kind in sets.kinds])
    if len(hits) <= _OCTET and isinstance(sets.which, array) and sets.which.itemsize == 2:
        if b"0" not in hits:
            return full(len(sets.which))
        digits = sets.which.tobytes()[_LOW::2].translate(hits.ljust(_OCTET, b"0"))
    else:
        digits = bytes([hits[kind] for kind in sets.which])
    return int(digits or b"0", 2)
