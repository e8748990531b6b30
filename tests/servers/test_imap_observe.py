"""Looks at accounts for those who listen: one for all of them, none for nobody (RFC 5465 §3.1)."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mailserver.base.errors import TryLater
from mailserver.base.ids import AccountId, ModSeq
from mailserver.imap.elsewhere import State
from mailserver.imap.notify import METADATA, Request
from mailserver.imap.observer import Observer
from mailserver.imap.session import Session
from mailserver.servers import imap_observe
from mailserver.servers.hub import Hub
from mailserver.servers.imap_observe import Observing
from mailserver.servers.work import Work
from mailserver.store.values import Changes

ALICE, BOB = AccountId(1), AccountId(2)


class Ear:
    """A connection of *account*."""

    def __init__(self, account: AccountId, request: Request | None = None) -> None:
        observer = None if request is None else Observer(request)
        account_ = SimpleNamespace(id=account)
        self.session = cast(Session, SimpleNamespace(observer=observer, account=account_))
        self.heard: list[State] = []

    def hear_elsewhere(self, state: State) -> None:
        self.heard.append(state)


class Store:
    """Gives states with the modseqs that it is told to give; *trouble* is raised once."""

    def __init__(self) -> None:
        self.looks = 0
        self.modseqs = {ALICE: ModSeq(1)}
        self.trouble: Exception | None = None

    async def read(self, job: Callable[[Any], Any]) -> State:
        await asyncio.sleep(0)
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        self.looks += 1
        return State(dict(self.modseqs), {}, frozenset())


@contextmanager
def observing(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Observing, Hub, Store]]:
    monkeypatch.setattr(imap_observe, "PAUSE_S", 0.005)
    monkeypatch.setattr(imap_observe, "RETRY_S", 0.005)
    tasks: set[asyncio.Task[None]] = set()

    def start(job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(job)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    hub, store = Hub(), Store()
    yield Observing(hub, cast(Work, store), start), hub, store


def changed(*accounts: AccountId) -> Changes:
    return Changes(accounts=frozenset(accounts))


def test_one_look_for_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with observing(monkeypatch) as (o, hub, store):
            ears = [Ear(ALICE, Request((METADATA,))) for _ in range(5)]
            for ear in ears:
                o.wait(ear)
            await asyncio.sleep(0.05)
            assert store.looks == 1
            assert [len(ear.heard) for ear in ears] == [1] * 5
            for _ in range(20):
                hub.changed(changed(ALICE))
            await asyncio.sleep(0.05)
            assert store.looks in (2, 3)
            assert all(ear.heard[-1] is ears[0].heard[-1] for ear in ears)
            # who does something else hears it when it listens again
            before = len(ears[0].heard)
            o.stop_waiting(ears[0])
            hub.changed(changed(ALICE))
            await asyncio.sleep(0.05)
            assert len(ears[0].heard) == before < len(ears[1].heard)
            o.wait(ears[0])
            await asyncio.sleep(0.05)
            assert len(ears[0].heard) == before + 1

    asyncio.run(main())


def test_accounts_that_come_into_sight_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with observing(monkeypatch) as (o, hub, store):
            ear = Ear(ALICE, Request((METADATA,)))
            o.wait(ear)
            await asyncio.sleep(0.03)
            hub.changed(changed(BOB))
            await asyncio.sleep(0.03)
            assert len(ear.heard) == 1
            store.modseqs[BOB] = ModSeq(7)
            hub.changed(Changes(directory=True))  # a right was given to a group
            await asyncio.sleep(0.03)
            assert (
                len(ear.heard) == 3
            )  # once more: nobody has told what happened before it was watched
            hub.changed(changed(BOB))
            await asyncio.sleep(0.03)
            assert len(ear.heard) == 4

    asyncio.run(main())


def test_trouble_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with observing(monkeypatch) as (o, _, store):
            store.trouble = TryLater("disk")
            ear = Ear(ALICE, Request((METADATA,)))
            o.wait(ear)
            await asyncio.sleep(0.1)
            assert (len(ear.heard), store.looks) == (1, 1)

    asyncio.run(main())


def test_who_asks_for_nothing_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with observing(monkeypatch) as (o, hub, store):
            for ear in (Ear(ALICE), Ear(ALICE, Request())):
                o.wait(ear)
                hub.changed(changed(ALICE))
                o.stop_waiting(ear)
                o.leave(ear)
            gone = Ear(ALICE, Request((METADATA,)))
            o.wait(gone)
            await asyncio.sleep(0.03)
            o.stop_waiting(gone)
            o.leave(gone)
            looks = store.looks
            hub.changed(changed(ALICE))
            hub.changed(Changes(directory=True))
            await asyncio.sleep(0.03)
            assert store.looks == looks == 1

    asyncio.run(main())
