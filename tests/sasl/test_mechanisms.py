"""PLAIN and LOGIN: what the wire says, what it may not say, and when they are offered."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.sasl import plain
from mailserver.sasl.login import Login
from mailserver.sasl.mechanism import Challenge, Credentials
from mailserver.sasl.plain import Plain
from mailserver.sasl.registry import MECHANISMS, Channel, begin, offered

SAFE = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60
)


@pytest.mark.rfc(4616, "2", "4")
def test_plain_takes_the_examples_of_the_rfc() -> None:
    assert Plain().step(b"\0tim\0tanstaaftanstaaf") == Credentials("", "tim", "tanstaaftanstaaf")
    assert Plain().step(b"Ursel\0Kurt\0xipj3plmq") == Credentials("Ursel", "Kurt", "xipj3plmq")


@pytest.mark.rfc(4422, "3", "5")
def test_plain_waits_for_a_client_that_sent_no_initial_response() -> None:
    mechanism = Plain()
    assert mechanism.step(None) == Challenge(b"")
    assert mechanism.step(b"\0tim\0secret") == Credentials("", "tim", "secret")


@pytest.mark.rfc(4616, "2")
@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"tim",
        b"tim\0secret",
        b"\0tim\0",
        b"\0\0secret",
        b"\0tim\0sec\0ret",
        b"\0t\xffm\0secret",
        b"\0tim\0" + b"x" * 5000,
    ],
)
def test_plain_refuses_what_is_no_message_of_it(wire: bytes) -> None:
    with pytest.raises(PeerError):
        Plain().step(wire)


@pytest.mark.rfc(4616, "2")
def test_plain_takes_255_octets_of_each() -> None:
    long = "ü" * 127 + "x"
    assert Plain().step(plain.encode(Credentials(long, long, long))) == Credentials(
        long, long, long
    )


@given(st.one_of(st.just(""), SAFE), SAFE, SAFE)
def test_plain_round_trip(authzid: str, login: str, password: str) -> None:
    said = Credentials(authzid, login, password)
    assert Plain().step(plain.encode(said)) == said


@pytest.mark.parametrize("with_initial_response", [False, True])
def test_login_asks_twice(with_initial_response: bool) -> None:
    mechanism = Login()
    if not with_initial_response:
        assert mechanism.step(None) == Challenge(b"Username:")
    assert mechanism.step(b"tim") == Challenge(b"Password:")
    assert mechanism.step("pässword".encode()) == Credentials("", "tim", "pässword")


@pytest.mark.parametrize("responses", [[b""], [b"tim", b""], [b"t\0m"], [b"\xff"], [b"x" * 5000]])
def test_login_refuses_what_no_client_means(responses: Sequence[bytes]) -> None:
    mechanism = Login()
    *before, last = responses
    for response in before:
        mechanism.step(response)
    with pytest.raises(PeerError):
        mechanism.step(last)


@given(st.sampled_from(sorted(MECHANISMS)), st.lists(st.binary(max_size=40), max_size=4))
def test_garbage_raises_peer_error_or_nothing(name: str, responses: list[bytes]) -> None:
    mechanism = begin(name, FULL)
    assert mechanism is not None
    try:
        for response in responses:
            if isinstance(mechanism.step(response), Credentials):
                break
    except PeerError:
        pass


FULL = Channel(
    is_private=True,
    bindings={"tls-unique": b"x"},
    identities=("ann@example.test",),
    has_scram=True,
    has_cram_md5=True,
    nonce=lambda: "abc",
)


@pytest.mark.rfc(4616, "5")
@pytest.mark.rfc(5802, "6")
def test_what_is_offered_where() -> None:
    assert offered(Channel(is_private=True)) == ("PLAIN", "LOGIN")
    assert offered(Channel(is_private=False)) == ()
    assert offered(replace(FULL, is_private=False)) == ()
    assert offered(FULL) == tuple(MECHANISMS)
    assert offered(replace(FULL, bindings={}, identities=(), has_cram_md5=False)) == (
        "SCRAM-SHA-256",
        "PLAIN",
        "LOGIN",
    )
    assert offered(replace(FULL, has_scram=False)) == ("EXTERNAL", "PLAIN", "LOGIN", "CRAM-MD5")


def test_only_what_is_offered_begins() -> None:
    assert begin("plain", Channel(is_private=False)) is None
    assert begin("GSSAPI", FULL) is None
    assert begin("scram-sha-256", Channel(is_private=True)) is None
    assert isinstance(begin("plain", Channel(is_private=True)), Plain)


def test_a_password_does_not_show_in_a_repr() -> None:
    assert "secret" not in repr(Credentials("", "tim", "secret"))
