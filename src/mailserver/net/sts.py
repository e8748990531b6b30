"""MTA-STS policies of other domains: fetched when a record says there is one, kept while they hold, renewed in time.

Spec: RFC 8461 §3.3, §5.1, §10.2.  Status: complete.

What is kept counts until it runs out, whatever the DNS or the web server say meanwhile: who could make a policy vanish
could read the mail.  A fetch that fails is not repeated for a while.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from mailserver.base.limits import StsLimits
from mailserver.base.log import Log
from mailserver.mailauth import mta_sts
from mailserver.mailauth.mta_sts import Found, Mode, Policy, PolicyError
from mailserver.mailauth.resolver import Answer, NoData, NoSuchDomain, Trouble
from mailserver.net.https import HttpsError, Response
from mailserver.store.policies import Kept
from mailserver.store.sidefile import DAMAGED, PASSING

DAY = 86_400

log = Log("mta-sts")


class Texts(Protocol):
    """What is asked of the DNS (`net/dns.py`)."""

    async def txt(self, name: str) -> Answer[bytes]:
        """TXT records; raises NoSuchDomain, NoData or Trouble."""


class Web(Protocol):
    """What is asked of web servers (`net/https.py`)."""

    async def get(self, host: str, path: str, *, most: int, timeout_s: float) -> Response:
        """What is there; raises HttpsError."""


class Keeps(Protocol):
    """Where policies stay over a restart (`store/policies.py`); blocks, for one thread at a time."""

    def all(self, most: int) -> list[Kept]:
        """At most *most* of them."""

    def put(self, kept: Kept) -> None:
        """In place of what was there for its domain."""

    def forget(self, some: Iterable[Kept]) -> None:
        """Remove these."""

    def close(self) -> None:
        """Let go of it."""


class _Failed(NamedTuple):
    """A fetch that came to nothing."""

    id: str
    kind: str
    text: str
    until: float


class _NotFetched(Exception):
    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Policies:
    """Those that one process knows; it belongs to one event loop."""

    def __init__(
        self, texts: Texts, web: Web, file: Keeps, limits: StsLimits, now: Callable[[], float]
    ) -> None:
        """now: UTC epoch seconds."""
        self._texts = texts
        self._web = web
        self._file = file
        self._limits = limits
        self._now = now
        self._known: dict[str, tuple[Kept, Policy]] | None = None
        self._failed: dict[str, _Failed] = {}
        self._finding: dict[str, asyncio.Task[Found]] = {}
        self._of_file = asyncio.Lock()
        self._fetches = asyncio.Semaphore(limits.fetches)

    async def find(self, domain: str) -> Found:
        """What holds for *domain* now; who asks while it is being found out waits for the same answer."""
        task = self._finding.get(domain)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._find(domain))
            self._finding[domain] = task
            task.add_done_callback(lambda _: self._finding.pop(domain, None))
        return await asyncio.shield(task)

    async def refresh(self) -> int:
        """Fetches anew what is used and was fetched a day ago, lets go of what has run out; how many were fetched."""
        known, now = await self._all(), self._now()
        over = [kept for kept, _ in known.values() if kept.expires_at <= now]
        for kept in over:
            del known[kept.domain]
        if over:
            await self._in_file(lambda: self._file.forget(over))
        due = [
            kept
            for kept, _ in known.values()
            if kept.fetched_at + self._limits.refresh_s <= now
            and kept.used_at + self._limits.unused_s > now
        ]
        done = 0
        for kept in due:
            # without a record too: who can make it vanish shall not see the policy run out (RFC 8461 §10.2)
            id = await self._id(kept.domain) or kept.id
            try:
                await self._fetch(kept.domain, id, kept.used_at)
                done += 1
            except _NotFetched as error:
                if known[kept.domain][1].mode is Mode.NONE:  # whoever leaves may (RFC 8461 §3.3)
                    continue
                log.warning(
                    "an MTA-STS policy could not be fetched anew",
                    domain=kept.domain,
                    reason=str(error),
                    hours_left=round((kept.expires_at - now) / 3_600),
                )
        return done

    async def _find(self, domain: str) -> Found:
        id = await self._id(domain)
        held = (await self._all()).get(domain)
        if held is not None and held[0].expires_at <= self._now():
            held = None
        policy = held[1] if held is not None else None
        if not id or (held is not None and held[0].id == id):
            if held is not None:
                await self._used(held)
            return Found(policy)
        failed = self._failed.get(domain)
        if failed is None or failed.id != id or failed.until <= self._now():
            try:
                return Found(await self._fetch(domain, id, self._today()))
            except _NotFetched as error:
                failed = self._fail(domain, id, error)
        return Found(policy, failed.kind, failed.text)

    async def _id(self, domain: str) -> str:
        """What the record says; "": there is none, or nobody knows (RFC 8461 §3.1)."""
        try:
            async with asyncio.timeout(self._limits.record_s):
                found = await self._texts.txt(mta_sts.record_name(domain))
        except (NoSuchDomain, NoData, Trouble, TimeoutError):
            return ""
        return mta_sts.record_id(found.values)

    async def _fetch(self, domain: str, id: str, used_at: int) -> Policy:
        """The policy as it is now, kept from now on.  Raises _NotFetched."""
        limits = self._limits
        try:
            async with self._fetches:
                response = await self._web.get(
                    mta_sts.host(domain),
                    mta_sts.PATH,
                    most=limits.policy_size,
                    timeout_s=limits.fetch_s,
                )
        except HttpsError as error:
            kind = "sts-webpki-invalid" if error.is_untrusted else "sts-policy-fetch-error"
            raise _NotFetched(kind, str(error)) from error
        if response.status != 200:  # nothing is followed (RFC 8461 §3.3)
            raise _NotFetched("sts-policy-fetch-error", f"the web server says {response.status}")
        if response.media_type != "text/plain":
            text = f"it is of type {response.media_type[:60] or 'unknown'}, not text/plain"
            raise _NotFetched("sts-policy-invalid", text)
        try:
            policy = mta_sts.parse(response.body)
        except PolicyError as error:
            raise _NotFetched("sts-policy-invalid", str(error)) from error
        now = int(self._now())
        holds_s = max(policy.max_age, int(limits.retry_s))  # nobody has us fetch for every message
        await self._keep(Kept(domain, id, str(policy), now, now + holds_s, used_at), policy)
        log.info(
            "MTA-STS policy fetched", domain=domain, id=id, mode=policy.mode, mx=policy.mx[:10]
        )
        return policy

    def _fail(self, domain: str, id: str, error: _NotFetched) -> _Failed:
        log.warning("an MTA-STS policy could not be fetched", domain=domain, reason=str(error))
        failed = _Failed(id, error.kind, str(error), self._now() + self._limits.retry_s)
        while len(self._failed) >= self._limits.policies:
            del self._failed[next(iter(self._failed))]
        self._failed[domain] = failed
        return failed

    # -- what is kept

    async def _all(self) -> dict[str, tuple[Kept, Policy]]:
        """By domain, those unused for longest first; read from the file once."""
        if self._known is None:
            rows = await self._in_file(lambda: self._file.all(self._limits.policies)) or []
            if self._known is None:
                self._known = {}
                for kept in reversed(rows):
                    try:
                        self._known[kept.domain] = kept, mta_sts.parse(kept.text.encode())
                    except PolicyError as error:
                        log.error("a policy kept cannot be read", domain=kept.domain, error=error)
        return self._known

    async def _keep(self, kept: Kept, policy: Policy) -> None:
        known = await self._all()
        self._failed.pop(kept.domain, None)
        known.pop(kept.domain, None)
        gone = []
        while len(known) >= self._limits.policies:
            gone.append(known.pop(next(iter(known)))[0])
        known[kept.domain] = kept, policy

        def write() -> None:
            self._file.put(kept)
            if gone:
                self._file.forget(gone)

        await self._in_file(write)

    async def _used(self, held: tuple[Kept, Policy]) -> None:
        """Written down once a day."""
        kept, policy = held
        if kept.used_at < self._today():
            await self._keep(kept._replace(used_at=self._today()), policy)

    def _today(self) -> int:
        return int(self._now()) // DAY * DAY

    async def _in_file(self, act: Callable[[], "list[Kept] | None"]) -> "list[Kept] | None":
        """What *act* returned; a file in trouble is as good as none."""
        async with self._of_file:
            try:
                return await asyncio.to_thread(act)
            except (*DAMAGED, *PASSING) as error:
                log.error("policies.db cannot be used", reason=str(error))
                return None

    async def close(self) -> None:
        """Let go of the file."""
        async with self._of_file:
            await asyncio.to_thread(self._file.close)
