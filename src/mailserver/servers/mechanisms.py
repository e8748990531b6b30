"""Which mechanisms this server's accounts can use at the moment, for all connections of a worker.

SCRAM needs keys that can only be made while a password is at hand.  Programs prefer it to PLAIN and do not try PLAIN
after it has failed, so it is offered once no account lacks its keys, or when the configuration says so.
"""

import asyncio
from typing import Literal

from mailserver.base.errors import MailError
from mailserver.base.log import Log
from mailserver.servers.work import Work
from mailserver.store.tx import Read

Mode = Literal["auto", "on", "off"]


class Offer:
    """has_scram, has_cram_md5: as of the last look, which follows every change in the directory."""

    __slots__ = ("_is_stale", "_last", "_mode", "_task", "_work", "has_cram_md5", "has_scram")

    def __init__(self, work: Work | None = None, mode: Mode = "off") -> None:
        self._work = work
        self._mode = mode
        self._task: asyncio.Task[None] | None = None
        self._is_stale = False
        self._last: tuple[bool, bool, str] | None = None
        self.has_scram = False
        self.has_cram_md5 = False

    @property
    def makes_keys(self) -> bool:
        """Whether keys are kept of passwords that log in."""
        return self._mode != "off"

    async def refresh(self) -> None:
        """Look again; what cannot be read stays as it was."""
        if self._work is None:
            return
        self._is_stale = True
        while self._is_stale:
            self._is_stale = False
            try:
                found = await self._work.read(self._look)
            except MailError as error:
                Log("login").warning("mechanisms not looked up", reason=str(error))
                return
            if found != self._last:
                self._last = found
                self.has_scram, self.has_cram_md5, lacking = found
                facts = {"without_keys": lacking} if lacking else {}
                Log("login").info(
                    "mechanisms", scram=self.has_scram, cram_md5=self.has_cram_md5, **facts
                )

    def changed(self) -> None:
        """The directory has changed: look again, once for all changes that come until then."""
        self._is_stale = True
        if self._work is not None and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self.refresh())

    def _look(self, tx: Read) -> tuple[bool, bool, str]:
        """Also an account because of which SCRAM is not offered; "" if there is none."""
        lacking = tx.scram.lacking() or "" if self._mode == "auto" else ""
        has_scram = self._mode == "on" or (self._mode == "auto" and not lacking)
        return has_scram, tx.app_passwords.allow_cram_md5(), lacking
