"""How safe the way must be."""

import pytest

from mailserver.mailauth.dane import Dane
from mailserver.mailauth.mta_sts import Mode, Policy
from mailserver.mailauth.resolver import Tlsa
from mailserver.mta.relay import Kind, NextHop, Refusal
from mailserver.mta.security import OPPORTUNISTIC, Security, Tls, security

DOMAIN = NextHop(Kind.DOMAIN, "elsewhere.test", 25)
ROUTE = NextHop(Kind.HOST, "relay.test", 25)


@pytest.mark.rfc(7435, "3")
def test_tls_is_used_where_it_is_offered():
    for hop in (DOMAIN, ROUTE):
        found = security(hop, "mx.test", is_authentic=False, needs_tls=False, is_notice=False)
        assert found == OPPORTUNISTIC


@pytest.mark.rfc(8689, "4.2.1")
def test_requiretls_wants_a_proven_name_and_a_valid_certificate():
    safe = Security(Tls.VERIFY, ("mx.test",), True, "REQUIRETLS")
    assert security(DOMAIN, "mx.test", is_authentic=True, needs_tls=True, is_notice=False) == safe
    assert security(ROUTE, "mx.test", is_authentic=False, needs_tls=True, is_notice=False) == safe
    refused = security(DOMAIN, "mx.test", is_authentic=False, needs_tls=True, is_notice=False)
    assert isinstance(refused, Refusal)
    assert refused.status == "5.7.10"
    assert "mx.test" in refused.text


@pytest.mark.rfc(8689, "5")
def test_a_notice_is_not_lost_for_want_of_tls():
    found = security(DOMAIN, "mx.test", is_authentic=False, needs_tls=True, is_notice=True)
    assert found == OPPORTUNISTIC


@pytest.mark.parametrize(("demand", "names"), [(Tls.ENCRYPT, ()), (Tls.VERIFY, ("mx.test",))])
def test_what_an_operator_demands_of_a_next_hop(demand, names):
    for needs_tls, is_notice in ((False, False), (False, True), (True, True)):
        found = security(
            ROUTE,
            "mx.test",
            is_authentic=False,
            needs_tls=needs_tls,
            is_notice=is_notice,
            demand=demand,
        )
        assert found == Security(demand, names, False, "configured")
    stricter = security(
        ROUTE, "mx.test", is_authentic=False, needs_tls=True, is_notice=False, demand=demand
    )
    assert stricter == Security(Tls.VERIFY, ("mx.test",), True, "REQUIRETLS")


TLSA = Tlsa(3, 1, 1, bytes(32))
DANE = Dane("mx.test", (TLSA,), ("mx.test", "elsewhere.test"), (TLSA,))
UNUSABLE = Dane("mx.test", (), ("mx.test",), (Tlsa(0, 1, 1, bytes(32)),))
ENFORCE, TESTING, GONE = (
    Policy(mode, ("mx.test",), 60) for mode in (Mode.ENFORCE, Mode.TESTING, Mode.NONE)
)
ELSEWHERE = Policy(Mode.ENFORCE, ("other.test",), 60)


@pytest.mark.rfc(7672, "2.2")
@pytest.mark.rfc(8461, "2", "5")
@pytest.mark.parametrize(
    ("dane", "sts", "demand", "tls", "reason"),
    [
        (DANE, None, Tls.MAY, Tls.DANE, "DANE"),
        (DANE, ENFORCE, Tls.VERIFY, Tls.DANE, "DANE"),
        (DANE, ELSEWHERE, Tls.MAY, Tls.DANE, "DANE"),
        (UNUSABLE, None, Tls.MAY, Tls.ENCRYPT, "DANE without usable records"),
        (UNUSABLE, TESTING, Tls.ENCRYPT, Tls.ENCRYPT, "DANE without usable records"),
        (UNUSABLE, ENFORCE, Tls.MAY, Tls.VERIFY, "MTA-STS"),
        (UNUSABLE, None, Tls.VERIFY, Tls.VERIFY, "configured"),
        (None, ENFORCE, Tls.MAY, Tls.VERIFY, "MTA-STS"),
        (None, TESTING, Tls.MAY, Tls.VERIFY, "MTA-STS testing"),
        (None, TESTING, Tls.ENCRYPT, Tls.ENCRYPT, "configured"),
        (None, GONE, Tls.MAY, Tls.MAY, "opportunistic"),
        (None, None, Tls.MAY, Tls.MAY, "opportunistic"),
    ],
)
def test_who_goes_before_whom(dane, sts, demand, tls, reason):
    for is_notice in (False, True):
        found = security(
            DOMAIN,
            "mx.test",
            is_authentic=True,
            needs_tls=False,
            is_notice=is_notice,
            demand=demand,
            dane=dane,
            sts=sts,
        )
        assert isinstance(found, Security)
        assert (found.tls, found.reason) == (tls, reason)
        assert found.is_trial == (reason == "MTA-STS testing")
        assert (found.dane is dane) or tls is Tls.VERIFY
        assert found.names == {
            Tls.DANE: DANE.names,
            Tls.VERIFY: ("mx.test",),
        }.get(tls, ())


@pytest.mark.rfc(8461, "4.1")
@pytest.mark.parametrize("dane", [None, UNUSABLE])
def test_a_host_that_no_policy_names(dane):
    found = security(
        DOMAIN,
        "mx.test",
        is_authentic=True,
        needs_tls=False,
        is_notice=False,
        dane=dane,
        sts=ELSEWHERE,
    )
    assert isinstance(found, Refusal)
    assert found.status == "4.7.5"


@pytest.mark.rfc(8689, "4.2.1")
@pytest.mark.parametrize(
    ("is_authentic", "dane", "sts", "tls"),
    [
        (True, DANE, None, Tls.DANE),
        (True, UNUSABLE, None, Tls.VERIFY),
        (True, None, ENFORCE, Tls.VERIFY),
        (False, None, ENFORCE, Tls.VERIFY),
        (False, None, TESTING, Tls.VERIFY),
        (False, None, GONE, "5.7.10"),
        (False, None, ELSEWHERE, "5.7.10"),
        (True, None, ELSEWHERE, "4.7.5"),
        (False, None, None, "5.7.10"),
    ],
)
def test_requiretls_beside_what_is_published(is_authentic, dane, sts, tls):
    found = security(
        DOMAIN,
        "mx.test",
        is_authentic=is_authentic,
        needs_tls=True,
        is_notice=False,
        dane=dane,
        sts=sts,
    )
    if isinstance(tls, Tls):
        assert isinstance(found, Security)
        assert (found.tls, found.require_tls, found.is_trial) == (tls, True, False)
    else:
        assert isinstance(found, Refusal)
        assert found.status == tls
