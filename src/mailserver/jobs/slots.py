"""How many connections to other servers there may be, so that those who hang delay nobody else.

A connection takes a slot of those at work.  When the other side has not answered for a while it counts as slow, and
gives its slot to others; only when too many are slow do they keep theirs.

A destination that waits for its first connection comes before the second of any other: those who have several end one
after its message, until there are enough.  Some are kept for *newcomers*, destinations that something has come for just
now: they need not wait until those who have much to send are through with it.
"""

from mailserver.base.limits import QueueLimits

SHARE = 10  #: one in so many connections is kept for newcomers


class Slot:
    """One connection's; `since`: monotonic seconds when it began to wait for the other side, None while it does not."""

    __slots__ = ("_slots", "is_slow", "since")

    def __init__(self, slots: "Slots") -> None:
        self._slots = slots
        self.is_slow = False
        self.since: float | None = None

    def wait(self, now: float) -> None:
        """It waits for the other side from now on."""
        self.since = now

    def go_on(self) -> None:
        """The other side has answered."""
        self.since = None
        if self.is_slow:
            self.is_slow = False
            self._slots.slow -= 1

    def rest(self) -> bool:
        """It has nothing to do; whether it may stay open all the same, as a slow one."""
        self.since = None
        if not self.is_slow and self._slots.slow < self._slots.most_slow:
            self.is_slow = True
            self._slots.slow += 1
        return self.is_slow

    def release(self) -> None:
        """The connection is gone."""
        self.go_on()
        self._slots.taken.discard(self)


class Slots:
    """Those of all connections.

    kept:   for newcomers.
    slow:   how many of the *taken* ones are.
    wanted: how many destinations wait for their first connection.
    """

    __slots__ = ("_most", "_slow_after_s", "kept", "most_slow", "slow", "taken", "wanted")

    def __init__(self, limits: QueueLimits) -> None:
        self._most = limits.connections
        self._slow_after_s = limits.slow_after_s
        self.most_slow = limits.slow_connections
        self.kept = limits.connections // SHARE
        self.slow = 0
        self.wanted = 0
        self.taken: set[Slot] = set()

    @property
    def free(self) -> int:
        """Connections that may be begun now; never less than 0."""
        return max(0, self._most - (len(self.taken) - self.slow))

    @property
    def to_spare(self) -> int:
        """The same for those who have a connection already; less than 0: they owe some to those who have none."""
        return self.free - self.kept - self.wanted

    def take(self) -> Slot:
        """One for a connection that is about to be made; whoever asks has seen that one is free."""
        slot = Slot(self)
        self.taken.add(slot)
        return slot

    def look(self, now: float) -> bool:
        """Finds those that became slow since the last look; whether there were any."""
        found = False
        for slot in self.taken:
            if self.slow >= self.most_slow:
                break
            if (
                not slot.is_slow
                and slot.since is not None
                and now - slot.since >= self._slow_after_s
            ):
                slot.is_slow = found = True
                self.slow += 1
        return found
