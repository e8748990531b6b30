"""Which addresses somebody else's name may lead us to."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.net.public import is_public, may_reach


@pytest.mark.rfc(6890, "2.2.2", "2.2.3")
@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.251",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",  # as it was once written
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "2002:808:808::1",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "ff02::1",
        # what some systems take for an address as well
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "",
    ],
)
def test_not_the_internets(address: str) -> None:
    assert not is_public(address)


@pytest.mark.rfc(6890, "2.2")
@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:200::1",
        "2a00:1450::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
def test_the_internets(address: str) -> None:
    assert is_public(address)


@pytest.mark.rfc(4291, "2.5.5")
@pytest.mark.rfc(6052, "2.1")
@given(st.ip_addresses(v=4))
def test_another_spelling_is_the_same_address(address: object) -> None:
    spellings = (f"{address}", f"::ffff:{address}", f"64:ff9b::{address}")
    assert len({is_public(spelling) for spelling in spellings}) == 1


@given(st.ip_addresses())
def test_never_more_than_python_calls_global(address: object) -> None:
    """Python's own idea of it is the same but for addresses that hold others, and what is on its way out."""
    if is_public(str(address)):
        inner = getattr(ip_address(str(address)), "ipv4_mapped", None) or ip_address(str(address))
        assert inner.is_global
        assert not inner.is_multicast


def test_networks_of_ones_own() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert may_reach("10.1.2.3", allowed)
    assert may_reach("::ffff:10.1.2.3", allowed)
    assert may_reach("fd00::1", allowed)
    assert may_reach("8.8.8.8", allowed)
    assert not may_reach("10.2.2.3", allowed)
    assert not may_reach("127.0.0.1", allowed)
    assert not may_reach("no address", allowed)
