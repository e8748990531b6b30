"""What became of messages, written down at once and together: one commit for all results that came meanwhile.

A result that is not written yet is the one thing that a crash can turn into a second delivery.  So nothing waits here
but for the commit that is under way and, for 20 ms at most, until the loop has handled its input (`servers/gather.py`):
what is accepted meanwhile shares the commit.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from mailserver.base.errors import TryLater
from mailserver.base.log import Log
from mailserver.servers.work import Work
from mailserver.store.commit import Job
from mailserver.store.outcome import Outcome
from mailserver.store.queue_values import Result, Settled
from mailserver.store.tx import Write

MOST = 200  #: entries in one job, so that nobody waits long behind it
AGAIN_S = 1.0  #: after trouble with the storage

log = Log("queue")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written in one piece, or not at all.

    also:     done in the same transaction, with what the results changed: notices, suppressions, a destination's rest.
    fallback: what is written instead when that fails, so that the bug behind it holds up nobody else.
    """

    results: Sequence[Result]
    also: Callable[[Write, Sequence[Settled]], None] | None = None
    fallback: Sequence[Result] = ()


class Books:
    """All results of this worker, in the order they came.

    is_stuck: the storage takes nothing; it makes no sense to claim more then.
    """

    def __init__(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        self._work = work
        self._loop = loop
        self._waiting: deque[Entry] = deque()
        self._expected: set[asyncio.Task[Entry]] = set()
        self._is_writing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_stuck = False

    def note(self, entry: Entry) -> None:
        """Write *entry* as soon as can be."""
        self._waiting.append(entry)
        if not self._is_writing:
            self._write()

    def expect(self, coming: Coroutine[Any, Any, Entry]) -> None:
        """Write what *coming* returns, once it does."""
        task = self._loop.create_task(coming)
        self._expected.add(task)
        task.add_done_callback(self._came)

    async def finish(self) -> None:
        """Returns when everything is written."""
        while self._expected:
            await asyncio.wait(self._expected)
        await self._idle.wait()

    def _came(self, task: asyncio.Task[Entry]) -> None:
        self._expected.discard(task)
        if not task.cancelled() and (error := task.exception()) is None:
            self.note(task.result())
        elif not task.cancelled():
            log.error("a result could not be made", error=error)

    def _write(self) -> None:
        self._is_writing = True
        self._idle.clear()
        mine: list[Entry] = []

        def job(tx: Write) -> None:
            while len(mine) < MOST:  # also what came while the job waited for its turn
                try:
                    mine.append(self._waiting.popleft())
                except IndexError:
                    break
            _write(tx, mine)

        def done(outcome: Outcome[None]) -> None:
            if outcome.error is None:
                self.is_stuck = False
                self._go_on()
            elif isinstance(outcome.error, TryLater):
                self._wait(mine, outcome.error)
            else:
                self._one_by_one(mine)

        self._work.add_soon(Job(job, done, is_pure=True))

    def _go_on(self) -> None:
        if self._waiting:
            self._write()
        else:
            self._is_writing = False
            self._idle.set()

    def _one_by_one(self, entries: list[Entry]) -> None:
        """One of *entries* cannot be written as it is: the others are not to suffer for it."""
        if not entries:
            self._go_on()
            return
        entry, rest = entries[0], entries[1:]

        def done(outcome: Outcome[None]) -> None:
            if isinstance(outcome.error, TryLater):
                self._wait(entries, outcome.error)
            elif outcome.error is not None:
                log.error("a result could not be written", error=outcome.error)
                instead = [Entry(entry.fallback)] if entry.fallback else []
                self._one_by_one([*instead, *rest])
            else:
                self._one_by_one(rest)

        self._work.add(Job(lambda tx: _write(tx, [entry]), done, is_pure=True))

    def _wait(self, entries: list[Entry], reason: TryLater) -> None:
        """The storage takes nothing now; nothing is forgotten."""
        if not self.is_stuck:
            log.warning("results wait for the storage", reason=str(reason))
        self.is_stuck = True
        self._waiting.extendleft(reversed(entries))
        self._loop.call_later(AGAIN_S, self._write)


def _write(tx: Write, entries: Sequence[Entry]) -> None:
    settled = tx.queue.settle([result for entry in entries for result in entry.results])
    if all(entry.also is None for entry in entries):
        return
    changed = {one.recipient: one for one in settled}
    for entry in entries:
        if entry.also is not None:
            mine = [changed[r.recipient] for r in entry.results if r.recipient in changed]
            entry.also(tx, mine)
