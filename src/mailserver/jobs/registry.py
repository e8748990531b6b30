"""The table of jobs: what runs by itself, and how often.  A module in this folder registers its job on import."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from mailserver.base.limits import Limits
from mailserver.servers.work import Work
from mailserver.store.store import Store


@dataclass(frozen=True, slots=True)
class Site:
    """What a job works with.

    now: UTC epoch seconds.
    """

    work: Work
    store: Store
    now: Callable[[], float]
    limits: Limits = field(default_factory=Limits)


Run = Callable[[Site], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Job:
    """One of them; *first_s* after a worker began to lead, then *every_s* after the last run ended."""

    name: str
    every_s: float
    first_s: float
    run: Run


JOBS: dict[str, Job] = {}


def job(name: str, *, every_s: float, first_s: float) -> Callable[[Run], Run]:
    """Registers the coroutine function it stands over."""

    def register(run: Run) -> Run:
        JOBS[name] = Job(name, every_s, first_s, run)
        return run

    return register
