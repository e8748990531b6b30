"""Between whoever accepts mail that leaves and the queue's runner, where both live in this process.

The runner is asked before the message is written.  What he has room for is claimed in the transaction that accepts it,
and given to him after the COMMIT, with the content that is in memory anyway.  The rest waits in the queue.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from mailserver.mta.leave import Leaving
from mailserver.store.queue_values import AtOnce, Claimed


class Offer(Protocol):
    """Room for a message that is about to be written.  `end` is called once, whatever becomes of it."""

    @property
    def at_once(self) -> AtOnce:
        """What may be claimed."""

    def end(self, claimed: Sequence[Claimed], content: bytes | None) -> None:
        """This is committed; nothing if it failed.  content: the whole body, None: it is read from the store."""


#: destination -> how many parcels, each with at most how many recipients
Wanted = Mapping[str, tuple[int, int]]
Ask = Callable[[Wanted], Offer | None]


class Handover:
    """One process's.  Not for other threads.

    is_alone: no other process writes.
    """

    __slots__ = ("_ask", "is_alone")

    def __init__(self, *, is_alone: bool = True) -> None:
        self.is_alone = is_alone
        self._ask: Ask | None = None

    def open(self, ask: Ask) -> None:
        """The runner is here."""
        self._ask = ask

    def close(self) -> None:
        """He takes nothing more."""
        self._ask = None

    def ask(self, leaving: Iterable[Leaving]) -> Offer | None:
        """Room for some of what is *leaving*; None: there is none."""
        if self._ask is None or not (wanted := _wanted(leaving)):
            return None
        return self._ask(wanted)


def _wanted(leaving: Iterable[Leaving]) -> dict[str, tuple[int, int]]:
    """The destinations of what may leave at once."""
    wanted: dict[str, tuple[int, int]] = {}
    for one in leaving:
        if one.message.release_at is not None:
            continue
        counts: dict[str, int] = {}
        for to in one.recipients:
            counts[to.destination] = counts.get(to.destination, 0) + 1
        for name, count in counts.items():
            parcels, most = wanted.get(name, (0, 0))
            wanted[name] = (parcels + 1, max(most, count))
    return wanted
