"""Where TLSA records are looked for, and when they count."""

import asyncio

import pytest

from mailauth.zone import Zone
from mailserver.mailauth.dane import Dane, discover
from mailserver.mailauth.resolver import Tlsa, Trouble

DATA = "ab" * 32
RECORD = Tlsa(3, 1, 1, bytes.fromhex(DATA))
SIGNED = {"signed.example"}


def found(
    zone: Zone, host: str = "mail.signed.example", *, is_authentic: bool = True, end: str = ""
) -> Dane | None:
    return asyncio.run(discover(zone, host, 25, is_address_authentic=is_authentic, alias_of=end))


@pytest.mark.rfc(7672, "2.2.3")
def test_records_of_a_host() -> None:
    zone = Zone(f"_25._tcp.mail.signed.example TLSA 3 1 1 {DATA}", signed=SIGNED)
    names = ("mail.signed.example",)
    dane = Dane("mail.signed.example", (RECORD,), names, (RECORD,))
    assert found(zone) == dane
    assert dane.also_for("signed.example", *names).names == (*names, "signed.example")


def test_another_port_has_other_records() -> None:
    zone = Zone(f"_587._tcp.mail.signed.example TLSA 3 1 1 {DATA}", signed=SIGNED)
    assert found(zone) is None


@pytest.mark.rfc(7672, "2.2")
def test_what_nobody_vouches_for_is_not_there() -> None:
    zone = Zone(f"_25._tcp.mail.signed.example TLSA 3 1 1 {DATA}")
    assert found(zone) is None
    signed = Zone(f"_25._tcp.mail.signed.example TLSA 3 1 1 {DATA}", signed=SIGNED)
    assert found(signed, is_authentic=False) is None
    assert ("TLSA", "_25._tcp.mail.signed.example") not in signed.asked


@pytest.mark.rfc(7672, "2.2")
def test_records_that_cannot_be_used_still_demand_tls() -> None:
    zone = Zone(f"_25._tcp.mail.signed.example TLSA 1 1 1 {DATA}", signed=SIGNED)
    dane = found(zone)
    assert dane is not None
    assert dane.records == ()
    assert len(dane.all) == 1


@pytest.mark.rfc(7672, "2.1.2")
@pytest.mark.parametrize("kind", ["TROUBLE", "BOGUS"])
def test_a_look_up_that_fails_is_no_answer(kind: str) -> None:
    with pytest.raises(Trouble):
        found(Zone(f"_25._tcp.mail.signed.example {kind}", signed=SIGNED))
    alias = Zone(f"mail.signed.example {kind}", signed=SIGNED)
    with pytest.raises(Trouble):
        found(alias, is_authentic=False, end="far.plain.example")


@pytest.mark.rfc(7672, "2.2.2")
@pytest.mark.rfc(7671, "7")
def test_aliases() -> None:
    """The far end first, then the name itself."""
    alias = (
        "mail.signed.example CNAME one.signed.example\none.signed.example CNAME far.signed.example"
    )
    end = "far.signed.example"
    far = Zone(f"{alias}\n_25._tcp.far.signed.example TLSA 3 1 1 {DATA}", signed=SIGNED)
    dane = found(far, end=end)
    assert dane is not None
    assert dane.base == "far.signed.example"
    assert dane.names == ("far.signed.example", "mail.signed.example")
    near = Zone(f"{alias}\n_25._tcp.mail.signed.example TLSA 3 1 1 {DATA}", signed=SIGNED)
    dane = found(near, end=end)
    assert dane is not None
    assert dane.base == "mail.signed.example"
    middle = Zone(f"{alias}\n_25._tcp.one.signed.example TLSA 3 1 1 {DATA}", signed=SIGNED)
    assert found(middle, end=end) is None


@pytest.mark.rfc(7672, "2.2.2")
def test_an_alias_that_leads_out_of_what_is_signed() -> None:
    alias = "mail.signed.example CNAME mail.plain.example"
    zone = Zone(
        f"{alias}\n_25._tcp.mail.signed.example TLSA 3 1 1 {DATA}\n"
        f"_25._tcp.mail.plain.example TLSA 3 1 1 {DATA}",
        signed=SIGNED,
    )
    dane = found(zone, is_authentic=False, end="mail.plain.example")
    assert dane is not None
    assert dane.base == "mail.signed.example"
    assert ("TLSA", "_25._tcp.mail.plain.example") not in zone.asked


def test_aliases_in_a_circle_end() -> None:
    circle = "mail.signed.example CNAME mail.signed.example"
    zone = Zone(circle, signed=SIGNED)
    assert found(zone, is_authentic=False, end="mail.signed.example") is None
    assert zone.asked["CNAME", "mail.signed.example"] == 8
