"""A coroutine that is begun at once: where nothing has to be waited for, there is no task and no turn of the loop.

Most look-ups are answered from memory; a task for each would cost more than the answers.  The coroutine runs up to its
first wait in whatever task begins it, so it must not ask which task that is, nor set a timeout, before it waits for
something that another task brings: that is how `net/dns.py` answers.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Done(Generic[T]):
    """A result that is there, as a future that is done has it."""

    __slots__ = ("_result",)

    def __init__(self, result: T) -> None:
        self._result = result

    def done(self) -> bool:
        """It is."""
        return True

    def result(self) -> T:
        """What was found."""
        return self._result


Begun = asyncio.Future[T] | Done[T]  #: a result that is there, or comes


def begin(coroutine: Coroutine[Any, Any, T]) -> Begun[T]:
    """Its result, which is there already or comes from a task.  Raises what it raises at once."""
    try:
        waits = coroutine.send(None)
    except StopIteration as end:
        return Done(end.value)
    task = asyncio.get_running_loop().create_task(_go_on(coroutine, waits))
    task.add_done_callback(lambda _: coroutine.close())  # one that was cancelled before it went on
    return task


async def _go_on(coroutine: Coroutine[Any, Any, T], waits: Any) -> T:
    found: T = await _Rest(coroutine, waits)
    return found


class _Rest:
    """What is left of a coroutine that waits for *waits*."""

    __slots__ = ("_coroutine", "_waits")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits: Any) -> None:
        self._coroutine = coroutine
        self._waits = waits

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, waits = self._coroutine, self._waits
        while True:
            try:
                try:
                    sent = yield waits
                except BaseException as error:
                    waits = coroutine.throw(error)
                else:
                    waits = coroutine.send(sent)
            except StopIteration as end:
                return end.value
