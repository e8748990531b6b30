"""Who may send how much: limits, counters, what is told to other processes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.rate_limits import AccountRates, AddressRates, NetworkRates, RatesLimits
from mailserver.mta.rates import Bound, Counter, Exceeded, Rates, Want, bounds, span

NOW = 1_700_000_000.0
ALICE = ("account", "alice@example.test")
MESSAGE = Want(*ALICE, "messages")
LIMITS = RatesLimits(
    account=AccountRates(
        messages_per_hour=3, messages_per_day=5, bytes_per_hour=0, bytes_per_day=1_000
    )
)


def test_the_hour_and_the_day_both_count():
    rates = Rates(LIMITS)
    for _ in range(3):
        assert isinstance(rates.take([MESSAGE], NOW), list)
    said = rates.take([MESSAGE], NOW)
    assert isinstance(said, Exceeded)
    assert (said.counter.period, said.count, said.most) == ("hour", 3, 3)
    later = NOW + said.wait_s
    assert isinstance(rates.take([MESSAGE], later), list)
    assert isinstance(rates.take([MESSAGE], later), list)
    said = rates.take([MESSAGE], later)
    assert isinstance(said, Exceeded)
    assert (said.counter.period, said.most) == ("day", 5)
    assert said.wait_s > 80_000


def test_all_or_nothing():
    rates = Rates(LIMITS)
    assert isinstance(rates.take([MESSAGE, Want(*ALICE, "bytes", 1_001)], NOW), Exceeded)
    assert rates.total(Counter(*ALICE, "messages", "hour"), NOW) == 0
    assert not rates.pending


def test_what_is_taken_back_may_be_taken_again():
    rates = Rates(LIMITS)
    taken = [rates.take([MESSAGE], NOW) for _ in range(3)]
    assert isinstance(rates.take([MESSAGE], NOW), Exceeded)
    rates.take_back(taken[0])
    assert isinstance(rates.take([MESSAGE], NOW), list)
    assert isinstance(rates.take([MESSAGE], NOW), Exceeded)


def test_no_limit_no_counter():
    rates = Rates(LIMITS)
    assert rates.take([Want("sender", "alice@example.test", "messages")], NOW) == []
    assert not rates.pending


def test_switched_off():
    rates = Rates(RatesLimits(is_on=False, account=AccountRates(messages_per_hour=1)))
    for _ in range(5):
        assert rates.take([MESSAGE], NOW) == []
    assert rates.places("192.0.2.1") == ()


def test_the_text_says_what_how_many_and_when():
    rates = Rates(LIMITS)
    for _ in range(3):
        rates.take([MESSAGE], NOW)
    text = str(rates.take([MESSAGE], NOW))
    assert text.startswith(
        "Too many messages from alice@example.test: 3 in the last hour, 3 are allowed, try again in "
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 second"), (1, "1 second"), (59.5, "60 seconds"), (120, "120 seconds"), (121, "3 minutes"),
     (3_600, "60 minutes"), (7_201, "3 hours")],
)  # fmt: skip
def test_spans(seconds, text):
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("peer", "places"),
    [
        ("192.0.2.77", (("address", "192.0.2.77"), ("network", "192.0.2.0/24"))),
        ("::ffff:192.0.2.77", (("address", "192.0.2.77"), ("network", "192.0.2.0/24"))),
        ("2001:db8:1:2:3::4", (("address", "2001:db8:1:2::/64"), ("network", "2001:db8:1:2::/64"))),
        ("fe80::1%eth0", (("address", "fe80::/64"), ("network", "fe80::/64"))),
        ("127.0.0.1", ()),
        ("::1", ()),
        ("", ()),
    ],
)
def test_places(peer, places):
    assert Rates(RatesLimits()).places(peer) == places


def test_networks_of_another_size():
    rates = Rates(RatesLimits(exempt=("10.0.0.0/8",), ipv4_network_bits=16, ipv6_network_bits=48))
    assert rates.places("192.0.2.77")[1] == ("network", "192.0.0.0/16")
    assert rates.places("2001:db8:1:2::4")[1] == ("network", "2001:db8:1::/48")
    assert rates.places("10.1.2.3") == ()
    assert rates.places("127.0.0.1") != ()


def test_overrides_stand_in_place_of_the_general_limits():
    rates = Rates(LIMITS)
    rates.override([(*ALICE, "messages", "hour", 1)])
    assert isinstance(rates.take([MESSAGE], NOW), list)
    assert isinstance(rates.take([MESSAGE], NOW), Exceeded)
    bob = Want("account", "bob@example.test", "messages")
    for _ in range(3):
        assert isinstance(rates.take([bob], NOW), list)


@pytest.mark.parametrize(
    ("rows", "bounds"),
    [
        ([], {("messages", "hour", 3), ("messages", "day", 5)}),
        ([(*ALICE, "messages", "hour", 0)], {("messages", "day", 5)}),
        ([("each", "example.test", "messages", "hour", 7)], {("messages", "hour", 7), ("messages", "day", 5)}),
        (
            [("each", "example.test", "messages", "hour", 7), (*ALICE, "messages", "hour", 8)],
            {("messages", "hour", 8), ("messages", "day", 5)},
        ),
        ([("each", "other.test", "messages", "hour", 7)], {("messages", "hour", 3), ("messages", "day", 5)}),
        ([("domain", "example.test", "messages", "hour", 7)], {("messages", "hour", 3), ("messages", "day", 5)}),
    ],
)  # fmt: skip
def test_whose_override_holds(rows, bounds):
    rates = Rates(LIMITS)
    rates.override(rows)
    assert {b for b in rates.bounds_of(*ALICE) if b.measure == "messages"} == bounds


def test_a_domain_gets_a_limit_of_its_own():
    rates = Rates(RatesLimits())
    wants = [Want("domain", "example.test", "messages")]
    assert rates.take(wants, NOW) == []
    rates.override([("domain", "example.test", "messages", "hour", 1)])
    assert len(rates.take(wants, NOW)) == 1
    assert isinstance(rates.take(wants, NOW), Exceeded)


def test_strangers_do_not_push_users_out_of_memory():
    rates = Rates(
        RatesLimits(
            remembered=10,
            account=AccountRates(messages_per_hour=1),
            address=AddressRates(connections_per_minute=1),
        )
    )
    rates.take([MESSAGE], NOW)
    for n in range(100):
        rates.take([Want("address", f"192.0.2.{n}", "connections")], NOW)
    assert isinstance(rates.take([MESSAGE], NOW), Exceeded)
    assert len(rates._clients) == 10
    assert len(rates.pending) <= 10


def test_what_is_pending_is_told_once_and_may_be_put_back():
    rates = Rates(LIMITS)
    rates.take([MESSAGE], NOW)
    told = rates.take_pending(1)
    assert len(told) == 1
    assert len(rates.pending) == 1
    rates.put_back(told)
    assert len(rates.take_pending(100)) == 2
    assert not rates.pending


def test_limits_of_a_kind():
    assert bounds(RatesLimits(), "sender") == ()
    assert bounds(RatesLimits(network=NetworkRates()), "network")[0] == Bound(
        "connections", "minute", 1_800
    )
    assert Bound("messages", "day", 5) in bounds(LIMITS, "account")
    assert not [b for b in bounds(LIMITS, "account") if b[:2] == ("bytes", "hour")]


def exchange(workers, shared):
    """Everybody tells everybody."""
    for rates in workers * 2:
        for key, count in rates.take_pending(100).items():
            shared[key] = shared.get(key, 0) + count
        for (counter, slot), count in shared.items():
            rates.put(counter, slot, count)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(1, 3)), max_size=60))
def test_processes_overshoot_by_what_they_had_not_told_each_other(steps):
    most, count = 10, 3
    limits = RatesLimits(account=AccountRates(messages_per_hour=most, messages_per_day=0))
    workers = [Rates(limits) for _ in range(count)]
    shared: dict[tuple[Counter, int], int] = {}
    untold = [0] * count
    admitted = 0
    for worker, tell, n in steps:
        if isinstance(workers[worker].take([Want(*ALICE, "messages", n)], NOW), list):
            admitted += n
            unknown = sum(untold) - untold[worker]
            assert admitted <= most + unknown
            untold[worker] += n
        if tell:
            exchange(workers, shared)
            untold = [0] * count
    exchange(workers, shared)
    assert sum(shared.values()) == admitted
    for rates in workers:
        assert rates.total(Counter(*ALICE, "messages", "hour"), NOW) == admitted
