"""CRAM-MD5: the example of the RFC, and what is no answer."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.sasl.cram_md5 import CramMd5
from mailserver.sasl.mechanism import Challenge, Kept, Proof, Secrets, Wanted

CHALLENGE = b"<1896.697170952@postoffice.reston.mci.net>"


def asked(response: bytes) -> Wanted:
    mechanism = CramMd5("postoffice.reston.mci.net", nonce="1896.697170952")
    assert mechanism.step(None) == Challenge(CHALLENGE)
    said = mechanism.step(response)
    assert isinstance(said, Wanted)
    assert said.kept is Kept.PASSWORDS
    return said


@pytest.mark.rfc(2195, "2")
def test_the_example_of_the_rfc() -> None:
    said = asked(b"tim b913a602c7eda7a495b4e6e7334d3890")
    assert said.login == "tim"
    assert said.answer(Secrets(passwords=(b"tanstaaftanstaaf",))) == Proof("", "tim", 0)
    assert said.answer(Secrets(passwords=(b"other", b"tanstaaftanstaaf"))) == Proof("", "tim", 1)
    assert said.answer(Secrets(passwords=(b"other",))) == Proof("", "tim", None)
    assert said.answer(Secrets()) == Proof("", "tim", None)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_names_with_blanks(login: str) -> None:
    digest = hmac.new(b"secret", CHALLENGE, "md5").hexdigest()
    said = asked(f"{login} {digest}".encode())
    assert said.answer(Secrets(passwords=(b"secret",))) == Proof("", login, 0)


@pytest.mark.rfc(2195, "2")
@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"tim",
        b" b913a602c7eda7a495b4e6e7334d3890",
        b"tim b913a602c7eda7a495b4e6e7334d389",
        b"tim B913A602C7EDA7A495B4E6E7334D3890",
        b"t\xffm b913a602c7eda7a495b4e6e7334d3890",
        b"t\0m b913a602c7eda7a495b4e6e7334d3890",
        b"x" * 5_000 + b" b913a602c7eda7a495b4e6e7334d3890",
    ],
)
def test_what_is_no_answer(response: bytes) -> None:
    mechanism = CramMd5("x", nonce="1")
    mechanism.step(None)
    with pytest.raises(PeerError):
        mechanism.step(response)


@pytest.mark.rfc(2195, "2")
def test_the_server_speaks_first() -> None:
    with pytest.raises(PeerError):
        CramMd5("x", nonce="1").step(b"tim b913a602c7eda7a495b4e6e7334d3890")
