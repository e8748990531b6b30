"""Overload begins late, ends later, and turns users away last."""

import asyncio

import pytest

from mailserver.base.limits import OverloadLimits
from mailserver.servers.limits import Budget
from mailserver.servers.load import BEGINS_AFTER, ENDS_AFTER, Load

LIMITS = OverloadLimits(loop_lag_s=1.0, input_memory=0.8, writer_jobs=100, ends_at=0.5)


def looks(load: Load, lag_s: float, times: int) -> None:
    for _ in range(times):
        load.look(lag_s)


def told(load: Load) -> tuple[bool, bool]:
    """Whether servers, and users, are turned away."""
    return bool(load.overload(is_for_users=False)), bool(load.overload(is_for_users=True))


def test_a_lag_must_last(caplog: pytest.LogCaptureFixture) -> None:
    load = Load(LIMITS, Budget(1_000), lambda: 0)
    looks(load, 1.2, BEGINS_AFTER - 1)
    assert told(load) == (False, False)
    looks(load, 0.1, 1)
    looks(load, 1.2, BEGINS_AFTER - 1)
    assert told(load) == (False, False)
    looks(load, 1.2, 1)
    assert told(load) == (True, False)
    assert load.overload(is_for_users=False) == "the loop lags 1.2 s"
    assert caplog.text.count("overload begins") == 1


def test_it_ends_once_all_is_well_below(caplog: pytest.LogCaptureFixture) -> None:
    load = Load(LIMITS, Budget(1_000), lambda: 0)
    looks(load, 1.2, BEGINS_AFTER)
    looks(load, 0.7, 100)
    assert told(load) == (True, False)
    looks(load, 0.4, ENDS_AFTER - 1)
    assert told(load) == (True, False)
    looks(load, 0.4, 1)
    assert told(load) == (False, False)
    assert caplog.text.count("overload ends") == 1


def test_users_are_turned_away_when_it_gets_worse() -> None:
    load = Load(LIMITS, Budget(1_000), lambda: 0)
    looks(load, 2.5, BEGINS_AFTER)
    assert told(load) == (True, True)
    looks(load, 1.2, BEGINS_AFTER)
    assert told(load) == (True, True)  # not back and forth
    looks(load, 0.0, ENDS_AFTER)
    assert told(load) == (False, False)


def test_memory_and_the_writer() -> None:
    memory, waiting = Budget(1_000), 0
    load = Load(LIMITS, memory, lambda: waiting)
    memory.take(900)
    looks(load, 0.0, BEGINS_AFTER)
    assert load.overload(is_for_users=False) == "900 octets of unfinished input"
    memory.give(900)
    looks(load, 0.0, ENDS_AFTER)
    waiting = 150
    looks(load, 0.0, BEGINS_AFTER)
    assert load.overload(is_for_users=False) == "150 jobs wait for the writer"


def test_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailserver.servers.load.EVERY_S", 0.01)

    async def main() -> None:
        load = Load(LIMITS, Budget(10), lambda: 1_000)
        load.start()
        while told(load) != (True, True):
            await asyncio.sleep(0.01)
        await load.stop()
        await load.stop()

    asyncio.run(asyncio.wait_for(main(), 10))
