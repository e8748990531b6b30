"""When mail is tried again, and when no more."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.limits import QueueLimits
from mailserver.mta.schedule import Width, is_over, lifetime, rest_until, retry_at

LIMITS = QueueLimits()
NOW = 1_000_000_000
MIDDLE = 0.5  # of the dice: no jitter


@pytest.mark.rfc(5321, "4.5.4.1")
@pytest.mark.parametrize(
    ("attempts", "minutes"),
    [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 240), (99, 240)],
)
def test_waits_grow_up_to_a_bound(attempts, minutes):
    at = retry_at(LIMITS, attempts=attempts, now=NOW, expires_at=NOW * 2, chance=MIDDLE)
    assert at == NOW + minutes * 60


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 270), (MIDDLE, 300), (0.999, 329)])
def test_a_wait_is_shaken_by_the_dice(chance, seconds):
    assert retry_at(LIMITS, attempts=1, now=NOW, expires_at=NOW * 2, chance=chance) == NOW + seconds


def test_the_last_attempt_is_at_the_end():
    assert retry_at(LIMITS, attempts=9, now=NOW, expires_at=NOW + 60, chance=MIDDLE) == NOW + 60
    assert not is_over(NOW + 59, NOW + 60)
    assert is_over(NOW + 60, NOW + 60)


@given(
    attempts=st.integers(1, 10_000),
    left=st.integers(-1_000_000, 1_000_000),
    chance=st.floats(0, 1, exclude_max=True),
    growth=st.floats(0.1, 10),
    jitter=st.floats(0.01, 5),
)
def test_a_retry_lies_ahead_whatever_is_configured(attempts, left, chance, growth, jitter):
    limits = replace(LIMITS, retry_growth=growth, retry_jitter=jitter)
    at = retry_at(limits, attempts=attempts, now=NOW, expires_at=NOW + left, chance=chance)
    assert NOW < at <= max(NOW + left, NOW + 1)
    assert at <= NOW + 2 * limits.retry_longest_s
    assert rest_until(limits, failures=attempts, now=NOW, chance=chance) > NOW


def test_a_destination_rests_longer_each_time():
    rests = [rest_until(LIMITS, failures=n, now=0, chance=MIDDLE) for n in range(1, 9)]
    assert rests == [60, 120, 240, 480, 960, 1800, 1800, 1800]


@pytest.mark.rfc(5321, "4.5.4.1", "4.5.5")
def test_lifetimes():
    mail = lifetime(LIMITS, NOW, is_notice=False)
    assert (mail.warn_at, mail.expires_at) == (NOW + 4 * 3_600, NOW + 5 * 86_400)
    notice = lifetime(LIMITS, NOW, is_notice=True)
    assert (notice.warn_at, notice.expires_at) == (None, NOW + 86_400)


def test_connections_rise_by_one_for_each_round_and_fall_by_half():
    width = Width(replace(LIMITS, per_destination_first=2, per_destination=5))
    seen = []
    for _ in range(20):
        seen.append(width.connections)
        width.rise()
    assert seen == sorted(seen)
    assert seen[:7] == [2, 2, 2, 3, 3, 3, 4]
    assert width.connections == 5
    width.fall()
    assert width.connections == 2
    for _ in range(5):
        width.fall()
    assert width.connections == 1


def test_a_refused_connection_says_how_many_are_allowed():
    width = Width(replace(LIMITS, per_destination_first=10))
    width.cap(3)
    assert width.connections == 3
    width.cap(7)
    for _ in range(10):
        width.rise()
    assert width.connections == 3
    width.cap(0)
    assert width.connections == 1
