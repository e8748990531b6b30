"""Work in the background takes what nobody else wants: idle processors, and little of busy ones."""

from pathlib import Path

import pytest

from mailserver.jobs import pace
from mailserver.jobs.pace import (
    AT_EASE,
    BUSY,
    CAREFULLY,
    HARDLY,
    LONGEST_REST_S,
    PATIENTLY,
    PRESS,
    RUSH,
    Pace,
    Processors,
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, in a list that a test may change."""
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("jobs", "idle_s", "factor"),
    [
        (0, 1.9, AT_EASE),
        (0, 0.4, AT_EASE),  # with its own 0.2 half a processor
        (BUSY * 2, 1.9, CAREFULLY),
        (BUSY * 2, 0.4, PATIENTLY),  # who waits may need what it uses itself
        (BUSY * 2, 0.0, PATIENTLY),
        (0, 0.0, PATIENTLY),
        (
            RUSH * 2,
            1.9,
            HARDLY,
        ),  # one interpreter is not more than one, with however many processors
    ],
)
def test_how_long_it_rests(clock: list[float], jobs: int, idle_s: float, factor: float) -> None:
    handed = [7]
    one = Pace(lambda: handed[0], lambda: (1.0, idle_s))
    handed[0] += jobs
    clock[0] += 1.0
    assert one.rest(0.2) == pytest.approx(factor * 0.2)
    assert one.is_careful == (factor != AT_EASE)


def test_a_rush_that_begins_during_a_piece_of_work_ends_it(clock: list[float]) -> None:
    handed = [7]
    one = Pace(lambda: handed[0], lambda: (60.0, 100.0))
    clock[0] += 60.0  # a quiet minute
    one.begin()
    handed[0] += PRESS
    assert not one.is_pressed()
    handed[0] += 1
    assert one.is_pressed()
    clock[0] += 0.1
    assert one.rest(0.02) == pytest.approx(HARDLY * 0.02)
    assert one.is_careful
    assert one.is_rush
    one.begin()
    handed[0] += PRESS * 2
    assert not one.is_pressed(), "it is a small piece, and rests long after it"


def test_it_keeps_its_pace_until_more_is_known(clock: list[float]) -> None:
    said: list[tuple[float, float] | None] = [None, (1.0, 0.1), None, None, (1.0, 0.1)]
    one = Pace(lambda: 0, lambda: said.pop(0))
    factors = []
    for _ in range(5):
        clock[0] += 1.0
        factors.append(one.rest(0.2) / 0.2)
    # 0.1 idle and twice 0.2 of its own: just enough; then it had 0.1 and three times 0.2
    assert factors == pytest.approx([AT_EASE] * 5)
    one = Pace(lambda: 0, lambda: (1.0, 0.1))
    assert one.rest(0.2) == pytest.approx(PATIENTLY * 0.2)
    assert one.rest(0.5) == pytest.approx(AT_EASE * 0.5)


def test_no_rest_is_too_long_while_there_is_room(clock: list[float]) -> None:
    assert Pace(lambda: 0, lambda: (1.0, 1.0)).rest(60.0) == LONGEST_REST_S


def test_what_linux_says_of_processors(clock: list[float], tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_bytes(b"cpu  10 0 10 1000 50 0 0 0 0 0\ncpu0 5 0 5 500 25 0 0 0 0 0\n")
    processors = Processors(stat)
    clock[0] += 0.1
    assert processors.free() is None
    clock[0] += 0.9
    stat.write_bytes(b"cpu  10 0 10 1090 60 0 0 0 0 0\n")
    assert processors.free() == pytest.approx((1.0, 1.0))
    assert processors.free() is None


@pytest.mark.parametrize("content", [b"", b"nonsense", b"cpu 1 2 3 x y", None])
def test_where_nobody_says_processors_are_busy(
    clock: list[float], tmp_path: Path, content: bytes | None
) -> None:
    stat = tmp_path / "stat"
    if content is not None:
        stat.write_bytes(content)
    processors = Processors(stat)
    clock[0] += 1.0
    assert processors.free() == (pytest.approx(1.0), 0.0)
