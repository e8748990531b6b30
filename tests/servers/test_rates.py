"""Workers that share `cache.db` agree on what was counted."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from mailserver.base.rate_limits import AccountRates, RatesLimits
from mailserver.mta.rates import Counter, Exceeded, Rates, Want
from mailserver.servers.guard import Guard
from mailserver.servers.rates import Exchange
from mailserver.servers.work import Work
from mailserver.store.rates import RateFile
from mailserver.store.store import Store

NOW = 1_700_000_000.0
MESSAGE = Want("account", "alice@example.test", "messages")
HOUR = Counter("account", "alice@example.test", "messages", "hour")
LIMITS = RatesLimits(account=AccountRates(messages_per_hour=10, messages_per_day=0))


class Worker:
    def __init__(self, folder: Path, work: Work) -> None:
        self.rates = Rates(LIMITS)
        self.guard = Guard(self.rates, lambda: NOW)
        self.exchange = Exchange(folder, work, self.rates, self.guard, lambda: NOW)


def play(tmp_path: Path, use: Callable[[Callable[[], Worker]], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        work = Work(Store(tmp_path, post=loop.call_soon_threadsafe), loop)
        try:
            await asyncio.wait_for(use(lambda: Worker(tmp_path, work)), 20)
        finally:
            work.close()

    asyncio.run(main())


def test_two_workers_share_one_limit(tmp_path: Path) -> None:
    async def use(worker: Callable[[], Worker]) -> None:
        one, two = worker(), worker()
        for _ in range(6):
            one.rates.take([MESSAGE], NOW)
        for _ in range(3):
            two.rates.take([MESSAGE], NOW)
        for each in (one, two, one):
            assert await each.exchange.once()
        assert one.rates.total(HOUR, NOW) == two.rates.total(HOUR, NOW) == 9
        assert isinstance(two.rates.take([MESSAGE], NOW), list)
        assert isinstance(two.rates.take([MESSAGE], NOW), Exceeded)

    play(tmp_path, use)


def test_a_new_worker_knows_what_was_counted_before(tmp_path: Path) -> None:
    async def use(worker: Callable[[], Worker]) -> None:
        one = worker()
        for _ in range(10):
            one.rates.take([MESSAGE], NOW)
        one.guard.learn("alice@example.test", "192.0.2.0/24")
        await one.exchange.stop()
        one.exchange.start()
        await one.exchange.stop()
        two = worker()
        await two.exchange.once()
        assert isinstance(two.rates.take([MESSAGE], NOW), Exceeded)
        assert two.guard.is_known("alice@example.test", "192.0.2.0/24")

    play(tmp_path, use)


def test_what_is_counted_during_an_exchange_is_not_lost(tmp_path: Path) -> None:
    async def use(worker: Callable[[], Worker]) -> None:
        one, two = worker(), worker()
        one.rates.take([MESSAGE], NOW)
        running = asyncio.create_task(one.exchange.once())
        await asyncio.sleep(0)
        for _ in range(3):
            one.rates.take([MESSAGE], NOW)
        await running
        assert one.rates.total(HOUR, NOW) == 4
        await one.exchange.once()
        await two.exchange.once()
        assert two.rates.total(HOUR, NOW) == 4

    play(tmp_path, use)


def test_a_reset_reaches_every_worker(tmp_path: Path) -> None:
    async def use(worker: Callable[[], Worker]) -> None:
        one = worker()
        for _ in range(10):
            one.rates.take([MESSAGE], NOW)
        await one.exchange.once()
        RateFile(tmp_path).reset("alice@example.test")
        await one.exchange.once()
        assert isinstance(one.rates.take([MESSAGE], NOW), list)

    play(tmp_path, use)


def test_without_the_file_each_counts_for_itself(tmp_path: Path) -> None:
    async def use(worker: Callable[[], Worker]) -> None:
        (tmp_path / "cache.db").mkdir()
        one = worker()
        for _ in range(10):
            one.rates.take([MESSAGE], NOW)
            assert not await one.exchange.once()
        assert isinstance(one.rates.take([MESSAGE], NOW), Exceeded)
        (tmp_path / "cache.db").rmdir()
        assert await one.exchange.once()
        two = worker()
        await two.exchange.once()
        assert two.rates.total(HOUR, NOW) == 10

    play(tmp_path, use)


def test_it_runs_by_itself(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("mailserver.servers.rates.EVERY_S", 0.01)

    async def use(worker: Callable[[], Worker]) -> None:
        one, two = worker(), worker()
        one.exchange.start()
        two.exchange.start()
        one.rates.take([MESSAGE], NOW)
        while two.rates.total(HOUR, NOW) != 1:
            await asyncio.sleep(0.01)
        await one.exchange.stop()
        await two.exchange.stop()

    play(tmp_path, use)
