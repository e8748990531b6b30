"""One worker of all runs the jobs and services: the one that holds `leader.lock`.

The kernel gives the lock back when its holder ends, however it ends; another worker takes it within TRY_S.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from mailserver.base.errors import TryLater
from mailserver.base.log import Log
from mailserver.jobs.registry import Job, Service, Site

TRY_S = 1.0
AGAIN_S = 5.0  #: after a service failed


class Leader:
    """Waits for the lock, then runs *jobs* and *services* until `stop`."""

    def __init__(
        self, run_dir: Path, site: Site, jobs: Iterable[Job], services: Iterable[Service] = ()
    ) -> None:
        self._path = run_dir / "leader.lock"
        self._site = site
        self._jobs = list(jobs)
        self._services = list(services)
        self._lock: int | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._serving: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._log = Log("jobs")

    @property
    def leads(self) -> bool:
        """This worker runs the jobs."""
        return self._lock is not None

    def start(self) -> None:
        """Begin to wait for the lock, in the running loop."""
        self._tasks.append(asyncio.create_task(self._lead()))

    async def stop(self, grace_s: float = 0.0) -> None:
        """Break off what runs, services after *grace_s* in which they may come to their end; give the lock back."""
        self._stopping.set()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._serving:
            await asyncio.wait(self._serving, timeout=grace_s)
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _lead(self) -> None:
        while not self._try():
            await asyncio.sleep(TRY_S)
        names = [*(job.name for job in self._jobs), *(s.name for s in self._services)]
        self._log.info("leading", jobs=names)
        self._tasks += [asyncio.create_task(self._repeat(job)) for job in self._jobs]
        self._serving = [asyncio.create_task(self._serve(service)) for service in self._services]

    def _try(self) -> bool:
        lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    async def _repeat(self, job: Job) -> None:
        await asyncio.sleep(job.first_s)
        while True:
            try:
                await job.run(self._site)
            except TryLater as reason:
                self._log.warning("job put off", job=job.name, reason=str(reason))
            except Exception as error:
                self._log.error("job failed", job=job.name, error=error)
            await asyncio.sleep(job.every_s)

    async def _serve(self, service: Service) -> None:
        while not self._stopping.is_set():
            try:
                await service.serve(self._site, self._stopping)
            except TryLater as reason:
                self._log.warning("service put off", service=service.name, reason=str(reason))
            except Exception as error:
                self._log.error("service failed", service=service.name, error=error)
            await self._pause()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), AGAIN_S)
        except TimeoutError:
            return
