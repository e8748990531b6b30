"""Guessing of passwords is slowed down and stopped, without locking out whoever the account belongs to.

Failed log-ins are counted for the client's address and network; above the limit nobody who is not known there gets to
try.  An account and a network know each other when a log-in from there was right within the last weeks: such a pair has
a count of its own, so neither colleagues behind the same address nor guesses from elsewhere shut it out.  An account
that is guessed at from everywhere is never closed: strangers wait longer before each try, that is all.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable

from mailserver.base.errors import LimitReached
from mailserver.base.log import Log
from mailserver.mta.check import Asked, ask
from mailserver.mta.rates import Counter, Exceeded, Rates, Taken, Want
from mailserver.store.rates import KNOWN_S, Known
from mailserver.store.trace_values import Step, Trace

FREE = 5  #: failed log-ins of an account in an hour before strangers wait
AGAIN_S = 86_400  #: a known place is told to the other workers again after a day
REMEMBERED = 20_000  #: pairs of account and network in memory


class Guard:
    """What all connections of a process know of log-ins.  *now*: UTC epoch seconds."""

    def __init__(
        self,
        rates: Rates,
        now: Callable[[], float],
        keep_trace: Callable[[Trace], None] = lambda trace: None,
    ) -> None:
        self.rates = rates
        self.now = now
        self.keep_trace = keep_trace
        self._known: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._pending: list[Known] = []

    def is_known(self, login: str, place: str) -> bool:
        """Whether *login* was right from *place* within the last weeks."""
        at = self._known.get((login, place))
        return at is not None and self.now() - at < KNOWN_S

    def learn(self, login: str, place: str) -> None:
        """A log-in as *login* from *place* was right."""
        now = int(self.now())
        at = self._known.get((login, place), 0)
        if not 0 <= now - at < AGAIN_S:
            self._remember(login, place, now)
            if len(self._pending) < REMEMBERED:
                self._pending.append(Known(login, place, now))

    def take_pending(self) -> list[Known]:
        """What other processes have to be told; once."""
        told, self._pending = self._pending, []
        return told

    def put(self, known: Iterable[Known]) -> None:
        """What other processes have learned."""
        for login, place, at in known:
            self._remember(login, place, max(at, self._known.get((login, place), 0)))

    def _remember(self, login: str, place: str, at: int) -> None:
        self._known[login, place] = at
        self._known.move_to_end((login, place))
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


class Door:
    """The way in for one connection; one attempt at a time."""

    __slots__ = ("_guard", "_log", "_login", "_peer", "_places", "_taken")

    def __init__(self, guard: Guard, peer: str, log: Log) -> None:
        self._guard = guard
        self._peer = peer
        self._log = log
        self._places = guard.rates.places(peer)
        self._login = ""
        self._taken: list[Taken] = []

    async def admit(self, login: str) -> None:
        """*login* may be tried now; it counts as failed until it is not.

        Raises LimitReached, with a text for the peer.
        """
        login = login.lower()
        self._login, self._taken = login, []
        if not self._places:
            return
        guard, rates = self._guard, self._guard.rates
        now = guard.now()
        wants = [Want(kind, name, "failed_logins") for kind, name in self._places]
        account = Want("login", login, "failed_logins")
        network = self._places[-1][1]
        delay_s = 0.0
        if guard.is_known(login, network):
            found = rates.take([Want("pair", f"{login} at {network}", "failed_logins")], now)
            if not isinstance(found, Exceeded):
                found += rates.count([*wants, account], now)
        else:
            limits = rates.limits
            failures = rates.total(Counter("login", login, "failed_logins", "hour"), now)
            delay_s = min((failures - FREE) * limits.login_delay_s, limits.longest_login_delay_s)
            found = rates.take([*wants, account], now)
        if isinstance(found, Exceeded):
            (verdict,) = ask("log-in", Asked(login, rate=found))
            self._tell(verdict.check, verdict.reason, str(verdict.refusal), login)
            raise LimitReached(str(found))
        self._taken = found
        if delay_s > 0:
            await asyncio.sleep(delay_s)

    def passed(self) -> None:
        """The log-in was right."""
        self._guard.rates.take_back(self._taken)
        self._taken = []
        if self._places:
            self._guard.learn(self._login, self._places[-1][1])

    def undecided(self) -> None:
        """Nobody could tell whether it was right: that is no failure of the client's."""
        self._guard.rates.take_back(self._taken)
        self._taken = []

    def failed(self, claimed: str) -> None:
        """It was wrong; *claimed* is the name as the client wrote it, which may be a password in the wrong place."""
        self._taken = []
        name = claimed if len(claimed) <= 320 and claimed.isprintable() and "@" in claimed else ""
        self._tell("password", "log-in name or password is wrong", "", name)

    def _tell(self, what: str, reason: str, reply: str, login: str) -> None:
        bound = self._log.bound
        self._guard.keep_trace(
            Trace(
                at_ms=int(self._guard.now() * 1000),
                listener=self._log.name,
                session=str(bound.get("session", "")),
                peer=self._peer,
                account=login,
                steps=(Step("log-in", what, reason, reply),),
                reply=reply or reason,
            )
        )
