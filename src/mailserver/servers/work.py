"""The awaitable face of the store inside one event loop: one thread hop an operation.

A job is a plain function of an open transaction.  It runs in the store's threads; what it returned arrives here after
the COMMIT, together with the results of all jobs that were committed with it, in one call into the loop.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mailserver.servers.gather import Gathering
from mailserver.store.blobs import Prepared
from mailserver.store.commit import Job
from mailserver.store.outcome import Outcome
from mailserver.store.spool import Body
from mailserver.store.store import Store
from mailserver.store.tx import Read, Write

SOON_S = 0.005  #: how long a job for which no client waits may wait for others

T = TypeVar("T")


class Work:
    """What handlers await.  The Store must have been made with `post=loop.call_soon_threadsafe`.

    handed: jobs so far, of readers and of the writer; who works in the background sees how much others have to do.
    """

    __slots__ = ("_gathering", "_loop", "_pool", "_riding", "_store", "_timer", "handed")

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop, threads: int = 4) -> None:
        self._store, self._loop = store, loop
        self._gathering: Gathering[Job] = Gathering(loop, self._hand_over)
        self._riding: list[Job] = []  # jobs for which no client waits
        self._timer: asyncio.TimerHandle | None = None
        self.handed = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="work")

    async def read(self, job: Callable[[Read], T]) -> T:
        """What *job* returned, from one short read transaction in a reader thread.  Raises what it raised."""
        return await self.begin(job)

    def begin(self, job: Callable[[Read], T]) -> asyncio.Future[T]:
        """The same, to be awaited later; it may be cancelled, which ends nothing that has begun."""
        waiter: asyncio.Future[T] = self._loop.create_future()
        self.handed += 1
        self._store.read(job, _settle(waiter))
        return waiter

    async def write(
        self,
        job: Callable[[Write], T],
        *,
        is_pure: bool = False,
        is_patient: bool = False,
        then: Callable[[Outcome[T]], None] | None = None,
    ) -> T:
        """What *job* returned, once it is on disk.  Raises what it raised, with nothing of it written.

        is_pure: the job changes nothing but its transaction, so it may be run again; that is cheaper.
        is_patient: it may wait as in `add_soon`.
        then:    hears how it ended, before its caller and also when that was cancelled meanwhile.
        """
        waiter: asyncio.Future[T] = self._loop.create_future()
        (self.add_soon if is_patient else self.add)(Job(job, _settle(waiter, then), is_pure))
        return await waiter

    def add(self, job: Job) -> None:
        """Have *job* written with all that comes before the loop is quiet; its `done` is called in the loop."""
        self._gathering.add(job)

    def add_soon(self, job: Job) -> None:
        """Have *job*, for which no client waits, written with the next for which one does, or after SOON_S."""
        self._riding.append(job)
        if self._timer is None:
            self._timer = self._loop.call_later(SOON_S, self._ride)

    def _ride(self) -> None:
        self._timer = None
        if self._riding:
            self._gathering.add(self._riding.pop(0))

    def at_commit(self, call: Callable[[], None]) -> None:
        """Have *call* made once, here, while the next transaction is put on disk: there is time for it then."""
        self._store.at_commit(call)

    @property
    def is_gathering(self) -> bool:
        """A transaction is near: there are jobs, and the loop has other input to handle first."""
        return self._gathering.has_jobs

    def _hand_over(self, jobs: list[Job]) -> None:
        if self._riding:
            jobs = [*jobs, *self._riding]
            self._riding = []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.handed += len(jobs)
        self._store.write_all(jobs)

    @property
    def writing(self) -> int:
        """Jobs that wait for the writer."""
        return self._store.writing

    async def thread(self, act: Callable[[], T]) -> T:
        """What *act* returned: pure work too long for the loop, such as large parses and file syncs."""
        return await self._loop.run_in_executor(self._pool, act)

    async def prepare(self, body: Body, threshold: int) -> Prepared:
        """*body* ready to be put; as a synced file if it is above *threshold* octets.  Raises TryLater."""
        if body.data is not None and body.size <= threshold:
            return self._store.prepare(body, threshold)
        return await self.thread(lambda: self._store.prepare(body, threshold))

    def close(self) -> None:
        """Give the store what it has not got yet, wait for the threads' running work and end them."""
        self._ride()
        self._gathering.end()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _settle(
    waiter: asyncio.Future[T], then: Callable[[Outcome[T]], None] | None = None
) -> Callable[[Outcome[T]], None]:
    def done(outcome: Outcome[T]) -> None:
        if then is not None:
            then(outcome)
        if waiter.done():  # its handler was cancelled meanwhile; the work stays done
            return
        try:
            value = outcome.result()
        except BaseException as error:
            waiter.set_exception(error)
        else:
            waiter.set_result(value)

    return done
