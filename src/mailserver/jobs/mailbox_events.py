"""Scripts that run for what happened in mailboxes: one command after the other, a few messages at a time.

Spec: RFC 6785 §2.2, §3, §4.  Status: complete.

What a slice of messages needs is worked out by readers; then one transaction does it and forgets the slice, so that
each message has its script once, whatever breaks off.  What scripts do causes no further event, but for flags that a
script sets where messages arrive (RFC 6785 §2.2.3).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from mailserver.base.errors import Corrupt, Expunged, MailError, NotFound, TryLater
from mailserver.base.ids import Uid
from mailserver.base.log import Log
from mailserver.directory.scripts import loader
from mailserver.directory.time_zones import local
from mailserver.jobs.event_acts import Planned, act
from mailserver.jobs.registry import Site, service
from mailserver.mime import layout
from mailserver.mta.filtering import Compiled
from mailserver.mta.mailbox_events import compile_for_events, plan_event
from mailserver.servers.filters import informed
from mailserver.sieve.environment import Environment
from mailserver.sieve.message import Message
from mailserver.store import flags as bits
from mailserver.store.events import Event, split
from mailserver.store.scripts import Owner
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account, Mailbox

SLICE: Final = 20  #: messages of one command that are looked at before others have their turn
IDLE_S: Final = 60.0  #: between two looks, if nothing wakes it
REST_S: Final = 0.1  #: so that what happens at once is looked for once
AGAIN_S: Final = 5.0  #: after trouble

log = Log("sieve")


@dataclass(frozen=True, slots=True)
class Work:
    """A slice of an event: whose mailbox it is, and its messages."""

    owner: Account
    mailbox: Mailbox
    plans: Sequence[Planned]


@service("mailbox_events")
async def run_event_scripts(site: Site, stopping: asyncio.Event) -> None:
    """Runs what waits, and then what comes."""
    woken = asyncio.Event()
    site.hub.watch_queue(woken.set)
    try:
        while not stopping.is_set():
            woken.clear()
            try:
                while not stopping.is_set() and await _one(site):
                    pass
            except MailError as error:
                log.warning("scripts for mailbox events put off", reason=str(error))
                await _pause(stopping, asyncio.Event(), AGAIN_S)
            await _pause(stopping, woken, IDLE_S)
            await _pause(stopping, asyncio.Event(), REST_S)
    finally:
        site.hub.unwatch_queue(woken.set)


async def _pause(stopping: asyncio.Event, woken: asyncio.Event, seconds: float) -> None:
    """Until either is set, or the time is over."""
    waits = [asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(woken.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()


async def _one(site: Site) -> bool:
    """A slice of the event that waits longest; whether there was one."""
    event = await site.work.read(lambda tx: tx.events.first())
    if event is None:
        return False
    now, left = split(event.uids, SLICE)
    try:
        work = await site.work.read(partial(_prepare, site, event, now))
        await site.work.write(partial(_carry_out, site, event, work, left))
    except TryLater:
        raise
    except Exception as error:  # a mistake of ours as well: others wait behind this event
        log.error("no script for a mailbox event", account=event.account, error=error)
        await site.work.write(lambda tx: tx.events.done(event, left))
    return True


def _carry_out(site: Site, event: Event, work: Work | None, left: str, tx: Write) -> None:
    if work is not None:
        act(tx, site, event, work.owner, work.mailbox, work.plans)
    tx.events.done(event, left if work is not None else "")


def _prepare(site: Site, event: Event, uids: Sequence[Uid], tx: Read) -> Work | None:
    """What the scripts want, in a reader's thread; None where there is nothing to run any more."""
    mailbox = tx.mailboxes.by_id(event.mailbox)
    try:
        owner = tx.accounts.get(event.account)
    except NotFound:
        return None
    if mailbox is None or mailbox.account != owner.id:
        return None
    scripts = _scripts(site, tx, event)
    if not scripts:
        return None
    environment = _environment(site, tx, event, owner, mailbox)
    plans = []
    columns = "uid", "flags", "keywords", "blob", "size", "header_size", "layout"
    for uid, flags, keywords, blob, size, header_size, packed in list(
        tx.messages.rows(mailbox.id, uids, *columns)
    ):
        if size > site.limits.sieve.event_size:
            log.warning("no script for a large message", account=owner.id, size=size)
            continue
        try:
            raw = tx.blobs.read(blob)
        except (Expunged, Corrupt) as error:
            log.warning("no script for a message", account=owner.id, reason=str(error))
            continue
        message = Message(raw, header_size, size, partial(layout.unpack, packed))
        seen: list[tuple[str, int]] = []
        names = [name for bit, name in bits.NAMES.items() if flags & bit]
        about = informed(tx, environment(names + keywords.split()), owner, scripts, seen)
        plan = plan_event(scripts, message, about, site.limits.sieve, seen)
        plans.append(Planned(uid, header_size, message, plan))
    return Work(owner, mailbox, plans)


def _scripts(site: Site, tx: Read, event: Event) -> list[Compiled]:
    """Those of domain and server before the owner's, his own, those behind it; one that is not there runs not."""
    own = Owner(account=event.account)
    around = tx.events.around(event.account, event.mailbox, event.cause, event.source)
    refs = [one.id for one in around if one.place == "before"]
    name = tx.events.script(event.account, event.mailbox)
    if name:
        try:
            refs.append(tx.scripts.find(own, name).id)
        except NotFound:  # RFC 6785 §2.3.1: then none runs
            log.info("a mailbox names a script that is not there", account=event.account, name=name)
    refs += [one.id for one in around if one.place == "after"]
    load, limits = loader(tx, own), site.limits.sieve
    out = []
    for ref in refs:
        try:
            found = tx.scripts.name(ref), tx.scripts.content(ref)
        except NotFound:
            continue
        out.append(compile_for_events(*found, limits, load))
    return out


def _environment(
    site: Site, tx: Read, event: Event, owner: Account, mailbox: Mailbox
) -> Callable[[Sequence[str]], Environment]:
    """What all messages of the event have in common; called with the flags of one (RFC 6785 §4)."""
    actor = ""
    if event.actor is not None:
        with suppress(NotFound):
            actor = tx.accounts.get(event.actor).address
    items = {
        "location": "MS",
        "phase": "post",
        "name": "mailserver",
        "imap.user": actor,
        "imap.email": actor,
        "imap.cause": event.cause,
        "imap.mailbox": mailbox.name,
        "imap.changedflags": event.changed,
    }
    source = None if event.source is None else tx.mailboxes.by_id(event.source)
    if source is not None and source.account == mailbox.account:
        items["vnd.mailserver.source"] = source.name
    now = local(owner, site.now())

    def of(flags: Sequence[str]) -> Environment:
        return Environment(now=now, items=items, flags=tuple(flags), has_envelope=False)

    return of
