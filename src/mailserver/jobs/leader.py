"""One worker of all runs the jobs: the one that holds `leader.lock`.

The kernel gives the lock back when its holder ends, however it ends; another worker takes it within TRY_S.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from mailserver.base.errors import TryLater
from mailserver.base.log import Log
from mailserver.jobs.registry import Job, Site

TRY_S = 1.0


class Leader:
    """Waits for the lock, then runs *jobs* until `stop`."""

    def __init__(self, run_dir: Path, site: Site, jobs: Iterable[Job]) -> None:
        self._path = run_dir / "leader.lock"
        self._site = site
        self._jobs = list(jobs)
        self._lock: int | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._log = Log("jobs")

    @property
    def leads(self) -> bool:
        """This worker runs the jobs."""
        return self._lock is not None

    def start(self) -> None:
        """Begin to wait for the lock, in the running loop."""
        self._tasks.append(asyncio.create_task(self._lead()))

    async def stop(self) -> None:
        """Break off what runs and give the lock back."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _lead(self) -> None:
        while not self._try():
            await asyncio.sleep(TRY_S)
        self._log.info("leading", jobs=[job.name for job in self._jobs])
        self._tasks += [asyncio.create_task(self._repeat(job)) for job in self._jobs]

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
