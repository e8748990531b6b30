"""The thread behind a side file: nobody waits for it, trouble delays it, and nothing but its owner ends it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw
import pytest

from mailserver.store import sidewriter
from mailserver.store.sidewriter import SideWriter

WAIT_S = 10


class Shelf:
    """What waits, and what was written; *trouble* is raised as often as it says."""

    def __init__(self, *trouble: Exception) -> None:
        self.waiting: list[int] = []
        self.written: list[list[int]] = []
        self.trouble = list(trouble)
        self.is_done = threading.Event()

    def write(self) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        batch, self.waiting = self.waiting, []
        self.written.append(batch)
        self.is_done.set()


@contextmanager
def writing(shelf: Shelf, gather_s: float = 0.0) -> Iterator[Callable[[int], None]]:
    writer = SideWriter("shelf", shelf.write, lambda: len(shelf.waiting), gather_s)

    def leave(thing: int) -> None:
        shelf.waiting.append(thing)
        writer.wake()

    writer.start()
    try:
        yield leave
    finally:
        writer.close()


def test_what_comes_while_it_gathers_is_written_at_once_and_the_rest_at_the_end() -> None:
    shelf = Shelf()
    with writing(shelf, gather_s=60) as leave:
        for n in range(3):
            leave(n)
    assert shelf.written[0] == [0, 1, 2]
    assert "shelf" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    "error", [apsw.FullError("full"), OSError(5, "gone"), apsw.CorruptError("x")]
)
def test_trouble_delays_and_is_told_once(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sidewriter, "RETRY_S", 0.01)
    shelf = Shelf(error, error, error)
    with writing(shelf) as leave:
        leave(1)
        assert shelf.is_done.wait(WAIT_S)
    assert [1] in shelf.written
    (line,) = [r for r in caplog.records if r.getMessage() == "shelf cannot be written"]
    assert line.mail_fields == {"reason": str(error), "waiting": 1}  # type: ignore[attr-defined]


def test_a_bug_is_logged_and_the_thread_lives(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(ZeroDivisionError("ours"))
    with writing(shelf) as leave:
        leave(1)
        assert shelf.is_done.wait(WAIT_S)  # what the bug left is tried again without another wake
    assert [1] in shelf.written
    assert [r.getMessage() for r in caplog.records] == ["bug"]
