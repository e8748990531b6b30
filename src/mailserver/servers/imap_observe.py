"""Who of this process wants to hear of all mailboxes of an account, and what is looked up for all of them together.

Spec: RFC 5465 §3.1.  Status: complete.

The sessions of one account form a *circle*.  A commit that changes one of the accounts whose mailboxes it sees makes
all of them stale; one look then serves all that wait.  Who asks for nothing costs nothing: no circle, no watch.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from mailserver.base.errors import MailError
from mailserver.base.ids import AccountId, ModSeq
from mailserver.base.log import Log
from mailserver.imap import elsewhere
from mailserver.imap.elsewhere import State
from mailserver.imap.observer import Observer
from mailserver.imap.session import Session
from mailserver.servers.hub import Hub
from mailserver.servers.work import Work
from mailserver.store.tx import Read, Write

PAUSE_S = 0.05  #: between two looks at an account that changes all the time; the first look waits for nothing
REST = (
    10.0  #: but at least so many times as long as a look takes: an account with very many mailboxes
)
RETRY_S = 1.0  #: after a look that failed


class Listener(Protocol):
    """A connection, as far as it listens."""

    session: Session

    def hear_elsewhere(self, state: State) -> None:
        """*state* is how all mailboxes are now."""
        ...


class _Circle:
    """The sessions of one account that want to hear of it."""

    __slots__ = ("is_looking", "members", "waiting", "watched")

    def __init__(self) -> None:
        self.members: set[Listener] = set()
        self.waiting: set[Listener] = set()
        self.watched: set[AccountId] = set()
        self.is_looking = False

    def stale(self) -> list[Listener]:
        """Those who wait and have not heard the latest."""
        return [w for w in self.waiting if (o := w.session.observer) is not None and o.is_stale]


class Observing:
    """All circles.  In the loop's thread only."""

    def __init__(
        self, hub: Hub, work: Work, start: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._hub, self._work, self._start = hub, work, start
        self._circles: dict[AccountId, _Circle] = {}
        self._wakes: dict[AccountId, Callable[[], None]] = {}
        self._log = Log("imap")

    def wait(self, listener: Listener) -> None:
        """*listener* hears what happens from now on, and what it has not heard yet."""
        session = listener.session
        observer = session.observer
        if observer is None or not observer.request.groups:
            return
        account = session.account.id
        circle = self._circles.get(account)
        if circle is None:
            circle = self._circles[account] = _Circle()
            self._wakes[account] = partial(self._changed, account)
            self._hub.watch_directory(self._wakes[account])
        if not circle.watched:
            self._watch(account, circle, {account})
        circle.members.add(listener)
        circle.waiting.add(listener)
        if observer.is_stale:
            self._look_for(account, circle)

    def stop_waiting(self, listener: Listener) -> None:
        """*listener* does something else now."""
        if self._circles and listener.session.observer is not None:
            circle = self._circles.get(listener.session.account.id)
            if circle is not None:
                circle.waiting.discard(listener)

    def leave(self, listener: Listener) -> None:
        """The connection has ended, or its log-in."""
        for account, circle in list(self._circles.items()) if self._circles else ():
            circle.members.discard(listener)
            circle.waiting.discard(listener)
            if not circle.members:
                self._watch(account, circle, set())
                self._hub.unwatch_directory(self._wakes.pop(account))
                del self._circles[account]

    def _watch(self, account: AccountId, circle: _Circle, wanted: set[AccountId]) -> bool:
        """True when one is watched from now on that was not: nobody has told us what it has seen until now."""
        wake = self._wakes[account]
        for gone in circle.watched - wanted:
            self._hub.unwatch_account(gone, wake)
        added = wanted - circle.watched
        for new in added:
            self._hub.watch_account(new, wake)
        circle.watched = wanted
        return bool(added)

    def _changed(self, account: AccountId) -> None:
        circle = self._circles[account]
        for member in circle.members:
            if member.session.observer is not None:
                member.session.observer.is_stale = True
        if circle.waiting:
            self._look_for(account, circle)

    def _look_for(self, account: AccountId, circle: _Circle) -> None:
        if not circle.is_looking:
            circle.is_looking = True
            self._start(self._look(account, circle))

    async def _look(self, account: AccountId, circle: _Circle) -> None:
        loop = asyncio.get_running_loop()
        stale: list[Listener] = []
        try:
            while stale := circle.stale():
                since = _since(stale)
                for listener in stale:
                    if listener.session.observer is not None:
                        listener.session.observer.is_stale = False
                started = loop.time()
                job = partial(_read, stale[0].session, since)
                state = await self._work.read(job)
                if self._circles.get(account) is not circle:
                    return
                is_late = self._watch(account, circle, {*state.modseqs})
                for listener in stale:
                    if listener in circle.waiting:
                        listener.hear_elsewhere(state)
                        if is_late and listener.session.observer is not None:
                            listener.session.observer.is_stale = True
                    elif listener.session.observer is not None:
                        listener.session.observer.is_stale = True
                await asyncio.sleep(max(PAUSE_S, REST * (loop.time() - started)))
        except MailError as error:
            self._log.warning("cannot read what changed", account=account, reason=str(error))
            for listener in stale:
                if listener.session.observer is not None:
                    listener.session.observer.is_stale = True
            loop.call_later(RETRY_S, self._retry, account, circle)
        finally:
            circle.is_looking = False

    def _retry(self, account: AccountId, circle: _Circle) -> None:
        if self._circles.get(account) is circle and circle.stale():
            self._look_for(account, circle)


def _since(listeners: list[Listener]) -> dict[AccountId, ModSeq]:
    """The modseqs from which on all of *listeners* hear everything."""
    out: dict[AccountId, ModSeq] = {}
    for listener in listeners:
        observer = listener.session.observer
        if observer is not None and observer.state is not None and observer.request.wants_metadata:
            for account, modseq in observer.state.modseqs.items():
                out[account] = min(modseq, out.get(account, modseq))
    return out


def _read(session: Session, since: dict[AccountId, ModSeq], tx: Read) -> State:
    return elsewhere.read(session, tx, since or None)


async def write_noted(
    work: Work, job: Callable[[Write], Any], observer: Observer, *, is_pure: bool
) -> Any:
    """Like any write; what it changes is no news to the client that has asked for it (RFC 5465 §5)."""
    committed: dict[AccountId, ModSeq] = {}

    def noted(tx: Write) -> Any:
        value = job(tx)
        committed.clear()
        committed.update(tx.journal.modseqs)
        return value

    value = await work.write(noted, is_pure=is_pure)
    observer.mine.update(committed.items())
    return value
