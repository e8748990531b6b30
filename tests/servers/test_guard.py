"""Guessing passwords, with a clock of our own: who is stopped, who waits, and who never notices."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mailserver.base.errors import LimitReached
from mailserver.base.log import Log
from mailserver.base.rate_limits import AddressRates, NetworkRates, RatesLimits
from mailserver.mta.rates import Rates
from mailserver.servers import guard as module
from mailserver.servers.guard import Door, Guard
from mailserver.store.rates import KNOWN_S
from mailserver.store.trace_values import Trace

ALICE, BOB = "alice@example.test", "bob@example.test"
HOME, CAFE, EVIL = "192.0.2.10", "198.51.100.20", "203.0.113.30"
LIMITS = RatesLimits(
    address=AddressRates(failed_logins_per_hour=10),
    network=NetworkRates(failed_logins_per_hour=20),
)


class World:
    """A guard, a clock, and how long was waited in all."""

    def __init__(self, limits: RatesLimits = LIMITS) -> None:
        self.now = 1_700_000_000.0
        self.waited = 0.0
        self.traces: list[Trace] = []
        self.guard = Guard(Rates(limits), lambda: self.now, self.traces.append)

    def door(self, peer: str) -> Door:
        return Door(self.guard, peer, Log("imap", session="ab12"))

    async def wrong(self, login: str, peer: str) -> None:
        door = self.door(peer)
        await door.admit(login)
        door.failed(login)

    async def right(self, login: str, peer: str) -> None:
        door = self.door(peer)
        await door.admit(login)
        door.passed()


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    def run(
        use: Callable[[World], Coroutine[Any, Any, None]], limits: RatesLimits = LIMITS
    ) -> World:
        world = World(limits)

        async def sleep(seconds: float) -> None:
            world.waited += seconds

        monkeypatch.setattr(module.asyncio, "sleep", sleep)
        asyncio.run(use(world))
        return world

    return run


def test_an_address_that_guesses_is_turned_away_and_hears_why(play):
    async def use(world: World) -> None:
        for n in range(10):
            await world.wrong(f"u{n}@example.test", EVIL)
        with pytest.raises(LimitReached) as refusal:
            await world.wrong(ALICE, EVIL)
        assert str(refusal.value).startswith(
            "Too many failed log-ins from 203.0.113.30: 10 in the last hour, 10 are allowed, try again in "
        )
        world.now += 3_600 + 301
        await world.wrong(ALICE, EVIL)

    world = play(use)
    assert world.traces[10].steps[0].what == "guessing"
    assert (world.traces[10].peer, world.traces[10].account) == (EVIL, ALICE)
    assert world.traces[0].account == "u0@example.test"


def test_a_network_that_guesses_from_many_addresses(play):
    async def use(world: World) -> None:
        for n in range(20):
            await world.wrong(f"u{n}@example.test", f"203.0.113.{n}")
        with pytest.raises(LimitReached, match=r"from 203\.0\.113\.0/24: 20 in"):
            await world.wrong(ALICE, "203.0.113.99")
        await world.right(ALICE, "203.0.114.1")

    play(use)


def test_the_user_comes_in_while_others_guess_at_his_account(play):
    async def use(world: World) -> None:
        await world.right(ALICE, HOME)
        for n in range(250):
            await world.wrong(ALICE, f"203.{n}.113.30")
        waited = world.waited
        await world.right(ALICE, HOME)
        await world.right(ALICE, "192.0.2.99")  # the same network
        assert world.waited == waited
        await world.right(ALICE, CAFE)  # a place that is not known: it takes longer, that is all
        assert world.waited == waited + LIMITS.longest_login_delay_s

    play(use)


def test_guessing_at_one_account_gets_slower(play):
    async def use(world: World) -> None:
        waits = []
        for n in range(30):
            before = world.waited
            await world.wrong(ALICE, f"203.{n}.113.30")
            waits.append(world.waited - before)
        assert waits[:6] == [0.0] * 6
        assert waits[6:9] == [0.5, 1.0, 1.5]
        assert waits[-1] == 10.0

    play(use)


def test_colleagues_behind_one_address(play):
    """Somebody's telephone has an old password; who is known there comes in all the same."""

    async def use(world: World) -> None:
        await world.right(ALICE, HOME)
        for n in range(10):
            await world.wrong(f"u{n}@example.test", HOME)
        with pytest.raises(LimitReached):
            await world.right(BOB, HOME)
        await world.right(ALICE, HOME)

    play(use)


def test_guesses_from_a_known_place_have_a_limit_of_their_own(play):
    async def use(world: World) -> None:
        await world.right(ALICE, HOME)
        for _ in range(10):
            await world.wrong(ALICE, HOME)
        with pytest.raises(LimitReached, match=r"alice@example\.test at 192\.0\.2\.0/24"):
            await world.wrong(ALICE, HOME)

    play(use)


def test_what_is_right_costs_nothing(play):
    async def use(world: World) -> None:
        for _ in range(50):
            await world.right(ALICE, HOME)
            await world.right(BOB, HOME)
        assert not any(world.guard.rates.pending.values())

    play(use)


def test_many_tries_at_once_count_before_they_are_answered(play):
    async def use(world: World) -> None:
        doors = [world.door(EVIL) for _ in range(11)]
        for door in doors[:10]:
            await door.admit(ALICE)
        with pytest.raises(LimitReached):
            await doors[10].admit(ALICE)

    play(use)


def test_places_are_forgotten_after_a_month_and_told_to_others(play):
    async def use(world: World) -> None:
        await world.right(ALICE, HOME)
        await world.right(ALICE, HOME)
        (known,) = world.guard.take_pending()
        assert (known.login, known.place) == (ALICE, "192.0.2.0/24")
        other = World()
        other.guard.put([known])
        assert other.guard.is_known(ALICE, "192.0.2.0/24")
        other.now += KNOWN_S + 1
        assert not other.guard.is_known(ALICE, "192.0.2.0/24")

    play(use)


@pytest.mark.parametrize("limits", [RatesLimits(is_on=False), LIMITS])
def test_where_nothing_is_limited(play, limits):
    async def use(world: World) -> None:
        for _ in range(200):
            await world.wrong(ALICE, "127.0.0.1" if limits.is_on else EVIL)

    assert play(use, limits).waited == 0


def test_a_password_in_the_wrong_field_is_not_told(play):
    async def use(world: World) -> None:
        door = world.door(EVIL)
        await door.admit("")
        door.failed("hunter2 wrong")

    assert "hunter2" not in repr(play(use).traces)


def test_trouble_of_ours_is_no_failure_of_the_client(play):
    async def use(world: World) -> None:
        for _ in range(50):
            door = world.door(EVIL)
            await door.admit(ALICE)
            door.undecided()

    assert not any(play(use).guard.rates.pending.values())


def test_the_spelling_of_a_name_makes_no_other_account(play):
    async def use(world: World) -> None:
        await world.right("Alice@example.test", HOME)
        assert world.guard.is_known(ALICE, "192.0.2.0/24")

    play(use)
