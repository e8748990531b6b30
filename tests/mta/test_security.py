"""How safe the way must be."""

import pytest

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
