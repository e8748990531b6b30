"""Senders rewritten and restored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import Cannot
from mailserver.mta import srs
from mailserver.mta.srs import MAX_AGE, MAX_LOCALPART, is_srs, restore
from mailserver.smtp.address import Address, parse_mailbox

KEY = bytes(range(32))
NOW = 1_800_000_000
DAY = 86_400

LOCALPARTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("äß語=+-"),
    min_size=1,
    max_size=10,
)
DOMAINS = st.sampled_from(
    ["a.example", "xn--bcher-kva.example", "x-1.y2.z3", "[192.0.2.1]", "[IPv6:::1]"]
)


def rewrite(sender: Address, domain: str, key: bytes, now: int) -> Address:
    """The rewritten address of a sender that is short enough."""
    found = srs.rewrite(sender, domain, key, now)
    assert not found.token
    return found.address


def test_once() -> None:
    sent = rewrite(parse_mailbox("Alice@b.example"), "ours.example", KEY, NOW)
    assert sent.domain == "ours.example"
    assert sent.localpart.startswith("SRS0=")
    assert sent.localpart.endswith("=b.example=Alice")
    assert restore(sent.localpart, KEY, NOW) == Address("Alice", "b.example")


def test_twice_goes_back_to_the_first_forwarder() -> None:
    first = rewrite(parse_mailbox("a@b.example"), "one.example", b"other key", NOW)
    second = rewrite(first, "two.example", KEY, NOW)
    assert second.localpart.startswith("SRS1=")
    assert second.localpart.endswith(f"=one.example={first.localpart[4:]}")
    assert restore(second.localpart, KEY, NOW) == first
    third = rewrite(second, "three.example", b"third key", NOW)
    assert third.localpart.count("example") == 2, (
        "what is between the first and the last is left out"
    )
    assert restore(third.localpart, b"third key", NOW) == first


def test_senders_with_other_separators_are_srs_too() -> None:
    second = rewrite(Address("srs0+abcd+x=AB=b.example=a", "one.example"), "two.example", KEY, NOW)
    assert second.localpart.endswith("=one.example=+abcd+x=AB=b.example=a")
    assert restore(second.localpart, KEY, NOW) == Address(
        "SRS0+abcd+x=AB=b.example=a", "one.example"
    )


@pytest.mark.parametrize("days", [0, 1, MAX_AGE])
def test_a_bounce_may_take_its_time(days: int) -> None:
    local = rewrite(Address("a", "b.example"), "ours.example", KEY, NOW).localpart
    assert restore(local, KEY, NOW + days * DAY) == Address("a", "b.example")


@pytest.mark.parametrize("days", [-1, MAX_AGE + 1, 500])
def test_but_not_for_ever(days: int) -> None:
    local = rewrite(Address("a", "b.example"), "ours.example", KEY, NOW).localpart
    with pytest.raises(Cannot, match="more than 21 days old"):
        restore(local, KEY, NOW + days * DAY)


@pytest.mark.parametrize(
    "change",
    [
        lambda local: local.replace("=a", "=b"),
        lambda local: local.replace("b.example", "c.example"),
        lambda local: local[:5] + ("A" if local[5] != "A" else "B") + local[6:],
        lambda local: local[:12] + "AA" + local[14:],
        lambda local: "SRS1" + local[4:],
    ],
)
def test_forged_addresses_are_nobodys(change) -> None:
    local = rewrite(Address("a", "b.example"), "ours.example", KEY, NOW).localpart
    with pytest.raises(Cannot, match=r"not made here|not complete"):
        restore(change(local), KEY, NOW)


@pytest.mark.parametrize("local", ["SRS0=", "SRS0=x", "SRS0=x=AB=b", "SRS1=x==", "srs0", "SRS9=x"])
def test_pieces_are_nobodys(local: str) -> None:
    with pytest.raises(Cannot, match="not complete"):
        restore(local, KEY, NOW)


def test_which_addresses_look_like_it() -> None:
    assert is_srs("SRS0=x")
    assert is_srs("srs1+x")
    assert not is_srs("srs")
    assert not is_srs("srs0x")
    assert not is_srs("alice")


@given(LOCALPARTS, DOMAINS, st.integers(0, 4_000_000_000), st.integers(0, MAX_AGE))
def test_round_trip(localpart: str, domain: str, now: int, days: int) -> None:
    sender = Address(localpart, domain)
    sent = rewrite(sender, "ours.example", KEY, now)
    assert is_srs(sent.localpart)
    back = restore(sent.localpart, KEY, now + days * DAY)
    assert isinstance(back, Address)
    if not is_srs(localpart):
        assert (back.localpart, back.domain.lower()) == (localpart, domain.lower())


@pytest.mark.rfc(5321, "4.5.3.1.1")
def test_a_token_stands_for_what_would_be_too_long() -> None:
    sender = Address("bounces+1234567-abcd-alice=example.test", "em1234.news.company.example")
    found = srs.rewrite(sender, "ours.example", KEY, NOW)
    assert len(found.address.localpart) <= MAX_LOCALPART
    assert restore(found.address.localpart, KEY, NOW) == found.token
    assert restore(found.address.localpart.lower(), KEY, NOW + DAY) == found.token
    assert srs.rewrite(sender, "ours.example", KEY, NOW + DAY).token == found.token
    assert srs.rewrite(sender, "ours.example", b"other", NOW).token != found.token
    other = sender._replace(localpart=sender.localpart + "x")
    assert srs.rewrite(other, "ours.example", KEY, NOW).token != found.token
    with pytest.raises(Cannot, match="not made here"):
        restore(found.address.localpart.replace(found.token, "A" * 16), KEY, NOW)
    with pytest.raises(Cannot, match="days old"):
        restore(found.address.localpart, KEY, NOW + 30 * DAY)


@given(st.text(max_size=300), DOMAINS)
def test_no_local_part_becomes_too_long(localpart: str, domain: str) -> None:
    found = srs.rewrite(Address(localpart, domain), "ours.example", KEY, NOW)
    assert len(found.address.localpart.encode()) <= MAX_LOCALPART
    assert is_srs(found.address.localpart)


@given(LOCALPARTS, DOMAINS)
def test_case_may_be_lost_on_the_way(localpart: str, domain: str) -> None:
    sent = rewrite(Address(localpart, domain), "ours.example", KEY, NOW)
    folded = "".join(c.lower() if c.isascii() else c for c in sent.localpart)
    back, plain = restore(folded, KEY, NOW), restore(sent.localpart, KEY, NOW)
    assert isinstance(back, Address)
    assert isinstance(plain, Address)
    assert back.localpart.lower() == plain.localpart.lower()


@given(st.text(max_size=200) | st.text("SRS01srs=+-AB", max_size=30).map("SRS0={}".format))
def test_garbage_is_nobodys(localpart: str) -> None:
    with pytest.raises(Cannot):
        restore(localpart, KEY, NOW)
