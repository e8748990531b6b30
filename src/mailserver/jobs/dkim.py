"""Keys that mail is signed with: every domain has some, successors come and take over, old ones are forgotten.

Spec: RFC 6376 §3.1, §6.1.2.  Status: complete.
"""

from collections.abc import Sequence
from functools import partial

from mailserver.base.errors import MailError, TryLater
from mailserver.base.log import Log
from mailserver.directory import dkim_keys, dkim_life
from mailserver.directory.seal import load_or_make
from mailserver.jobs.registry import Site, job
from mailserver.mailauth.resolver import LookupFailed, NoData, NoSuchDomain
from mailserver.store.dkim_keys import (
    ACTIVE,
    PENDING,
    RETIRED,
    RETIRING,
    DkimKey,
    NewDkimKey,
)
from mailserver.store.tx import Read, Write
from mailserver.store.values import Domain

EVERY_S = 600
LOOK_S = 21_600  #: between two looks at a key that nothing waits for
REMIND_S = 86_400  #: between two reminders of a key that nobody publishes; a multiple of LOOK_S

log = Log("dkim")


@job("dkim keys", every_s=EVERY_S, first_s=1)
async def look_after_keys(site: Site) -> None:
    """Make the keys that are missing, and let each go on in its life."""
    now = site.now()

    def look(tx: Read) -> list[tuple[Domain, Sequence[DkimKey]]]:
        keys: dict[int, list[DkimKey]] = {}
        for key in tx.dkim_keys.all():
            keys.setdefault(key.domain_id, []).append(key)
        return [(domain, keys.get(domain.id, ())) for domain in tx.domains.list()]

    for domain, known in await site.work.read(look):
        try:
            await _look_after(site, domain, known, now)
        except TryLater:
            raise
        except (MailError, OSError) as error:
            log.error("keys cannot be looked after", domain=domain.name, reason=str(error))


async def _look_after(site: Site, domain: Domain, known: Sequence[DkimKey], now: float) -> None:
    keys = await _looked_up(site, known, now)
    if dkim_life.signs(domain) and dkim_life.wanted(keys, now, site.dkim):
        await make(site, domain)
    due = dkim_life.steps(keys, now, site.dkim)
    if due:
        await site.work.write(lambda tx: dkim_life.apply(tx, due))
        for key, state in due:
            log.info(f"key {state}", domain=key.domain, selector=key.selector)


async def _looked_up(site: Site, keys: Sequence[DkimKey], now: float) -> list[DkimKey]:
    """*keys*, each with what the DNS shows of it now; what is not known for now stays as it was."""
    found = []
    for key in keys:
        is_awaited = key.state == PENDING or key.seen_at is None
        if key.state == RETIRED or not (is_awaited or _is_its_turn(key, now, LOOK_S)):
            found.append(key)
            continue
        try:
            why = dkim_keys.why_unlike((await site.ways.resolver.txt(key.name)).values, key)
        except (NoSuchDomain, NoData):
            why = "there is no record"
        except LookupFailed:
            found.append(key)
            continue
        seen_at = None if why else (key.seen_at or int(now))
        if why and key.state != RETIRING and _is_its_turn(key, now, REMIND_S):
            log.warning(
                f"the DNS does not show the key: see `mailserver dns check {key.domain}`",
                domain=key.domain,
                selector=key.selector,
                state=key.state,
                reason=why,
            )
        if seen_at != key.seen_at:
            await site.work.write(partial(_note, key, seen_at))
            say = log.info if seen_at else log.warning
            what = "the DNS shows the key" if seen_at else "the DNS shows the key no more"
            say(what, domain=key.domain, selector=key.selector, state=key.state, reason=why)
        found.append(key._replace(seen_at=seen_at))
    return found


def _note(key: DkimKey, seen_at: int | None, tx: Write) -> None:
    tx.dkim_keys.seen(key.id, seen_at)


def _is_its_turn(key: DkimKey, now: float, every_s: int) -> bool:
    """Each key has its own time, so that not all are looked up at once."""
    return (int(now) + key.id * 613) % every_s < EVERY_S


async def make(site: Site, domain: Domain) -> list[DkimKey]:
    """All keys of *domain*, with those that it needed now.  Raises MailError, OSError."""
    now = site.now()
    keys = await site.work.read(lambda tx: tx.dkim_keys.of(domain.id))
    kinds = dkim_life.wanted(keys, now, site.dkim)
    if not kinds:
        return keys

    def generate() -> Sequence[NewDkimKey]:
        seal = load_or_make(site.seals)
        return dkim_life.make(domain.name, keys, kinds, seal, now, site.dkim)

    new = await site.work.thread(generate)

    def write(tx: Write) -> list[DkimKey]:
        if dkim_life.wanted(tx.dkim_keys.of(domain.id), now, site.dkim) != kinds:
            return []  # somebody else has made them meanwhile
        return dkim_life.put(tx, domain, new)

    for key in await site.work.write(write):
        what = "signs, and needs its record" if key.state == ACTIVE else "waits for its record"
        log.warning(
            f"new key {what} in the DNS: see `mailserver dns records {domain.name}`",
            domain=domain.name,
            selector=key.selector,
            algorithm=key.algorithm,
        )
    return await site.work.read(lambda tx: tx.dkim_keys.of(domain.id))
