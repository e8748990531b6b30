"""Counting connections and memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import LimitReached
from mailserver.base.limits import ConnectionLimits
from mailserver.base.log import Log
from mailserver.servers.limits import Budget, Connections, network_of

LOG = Log("test")


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(peer, network):
    assert network_of(peer) == network


def test_total():
    connections = Connections(ConnectionLimits(total=2))
    first = connections.admit("192.0.2.1", LOG)
    connections.admit("192.0.2.2", LOG)
    with pytest.raises(LimitReached, match="Too many connections, try again later"):
        connections.admit("192.0.2.3", LOG)
    first.leave()
    connections.admit("192.0.2.3", LOG)


def test_one_address_cannot_take_all():
    connections = Connections(ConnectionLimits(per_address=2))
    first = connections.admit("2001:db8::1", LOG)
    connections.admit("2001:db8::2", LOG)
    with pytest.raises(LimitReached, match="from your address"):
        connections.admit("2001:db8::3", LOG)
    connections.admit("2001:db8:0:1::1", LOG)
    first.leave()
    connections.admit("2001:db8::3", LOG)


def test_unix_sockets_have_no_address_to_count():
    connections = Connections(ConnectionLimits(per_address=1))
    for _ in range(5):
        connections.admit("", LOG)
    assert connections.total == 5


def test_strangers_leave_room_for_those_who_logged_in():
    connections = Connections(ConnectionLimits(unauthenticated=1))
    first = connections.admit("192.0.2.1", LOG)
    with pytest.raises(LimitReached):
        connections.admit("192.0.2.2", LOG)
    first.authenticated()
    first.authenticated()
    second = connections.admit("192.0.2.2", LOG)
    first.leave()
    first.leave()
    second.leave()
    assert (connections.total, connections.unauthenticated) == (0, 0)
    first.authenticated()
    assert connections.unauthenticated == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4), st.integers(0, 5))))
def test_counts_never_drift(steps):
    connections = Connections(ConnectionLimits(total=5, per_address=3, unauthenticated=4))
    guests = []
    for what, address, index in steps:
        if what == "a":
            try:
                guests.append(connections.admit(f"192.0.2.{address}", LOG))
            except LimitReached:
                continue
        elif index < len(guests):
            guests[index].leave() if what == "b" else guests[index].authenticated()
    for guest in guests:
        guest.leave()
    assert (connections.total, connections.unauthenticated) == (0, 0)
    assert not connections._by_network


def test_budget():
    budget = Budget(100)
    assert budget.take(60)
    assert not budget.take(41)
    assert budget.take(40)
    budget.give(60)
    assert budget.used == 40
    assert budget.take(0)


def test_what_is_to_spare_leaves_half_to_others():
    budget = Budget(100)
    assert not budget.take_spare(51)
    assert budget.take_spare(50)
    assert not budget.take_spare(1)
    assert budget.take(50)
    assert budget.used == 100
