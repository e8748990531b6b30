"""Write jobs are handed over together: at once by a quiet loop, before long by a busy one."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mailserver.servers.gather import LONGEST_S, PATIENCE_S, QUIET_S, Gathering


class Rounds:
    """A loop and its clock: each round takes as long as it is told."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._soon: list[Callable[[], None]] = []

    def call_soon(self, call: Callable[[], None]) -> None:
        self._soon.append(call)

    def pass_round(self, seconds: float) -> None:
        self.now += seconds
        calls, self._soon = self._soon, []
        for call in calls:
            call()

    @property
    def is_idle(self) -> bool:
        return not self._soon


@pytest.fixture
def rounds(monkeypatch) -> Rounds:
    rounds = Rounds()
    clock = SimpleNamespace(monotonic=lambda: rounds.now)
    monkeypatch.setattr("mailserver.servers.gather.time", clock)
    return rounds


def gathering(rounds: Rounds) -> tuple[Gathering[int], list[list[int]]]:
    handed: list[list[int]] = []
    loop: Any = rounds
    return Gathering(loop, handed.append), handed


def test_a_quiet_loop_hands_over_after_one_round(rounds: Rounds) -> None:
    jobs, handed = gathering(rounds)
    jobs.add(1)
    assert handed == []
    rounds.pass_round(QUIET_S / 2)
    assert handed == [[1]]
    assert rounds.is_idle


def test_what_comes_while_the_loop_is_busy_goes_together_and_in_order(rounds: Rounds) -> None:
    jobs, handed = gathering(rounds)
    for n in range(5):
        jobs.add(n)
        rounds.pass_round(PATIENCE_S / 2)
    assert handed == []
    rounds.pass_round(QUIET_S / 2)
    assert handed == [[0, 1, 2, 3, 4]]
    jobs.add(5)
    rounds.pass_round(QUIET_S / 2)
    assert handed[1:] == [[5]]


def test_one_job_waits_only_a_little_for_a_busy_loop(rounds: Rounds) -> None:
    jobs, handed = gathering(rounds)
    jobs.add(1)
    rounds.pass_round(PATIENCE_S * 0.9)
    assert handed == []
    rounds.pass_round(PATIENCE_S * 0.2)
    assert handed == [[1]]


def test_many_jobs_wait_longer_but_not_for_ever(rounds: Rounds) -> None:
    jobs, handed = gathering(rounds)
    count = 0
    while not handed:
        count += 1
        jobs.add(count)
        rounds.pass_round(PATIENCE_S / 4)
    assert handed == [list(range(1, count + 1))]
    assert LONGEST_S / PATIENCE_S < count < LONGEST_S / PATIENCE_S * 5


def test_the_end_hands_over_what_is_there(rounds: Rounds) -> None:
    jobs, handed = gathering(rounds)
    jobs.add(1)
    jobs.end()
    jobs.end()
    rounds.pass_round(1)
    assert handed == [[1]]
    assert rounds.is_idle
