"""Reports on single messages that failed: thought about after the answer, and only where somebody wants it.

Spec: RFC 9991; RFC 9990 §4.  Status: complete.

They are favours: while too many wait, more are dropped, and a crash loses those that wait.
"""

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial

from mailserver.base.errors import MailError
from mailserver.base.log import Log
from mailserver.directory import report_settings
from mailserver.directory.report_settings import Settings
from mailserver.mailauth.reports.external import Undecided, permitted
from mailserver.mailauth.reports.organization import organization_of
from mailserver.mailauth.reports.uris import destinations
from mailserver.mailauth.resolver import LookupFailed, Resolver
from mailserver.mta.failure_reports import Failure, Pace, letter
from mailserver.mta.notify import Terms
from mailserver.mta.report_letters import Envelope, Letter
from mailserver.mta.report_posting import post
from mailserver.servers.work import Work
from mailserver.store.tx import Read, Write

WAITING = 200  #: failures that wait to be looked at

log = Log("reports")


class Failures:
    """One worker's."""

    def __init__(
        self,
        work: Work,
        resolver: Resolver,
        terms: Terms,
        token: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        self._work = work
        self._resolver = resolver
        self._terms = terms
        self._token = token
        self._now = now
        self._pace = Pace(terms.limits.reports.failures_per_hour)
        self._waiting: asyncio.Queue[Failure] = asyncio.Queue(WAITING)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; what waits is forgotten."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def tell(self, failure: Failure) -> None:
        """Think about a report on *failure* soon."""
        if failure.wanted and not failure.is_automatic and not self._waiting.full():
            self._waiting.put_nowait(failure)

    async def drain(self) -> None:
        """Until all that was told is done with."""
        await self._waiting.join()

    async def _run(self) -> None:
        while True:
            failure = await self._waiting.get()
            try:
                await self._one(failure)
            except (MailError, Undecided) as reason:
                log.info("no failure report", domain=failure.policy_domain, reason=str(reason))
            except Exception as error:
                log.error("failure report failed", domain=failure.policy_domain, error=error)
            finally:
                self._waiting.task_done()

    async def _one(self, failure: Failure) -> None:
        hostname = self._terms.hostname

        def look(tx: Read) -> tuple[Settings, bytes]:
            key = hashlib.sha256(b"reports" + tx.routes.secret("srs")).digest()
            return report_settings.read(tx, hostname), key

        settings, key = await self._work.read(look)
        if failure.to not in settings.failures or not settings.sender:
            return
        now = int(self._now())
        about = {
            kind: incidents
            for kind in failure.wanted
            if (incidents := self._pace.take(failure, kind, now))
        }
        if not about:
            return
        wanted = await permitted(
            self._resolver,
            failure.policy_domain,
            destinations(failure.ruf),
            organization_of(self._resolver),
            tag="ruf",
        )
        if not wanted:
            log.info("no failure report", domain=failure.policy_domain, reason="nobody takes it")
            return
        to = [one.target for one in wanted]
        spf_record = await self._spf(failure.spf.domain)
        for kind, incidents in about.items():
            made = letter(
                failure,
                kind,
                Envelope(settings.sender, to, self._token(), now),
                hostname=hostname,
                spf_record=spf_record,
                incidents=incidents,
                key=key,
            )
            await self._work.write(partial(self._leave, made, settings.sender, to))
            log.info(
                "failure report",
                domain=failure.policy_domain,
                about=kind,
                to=to,
                incidents=incidents,
            )

    def _leave(self, made: Letter, sender: str, to: list[str], tx: Write) -> None:
        post(tx, made, sender, to, self._terms, self._token())

    async def _spf(self, domain: str) -> str:
        """The SPF record of *domain*, as far as it can be shown on a line; "" without one."""
        try:
            answer = await self._resolver.txt(domain)
        except LookupFailed:
            return ""
        for value in answer.values:
            if value.lower().startswith(b"v=spf1"):
                text = value.decode("ascii", "replace")[:450]
                return "".join(c if c.isprintable() and c != '"' else "?" for c in text)
        return ""
