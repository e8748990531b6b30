"""The sliding count: never too little, and too much for one slice only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.window import SLICES, Window

PERIOD = 60.0
SLICE = PERIOD / SLICES
STEPS = st.lists(
    st.tuples(st.floats(0, 2 * PERIOD, allow_subnormal=False), st.integers(1, 5)), max_size=60
)


def test_counts_for_a_period_and_at_most_one_slice_more():
    window = Window(PERIOD)
    window.add(0.0, 3)
    assert window.count(0.0) == 3
    assert window.count(59.9) == 3
    assert window.count(60.0) == 3
    assert window.count(64.9) == 3
    assert window.count(65.0) == 0


@given(STEPS)
def test_what_happened_within_the_period_counts_and_nothing_older_than_a_slice_more(steps):
    window, now, events = Window(PERIOD), 1_000_000.0, []
    for wait, n in steps:
        now += wait
        window.add(now, n)
        events.append((now, n))
        recent = sum(n for at, n in events if at > now - PERIOD)
        stretched = sum(n for at, n in events if at > now - PERIOD - SLICE - 1e-6)
        assert recent <= window.count(now) <= stretched


@given(STEPS, st.integers(1, 8))
def test_never_more_than_allowed_in_any_span_of_a_period(steps, most):
    window, now, admitted = Window(PERIOD), 0.0, []
    for wait, n in steps:
        now += wait
        if window.count(now) + n <= most:
            window.add(now, n)
            admitted.append((now, n))
    for start, _ in admitted:
        assert sum(n for at, n in admitted if start <= at < start + PERIOD) <= most


@given(STEPS, st.integers(0, 8))
def test_after_the_wait_there_is_room_and_before_there_is_none(steps, room):
    window, now = Window(PERIOD), 0.0
    for wait, n in steps:
        now += wait
        window.add(now, n)
    wait_s = window.wait_s(now, room)
    assert wait_s <= PERIOD + SLICE
    assert (wait_s == 0) == (window.count(now) <= room)
    if wait_s > 0.01:
        assert window.count(now + wait_s - 0.005) > room
    assert window.count(now + wait_s) <= room


def test_taking_back():
    window = Window(PERIOD)
    slot = window.add(10.0, 5)
    assert window.take_back(slot, 2)
    assert window.count(10.0) == 3
    assert window.count(100.0) == 0
    assert not window.take_back(slot, 3)
    assert window.count(100.0) == 0


def test_what_others_counted_takes_the_place_of_what_was_known():
    window = Window(PERIOD)
    slot = window.add(10.0, 5)
    window.put(slot, 12)
    assert window.count(10.0) == 12
    window.put(slot - 1, 3)
    assert window.count(10.0) == 15


@pytest.mark.parametrize("slot", [-1_000, 1_000])
def test_slots_of_a_wrong_clock_do_not_count(slot):
    window = Window(PERIOD)
    window.add(10.0, 1)
    window.put(slot, 1_000_000)
    assert window.count(10.0) == 1


def test_a_clock_that_steps_back():
    window = Window(PERIOD)
    window.add(1_000_000.0, 5)
    window.add(10.0, 1)
    assert window.count(10.0) == 1
    assert len(window.slots) == 1
