"""Coroutines that are begun at once."""

import asyncio
from contextlib import suppress

import pytest

from mailserver.servers.begun import begin


def test_what_waits_for_nothing_is_done_at_once() -> None:
    async def main() -> None:
        async def answer() -> int:
            return 7

        begun = begin(answer())
        assert begun.done()
        assert begun.result() == 7
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_what_waits_goes_on() -> None:
    async def main() -> list[str]:
        ready, told = asyncio.get_running_loop().create_future(), []

        async def answer() -> int:
            told.append("begun")
            found = await ready
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            async with asyncio.timeout(1):
                return found + await asyncio.create_task(asyncio.sleep(0, 1))

        begun = begin(answer())
        assert told == ["begun"]
        assert not begun.done()
        ready.set_result(7)
        assert await begun == 8
        return told

    assert asyncio.run(main()) == ["begun"]


def test_errors_and_cancellation_reach_it() -> None:
    async def main() -> None:
        told: list[str] = []
        broken = asyncio.get_running_loop().create_future()

        async def answer() -> None:
            try:
                await broken
            except ValueError:
                told.append("error")
            try:
                await asyncio.sleep(60)
            finally:
                told.append("over")

        begun = begin(answer())
        broken.set_exception(ValueError())
        while told != ["error"]:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        begun.cancel()
        with pytest.raises(asyncio.CancelledError):
            await begun
        assert told == ["error", "over"]

    asyncio.run(main())


def test_one_that_is_cancelled_before_it_goes_on_is_closed() -> None:
    async def main() -> None:
        told: list[str] = []

        async def answer() -> None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                told.append("over")

        begun = begin(answer())
        begun.cancel()
        with suppress(asyncio.CancelledError):
            await begun
        assert told == ["over"]

    asyncio.run(main())


def test_what_fails_at_once_says_so_at_once() -> None:
    async def main() -> None:
        async def answer() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            begin(answer())

    asyncio.run(main())
