"""When mail that could not be delivered is tried again, when its sender hears of it, when it is given up.

Spec: RFC 5321 §4.5.4.1.  Status: complete.

Times are UTC epoch seconds; *chance* is a number from 0 up to 1 that the caller drew.
"""

from typing import NamedTuple

from mailserver.base.limits import QueueLimits


class Lifetime(NamedTuple):
    """warn_at: when the sender is told of a delay; None: never."""

    warn_at: int | None
    expires_at: int


def lifetime(limits: QueueLimits, start: int, *, is_notice: bool) -> Lifetime:
    """Of a message that may leave from *start* on; nobody is told that a notice is late (RFC 5321 §4.5.5)."""
    if is_notice:
        return Lifetime(None, start + int(limits.notice_expire_s))
    return Lifetime(start + int(limits.warn_after_s), start + int(limits.expire_s))


def retry_at(
    limits: QueueLimits, *, attempts: int, now: int, expires_at: int, chance: float
) -> int:
    """When a recipient is due after its *attempts*-th attempt, at least 1.

    Never after *expires_at*, so that the last attempt is made when its time is over, and not hours before.
    """
    wait = _grown(limits.retry_first_s, limits.retry_longest_s, limits.retry_growth, attempts)
    at = now + max(1, int(_shaken(wait, limits.retry_jitter, chance)))
    return min(at, max(expires_at, now + 1))


def is_over(now: int, expires_at: int) -> bool:
    """Whether a recipient that was not delivered now is given up."""
    return now >= expires_at


def rest_until(limits: QueueLimits, *, failures: int, now: int, chance: float) -> int:
    """Until when a destination is left alone that was not reached *failures* times in a row, at least 1."""
    wait = _grown(limits.back_off_first_s, limits.back_off_longest_s, limits.retry_growth, failures)
    return now + max(1, int(_shaken(wait, limits.retry_jitter, chance)))


def _grown(first_s: float, longest_s: float, growth: float, times: int) -> float:
    wait = first_s
    for _ in range(min(times, 100) - 1):
        if wait >= longest_s:
            break
        wait *= max(growth, 1.0)
    return min(wait, longest_s)


def _shaken(wait_s: float, jitter: float, chance: float) -> float:
    return wait_s * (1 + min(jitter, 1.0) * (2 * chance - 1))


class Width:
    """How many connections a destination gets: one more for each round of successes, half after trouble.

    A destination that takes what it is given is served faster; one that stumbles is not pushed (RFC 5321 §4.5.4.1).
    """

    __slots__ = ("_first", "_most", "_width")

    def __init__(self, limits: QueueLimits) -> None:
        self._first = min(limits.per_destination_first, limits.per_destination)
        self._most = limits.per_destination
        self._width = float(self._first)

    @property
    def connections(self) -> int:
        """At the same time; at least 1."""
        return int(self._width)

    def rise(self) -> None:
        """A message was taken."""
        self._width = min(self._most, self._width + 1 / self._width)

    def fall(self) -> None:
        """The destination could not go on: a connection was lost or refused, it was too busy."""
        self._width = max(1.0, self._width / 2)

    def cap(self, connections: int) -> None:
        """It refused one connection more than *connections*: it is not asked for more again."""
        self._most = max(1, min(self._most, connections))
        self._width = min(self._width, float(self._most))
