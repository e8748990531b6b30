"""The table of what runs by itself: jobs, from time to time, and services, for as long as a worker leads.

A module in this folder registers its job or service on import.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailserver.base.limits import Limits
from mailserver.directory.dkim_life import Life
from mailserver.jobs.ways import Ways
from mailserver.servers.handover import Handover
from mailserver.servers.hub import Hub
from mailserver.servers.work import Work
from mailserver.store.store import Store


@dataclass(frozen=True, slots=True)
class Site:
    """What jobs and services work with.

    now:       UTC epoch seconds.
    chance:    a number from 0 up to 1, another one each time.
    token:     a name that nothing else has.
    ways:      how mail leaves.
    smarthost: "smtp:HOST:PORT" for all mail that no route takes; "": there is none.
    reads_attachments: documents attached to messages are indexed.
    handover:  what is accepted in this process and leaves at once.
    spool:     the folder for messages on their way.
    seals:     the folder with the key of what is sealed.
    dkim:      how long each part of a signing key's life takes.
    """

    work: Work
    store: Store
    now: Callable[[], float]
    limits: Limits
    hub: Hub
    hostname: str
    chance: Callable[[], float]
    token: Callable[[], str]
    ways: Ways
    smarthost: str = ""
    handover: Handover = field(default_factory=Handover)
    reads_attachments: bool = True
    spool: Path = Path("spool")
    seals: Path = Path()
    dkim: Life = field(default_factory=Life)


Run = Callable[[Site], Coroutine[Any, Any, None]]
Serve = Callable[[Site, asyncio.Event], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Job:
    """Done from time to time: *first_s* after a worker began to lead, then *every_s* after the last run ended."""

    name: str
    every_s: float
    first_s: float
    run: Run


@dataclass(frozen=True, slots=True)
class Service:
    """Something that runs until its event says that it is to end; it has a moment then to finish what it does."""

    name: str
    serve: Serve


JOBS: dict[str, Job] = {}
SERVICES: dict[str, Service] = {}


def job(name: str, *, every_s: float, first_s: float) -> Callable[[Run], Run]:
    """Registers the coroutine function it stands over."""

    def register(run: Run) -> Run:
        JOBS[name] = Job(name, every_s, first_s, run)
        return run

    return register


def service(name: str) -> Callable[[Serve], Serve]:
    """Registers the coroutine function it stands over."""

    def register(serve: Serve) -> Serve:
        SERVICES[name] = Service(name, serve)
        return serve

    return register
