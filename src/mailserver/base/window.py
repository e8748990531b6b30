"""A count over the last minute, hour or day, in slices.

The period is cut into SLICES; what is counted is the running slice and the SLICES before it.  So nothing is forgotten
before its period is over, and everything at most one slice later: in no span of a period there is ever more than was
allowed.
"""

SLICES = 12


class Window:
    """Counts of one thing.  Times are seconds of one clock, which may step back.

    slots: count by slice; a slice's number is its time divided by its length.
    """

    __slots__ = ("_running", "_width", "slots", "total")

    def __init__(self, period_s: float) -> None:
        self._width = period_s / SLICES
        self._running = -1
        self.slots: dict[int, int] = {}
        self.total = 0

    def count(self, now: float) -> int:
        """What was counted in the period before *now*."""
        running = int(now // self._width)
        if running != self._running:
            self._running = running
            self._forget()
        return self.total

    def add(self, now: float, n: int) -> int:
        """The slice that *n* were counted in."""
        self.count(now)
        self.slots[self._running] = self.slots.get(self._running, 0) + n
        self.total += n
        return self._running

    def take_back(self, slot: int, n: int) -> bool:
        """*n* of what was counted in *slot* were not; False if that is forgotten already."""
        if slot not in self.slots:
            return False
        self.slots[slot] -= n
        self.total -= n
        return True

    def put(self, slot: int, n: int) -> None:
        """All in all *slot* has counted *n*."""
        self.total += n - self.slots.get(slot, 0)
        self.slots[slot] = n
        self._running = -1  # it may be too old, or of a clock that was wrong

    def wait_s(self, now: float, room: int) -> float:
        """Seconds until no more than *room* is counted, if nothing else is; 0: now."""
        total = self.count(now)
        if total <= room:
            return 0.0
        for slot in sorted(self.slots):
            total -= self.slots[slot]
            if total <= room:
                return max((slot + SLICES + 1) * self._width - now, 0.001)
        return max((self._running + SLICES + 1) * self._width - now, 0.001)

    def _forget(self) -> None:
        oldest, newest = self._running - SLICES, self._running + 1
        for slot in [s for s in self.slots if not oldest <= s <= newest]:
            self.total -= self.slots.pop(slot)
