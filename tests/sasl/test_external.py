"""EXTERNAL (RFC 4422 Appendix A)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.sasl.external import External
from mailserver.sasl.mechanism import Challenge, Kept, Proof, Secrets, Wanted
from mailserver.sasl.registry import Channel, begin, offered

ANN = ("ann@example.test", "ann.lee@example.test")


@pytest.mark.rfc(4422, "A")
def test_the_client_is_asked_whom_it_wants_to_be() -> None:
    mechanism = External(ANN)
    assert mechanism.step(None) == Challenge(b"")
    said = mechanism.step(b"")
    assert isinstance(said, Wanted)
    assert (said.login, said.kept) == (ANN[0], Kept.CERTIFICATE)
    assert said.answer(Secrets()) == Proof("", ANN[0], 0)


@pytest.mark.rfc(4422, "A")
def test_whom_the_certificate_names() -> None:
    said = External(ANN).step(b"Ann.Lee@example.test")
    assert isinstance(said, Wanted)
    assert said.answer(Secrets()) == Proof("Ann.Lee@example.test", ANN[1], 0)


def test_somebody_else() -> None:
    assert External(ANN).step(b"bob@example.test") == Proof("bob@example.test", ANN[0], None)


def test_offered_to_who_has_a_certificate() -> None:
    assert "EXTERNAL" not in offered(Channel(is_private=True))
    assert begin("EXTERNAL", Channel(is_private=True)) is None
    assert offered(Channel(is_private=True, identities=ANN))[0] == "EXTERNAL"


@given(st.binary(max_size=100) | st.just(b"x" * 5_000))
def test_garbage(data: bytes) -> None:
    try:
        said = External(ANN).step(data)
    except PeerError:
        return
    assert isinstance(said, Wanted if data == b"" else Proof | Wanted)
