"""Whether the server keeps up: a loop that lags, memory that is used up, a writer with too much to do.

While it does not, who comes is turned away, so that those who are there are served.
"""

import asyncio
from collections.abc import Callable

from mailserver.base.limits import OverloadLimits
from mailserver.base.log import Log
from mailserver.servers.limits import Budget

EVERY_S = 0.25
BEGINS_AFTER = 3  #: looks in a row above a threshold
ENDS_AFTER = 8  #: looks in a row below all of them, and well below
WORSE = 2.0  #: times a threshold: now users are turned away, too


class Load:
    """Looks at the load several times a second.

    writing: how many jobs wait for the writer.
    """

    def __init__(self, limits: OverloadLimits, memory: Budget, writing: Callable[[], int]) -> None:
        self._limits = limits
        self._memory = memory
        self._writing = writing
        self._above = self._below = 0
        self._level = 0
        self._reason = ""
        self._task: asyncio.Task[None] | None = None
        self._log = Log("servers")

    def overload(self, *, is_for_users: bool) -> str:
        """Why a newcomer is not served now, "" if he is; users hear no as the last."""
        return self._reason if self._level > is_for_users else ""

    def look(self, lag_s: float) -> None:
        """Take note of how things are; *lag_s*: how late the loop is."""
        limits = self._limits
        shares = {
            f"the loop lags {lag_s:.1f} s": lag_s / limits.loop_lag_s,
            f"{self._memory.used} octets of unfinished input": self._memory.used
            / max(self._memory.size * limits.input_memory, 1.0),
            f"{self._writing()} jobs wait for the writer": self._writing() / limits.writer_jobs,
        }
        reason, worst = max(shares.items(), key=lambda item: item[1])
        self._above = self._above + 1 if worst >= 1.0 else 0
        self._below = self._below + 1 if worst < limits.ends_at else 0
        if self._above >= BEGINS_AFTER:
            if not self._level:
                self._log.warning("overload begins", reason=reason)
            self._level = 2 if worst >= WORSE else max(self._level, 1)
            self._reason = reason
        elif self._level and self._below >= ENDS_AFTER:
            self._level, self._reason = 0, ""
            self._log.warning("overload ends")

    def start(self) -> None:
        """Begin to look, in the running loop."""
        self._task = asyncio.create_task(self._repeat())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _repeat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self.look(max(loop.time() - due, 0.0))
