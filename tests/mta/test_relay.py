"""Hosts of a destination and their order; what replies mean for a recipient."""

import itertools
import random  # noqa: TID251 - seeded

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mta.relay import (
    LOOP,
    NULL_MX,
    Kind,
    NextHop,
    exchangers,
    in_turn,
    is_suppressing,
    judge,
    most_of_one,
    next_hop,
)

OWN = frozenset({"mail.example.test"})


def hosts(*records, domain="elsewhere.test", seed=1):
    return exchangers(domain, records, OWN, random.Random(seed).random)


@pytest.mark.parametrize(
    ("name", "hop"),
    [
        ("example.com", NextHop(Kind.DOMAIN, "example.com", 25)),
        ("[192.0.2.1]", NextHop(Kind.ADDRESS, "192.0.2.1", 25)),
        ("[IPv6:2001:db8:0::1]", NextHop(Kind.ADDRESS, "2001:db8::1", 25)),
        ("smtp:relay.example:587", NextHop(Kind.HOST, "relay.example", 587)),
        ("smtp:[2001:db8::2]:2525", NextHop(Kind.HOST, "2001:db8::2", 2525)),
        ("lmtp:127.0.0.1:24", NextHop(Kind.HOST, "127.0.0.1", 24, is_lmtp=True)),
        ("local", NextHop(Kind.LOCAL, "", 0)),
        ("reject", NextHop(Kind.NOWHERE, "", 0)),
    ],
)
@pytest.mark.rfc(5321, "4.1.3")
def test_names_of_destinations(name, hop):
    assert next_hop(name, 25) == hop


@pytest.mark.parametrize("name", ["[x]", "[300.1.1.1]", "smtp:host", "[IPv6:zz]", "smtp:h:x"])
def test_what_names_no_destination(name):
    with pytest.raises(ValueError, match=r"."):
        next_hop(name, 25)


@pytest.mark.rfc(5321, "5.1")
def test_lower_preferences_come_first():
    assert hosts((20, "b.test"), (10, "A.test."), (30, "c.test")) == ["a.test", "b.test", "c.test"]


@pytest.mark.rfc(5321, "5.1")
def test_equals_are_shuffled():
    found = {tuple(hosts((10, "a"), (10, "b"), (10, "c"), (5, "z"), seed=n)) for n in range(200)}
    assert found == {("z", *order) for order in itertools.permutations("abc")}


@pytest.mark.rfc(5321, "5.1")
def test_without_mx_the_domain_is_its_own():
    assert hosts() == ["elsewhere.test"]


@pytest.mark.rfc(7505, "3")
@pytest.mark.parametrize("records", [[(0, ".")], [(0, "")], [(0, "."), (10, "mx.test")]])
def test_null_mx(records):
    assert hosts(*records) == NULL_MX
    assert NULL_MX.is_permanent


@pytest.mark.rfc(5321, "5.1")
@pytest.mark.parametrize(
    ("records", "left"),
    [
        ([(10, "a"), (20, "MAIL.example.test."), (20, "b"), (30, "c")], ["a"]),
        ([(10, "mail.example.test"), (20, "b")], LOOP),
        ([(10, "a"), (30, "mail.example.test"), (20, "b"), (40, "mail.example.test")], ["a", "b"]),
    ],
)
def test_mail_is_never_sent_to_ourselves_nor_behind_us(records, left):
    assert hosts(*records) == left


def test_our_own_name_without_mx_is_a_loop():
    assert hosts(domain="mail.example.test") == LOOP


def test_a_host_named_twice_is_tried_once():
    assert hosts((10, "a"), (20, "a"), (30, "b")) == ["a", "b"]


@given(
    st.lists(st.tuples(st.integers(0, 65_535), st.sampled_from(["a", "b", "c", "d"])), min_size=1)
)
def test_the_order_never_goes_against_the_preferences(records):
    found = hosts(*records)
    best = {h: min(p for p, host in records if host == h) for _, h in records}
    assert sorted(found) == sorted(best)
    assert [best[h] for h in found] == sorted(best.values())


@pytest.mark.rfc(5321, "5.2")
def test_the_two_kinds_of_addresses_take_turns():
    assert in_turn(["1.1.1.1", "2.2.2.2", "3.3.3.3", "::1"]) == [
        "::1",
        "1.1.1.1",
        "2.2.2.2",
        "3.3.3.3",
    ]
    assert in_turn(["::1", "::2", "1.1.1.1"]) == ["::1", "1.1.1.1", "::2"]
    assert in_turn([]) == []


@pytest.mark.rfc(5321, "5.1")
@pytest.mark.parametrize(("count", "most", "each"), [(1, 5, 5), (2, 5, 2), (3, 1, 1), (0, 5, 5)])
def test_one_host_with_many_addresses_does_not_take_all_attempts(count, most, each):
    assert most_of_one(count, most) == each


@pytest.mark.rfc(5321, "4.2.1", "4.3.2")
@pytest.mark.parametrize(
    ("stage", "code", "status", "state", "said"),
    [
        ("end", 250, "2.0.0", "delivered", "2.0.0"),
        ("end", 250, "", "delivered", "2.0.0"),
        ("end", 299, "", "delivered", "2.0.0"),
        ("end", 451, "", "deferred", "4.0.0"),
        ("end", 554, "5.7.1", "failed", "5.7.1"),
        ("rcpt", 550, "5.1.1", "failed", "5.1.1"),
        ("rcpt", 550, "", "failed", "5.0.0"),
        ("rcpt", 599, "", "failed", "5.0.0"),
        ("rcpt", 450, "4.2.0", "deferred", "4.2.0"),
        ("rcpt", 450, "5.1.1", "deferred", "4.1.1"),
        ("rcpt", 550, "4.7.1", "failed", "5.7.1"),
        ("mail", 552, "5.3.4", "failed", "5.3.4"),
        ("data", 354, "", "deferred", "4.0.0"),
        ("greeting", 554, "", "failed", "5.0.0"),
        ("mail", 250, "", "deferred", "2.0.0"),
    ],
)
def test_the_first_digit_decides(stage, code, status, state, said):
    verdict = judge(stage, code, status)
    assert (verdict.state, verdict.status) == (state, said)


@pytest.mark.parametrize(
    ("stage", "code", "status", "elsewhere"),
    [
        ("rcpt", 450, "4.2.0", False),
        ("rcpt", 451, "4.7.1", False),
        ("rcpt", 450, "", False),
        ("rcpt", 451, "", False),
        ("rcpt", 452, "", True),
        ("rcpt", 421, "4.7.0", True),
        ("rcpt", 452, "4.2.2", False),
        ("mail", 452, "4.3.1", True),
        ("mail", 451, "4.7.1", False),
        ("end", 451, "4.3.0", True),
        ("end", 451, "", True),
        ("end", 450, "", False),
        ("greeting", 554, "", True),
        ("ehlo", 450, "", True),
        ("rcpt", 550, "5.1.1", False),
        ("mail", 550, "", False),
        ("end", 554, "", False),
    ],
)
def test_another_host_is_asked_when_the_trouble_is_the_hosts_own(stage, code, status, elsewhere):
    assert judge(stage, code, status).is_elsewhere is elsewhere


@pytest.mark.rfc(5321, "6.1")
@pytest.mark.parametrize(
    ("stage", "code", "state", "elsewhere"),
    [
        ("connect", 421, "deferred", True),
        ("rcpt", 421, "deferred", True),
        ("data", 421, "deferred", True),
        ("end", 421, "deferred", False),
        ("mail", 550, "failed", True),
    ],
)
def test_a_message_that_may_have_been_taken_goes_to_no_other_host(stage, code, state, elsewhere):
    verdict = judge(stage, code, "", is_ours=True)
    assert (verdict.state, verdict.is_elsewhere) == (state, elsewhere)
    assert not verdict.is_crowded


@pytest.mark.parametrize(
    ("stage", "code", "status", "crowded"),
    [
        ("greeting", 421, "4.7.0", True),
        ("mail", 421, "", True),
        ("mail", 450, "4.7.1", True),
        ("greeting", 450, "4.7.1", True),
        ("rcpt", 450, "4.7.1", False),
        ("end", 421, "4.3.2", True),
        ("rcpt", 550, "5.7.1", False),
        ("mail", 452, "4.3.1", False),
    ],
)
def test_who_is_crowded_is_left_alone_for_a_while(stage, code, status, crowded):
    assert judge(stage, code, status).is_crowded is crowded


@given(
    st.sampled_from(
        ["connect", "greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "end"]
    ),
    st.integers(200, 599),
    st.one_of(st.just(""), st.from_regex(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True)),
)
def test_every_reply_has_a_verdict_that_agrees_with_itself(stage, code, status):
    verdict = judge(stage, code, status)
    assert (verdict.state == "delivered") == (stage == "end" and code < 300)
    assert (verdict.state == "failed") == (code >= 500)
    assert verdict.status[0] == {2: "2", 3: "4", 4: "4", 5: "5"}[code // 100]


@pytest.mark.rfc(3463, "3.2")
@pytest.mark.parametrize(
    ("stage", "status", "kept"),
    [
        ("rcpt", "5.1.1", True),
        ("rcpt", "5.1.6", True),
        ("dns", "5.1.10", True),
        ("rcpt", "5.1.10", True),
        ("end", "5.1.1", False),
        ("dns", "5.1.2", False),
        ("rcpt", "5.7.1", False),
        ("rcpt", "5.0.0", False),
        ("rcpt", "4.1.1", False),
    ],
)
def test_what_puts_an_address_on_the_suppression_list(stage, status, kept):
    assert is_suppressing(stage, status) is kept
