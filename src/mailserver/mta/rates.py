"""How much was sent lately, by whom, and whether more may be.

Counters live in memory.  What is counted here is also noted in `pending`, for whoever tells other processes, and what
they counted comes in through `put`.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from mailserver.base.rate_limits import RatesLimits
from mailserver.base.window import Window

PERIODS_S: dict[str, float] = {"minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
KINDS = ("account", "sender", "domain", "address", "network", "login", "pair")
USERS = frozenset({"account", "sender", "domain"})
MEASURES = ("connections", "messages", "recipients", "bytes", "refused_recipients", "failed_logins")


class Want(NamedTuple):
    """*n* more of *measure* for a subject, as ("account", "alice@example.org", "messages", 1)."""

    kind: (
        str  # of KINDS: "login" is guesses at an account, "pair" those from a network that it knows
    )
    name: str
    measure: str
    n: int = 1


class Bound(NamedTuple):
    """A limit."""

    measure: str
    period: str
    most: int


class Counter(NamedTuple):
    """Names one counter, here and in other processes."""

    kind: str
    name: str
    measure: str
    period: str


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that is in the way."""

    counter: Counter
    count: int
    most: int
    wait_s: float

    def __str__(self) -> str:
        """For replies: what and whose, how many, how many are allowed, when to try again."""
        counter = self.counter
        what = counter.measure.replace("_", " ").replace("logins", "log-ins")
        return (
            f"Too many {what} from {counter.name}: {self.count} in the last {counter.period},"
            f" {self.most} are allowed, try again in {span(self.wait_s)}"
        )


def span(seconds: float) -> str:
    """A time to wait, rounded up: "40 seconds", "7 minutes", "3 hours"."""
    for size, name in ((3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds > 2 * size or size == 1:
            count = max(int(-(-seconds // size)), 1)
            return f"{count} {name}{'s' if count > 1 else ''}"
    raise AssertionError("the loop ends with seconds")


class Taken(NamedTuple):
    """What was counted, so that it can be taken back."""

    counter: Counter
    slot: int
    n: int


class Rates:
    """All counters of a process.  Times are UTC epoch seconds.

    pending:   by counter and slot, what was counted here since the others were told.
    """

    def __init__(self, limits: RatesLimits) -> None:
        self.limits = limits
        self._overrides: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
        self.pending: dict[tuple[Counter, int], int] = {}
        self._bounds = {
            (kind, measure): tuple(b for b in bounds(limits, kind) if b.measure == measure)
            for kind in KINDS
            for measure in MEASURES
        }
        self._counters: dict[tuple[str, str, str], tuple[tuple[Counter, int], ...]] = {}
        self._users: OrderedDict[Counter, Window] = OrderedDict()
        self._clients: OrderedDict[Counter, Window] = OrderedDict()
        self._exempt = tuple(ipaddress.ip_network(text) for text in limits.exempt)

    # -- who is who

    def is_exempt(self, peer: str) -> bool:
        """Whether clients at *peer* are not limited by where they are; "" is a UNIX socket."""
        if not peer or not self.limits.is_on:
            return True
        address = _ip(peer)
        return any(address in network for network in self._exempt)

    def places(self, peer: str) -> tuple[tuple[str, str], ...]:
        """The subjects that stand for *peer*: its address and its network; none if it is exempt."""
        return () if self.is_exempt(peer) else self.places_of(peer)

    def places_of(self, peer: str) -> tuple[tuple[str, str], ...]:
        """The same, exempt or not.  Raises ValueError for what is no IP address."""
        limits = self.limits
        return _places(peer, limits.ipv4_network_bits, limits.ipv6_network_bits)

    def override(self, rows: Iterable[tuple[str, str, str, str, int]]) -> None:
        """From now on these (kind, name, measure, period, most) hold in place of the general limits; 0: no bound.

        The kind "each" is for each account of the domain *name* that has none of its own.
        """
        found: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
        for kind, name, measure, period, most in rows:
            found.setdefault((kind, name), {})[measure, period] = most
        self._overrides = found
        self._counters.clear()

    def bounds_of(self, kind: str, name: str) -> tuple[Bound, ...]:
        """All limits on a subject."""
        return tuple(
            bound for measure in MEASURES for bound in self._bounds_of(kind, name, measure)
        )

    # -- counting

    def take(self, wants: Iterable[Want], now: float) -> Exceeded | list[Taken]:
        """What was counted: all of *wants*; or the limit in the way for the longest, and nothing is."""
        found, worst = self._look(wants, now)
        if worst is not None:
            return worst
        return [self._add(counter, window, n, now) for counter, window, n in found]

    def count(self, wants: Iterable[Want], now: float) -> list[Taken]:
        """*wants* have happened, whatever the limits say."""
        return [
            self._add(counter, window, n, now) for counter, window, n in self._look(wants, now)[0]
        ]

    def exceeded(self, wants: Iterable[Want], now: float) -> Exceeded | None:
        """The limit that would be in the way of *wants*; nothing is counted."""
        return self._look(wants, now)[1]

    def take_back(self, taken: Iterable[Taken]) -> None:
        """What was counted has not happened after all."""
        for counter, slot, n in taken:
            window = self._window(counter)
            if window.take_back(slot, n):
                self._note(counter, slot, -n)

    def total(self, counter: Counter, now: float) -> int:
        """What is counted there."""
        return self._window(counter).count(now)

    # -- other processes

    def take_pending(self, most: int) -> dict[tuple[Counter, int], int]:
        """What the others have to be told of now; it is pending no longer."""
        if len(self.pending) <= most:
            told, self.pending = self.pending, {}
            return told
        told = dict(list(self.pending.items())[:most])
        for key in told:
            del self.pending[key]
        return told

    def put_back(self, told: Mapping[tuple[Counter, int], int]) -> None:
        """They could not be told; with too much pending, it is forgotten."""
        if len(self.pending) + len(told) <= self.limits.remembered:
            for (counter, slot), n in told.items():
                self._note(counter, slot, n)

    def put(self, counter: Counter, slot: int, n: int) -> None:
        """All processes together have counted *n*, but for what is pending here."""
        self._window(counter).put(slot, n + self.pending.get((counter, slot), 0))

    # -- helpers

    def _look(
        self, wants: Iterable[Want], now: float
    ) -> tuple[list[tuple[Counter, Window, int]], Exceeded | None]:
        """The counters that *wants* count in, and what is in the way for the longest."""
        found: list[tuple[Counter, Window, int]] = []
        worst: Exceeded | None = None
        for kind, name, measure, n in wants if self.limits.is_on else ():
            for counter, most in self._counters_of(kind, name, measure):
                window = self._window(counter)
                count = window.count(now)
                if count + n > most:
                    wait_s = window.wait_s(now, max(most - n, 0))
                    if worst is None or wait_s > worst.wait_s:
                        worst = Exceeded(counter, count, most, wait_s)
                found.append((counter, window, n))
        return found, worst

    def _counters_of(self, kind: str, name: str, measure: str) -> tuple[tuple[Counter, int], ...]:
        """Where *measure* of a subject is counted, each with how much it may be; remembered."""
        subject = kind, name, measure
        known = self._counters.get(subject)
        if known is None:
            if len(self._counters) >= self.limits.remembered:
                self._counters.clear()
            known = self._counters[subject] = tuple(
                (Counter(*subject, bound.period), bound.most) for bound in self._bounds_of(*subject)
            )
        return known

    def _bounds_of(self, kind: str, name: str, measure: str) -> tuple[Bound, ...]:
        general = self._bounds[kind, measure]
        if not self._overrides or kind not in ("account", "domain"):
            return general
        own = self._overrides.get((kind, name), {})
        each = (
            self._overrides.get(("each", name.rpartition("@")[2]), {}) if kind == "account" else {}
        )
        if not own and not each:
            return general
        most = {(bound.measure, bound.period): bound.most for bound in general} | each | own
        return tuple(
            Bound(what, period, n) for (what, period), n in most.items() if n and what == measure
        )

    def _window(self, counter: Counter) -> Window:
        windows = self._users if counter.kind in USERS else self._clients
        window = windows.get(counter)
        if window is None:
            window = windows[counter] = Window(PERIODS_S[counter.period])
            if len(windows) > self.limits.remembered:
                windows.popitem(last=False)
        else:
            windows.move_to_end(counter)
        return window

    def _add(self, counter: Counter, window: Window, n: int, now: float) -> Taken:
        slot = window.add(now, n)
        self._note(counter, slot, n)
        return Taken(counter, slot, n)

    def _note(self, counter: Counter, slot: int, n: int) -> None:
        """For the others; when nobody has told them for long, they are told less."""
        key = counter, slot
        noted = self.pending.get(key)
        if noted is not None:
            self.pending[key] = noted + n
        elif len(self.pending) < self.limits.remembered:
            self.pending[key] = n


def bounds(limits: RatesLimits, kind: str) -> tuple[Bound, ...]:
    """The limits on subjects of *kind*, as the configuration has them; guesses at an account are only delayed."""
    if kind == "login":
        return (Bound("failed_logins", "hour", 2**62),)
    if kind == "pair":
        most = limits.address.failed_logins_per_hour
        return (Bound("failed_logins", "hour", most),) if most else ()
    section = getattr(limits, kind)
    found = []
    for name in section.__slots__:
        most = getattr(section, name)
        measure, _, period = name.rpartition("_per_")
        if most:
            found.append(Bound(measure, period, most))
    return tuple(found)


@lru_cache(maxsize=10_000)
def _places(peer: str, bits4: int, bits6: int) -> tuple[tuple[str, str], ...]:
    address = _ip(peer)
    if isinstance(address, ipaddress.IPv4Address):
        network = ipaddress.ip_network((address, bits4), strict=False)
        return ("address", str(address)), ("network", str(network))
    own = ipaddress.ip_network((address, 64), strict=False)
    network6 = ipaddress.ip_network((address, bits6), strict=False)
    return ("address", str(own)), ("network", str(network6))


@lru_cache(maxsize=10_000)
def _ip(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(peer.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
