"""SCRAM-SHA-256: the example of the RFC, another implementation as the client, and what is no SCRAM at all."""

import base64
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scramp import ScramClient, ScramException

from mailserver.base.errors import PeerError
from mailserver.sasl.mechanism import Challenge, Keys, Proof, Said, Secrets, Wanted
from mailserver.sasl.scram import Scram, make_keys
from sasl.example import NONCE, PENCIL, SALT, SECRETS


def told(said: Said, secrets: Secrets = SECRETS) -> bytes:
    """The challenge that follows once the mechanism knows what is kept."""
    assert isinstance(said, Wanted)
    challenge = said.answer(secrets)
    assert isinstance(challenge, Challenge)
    return challenge.data


def server(
    bindings: Mapping[str, bytes] | None = None, *, is_plus: bool = False, nonce: str = NONCE
) -> Scram:
    return Scram(bindings or {}, is_plus=is_plus, nonce=nonce)


@pytest.mark.rfc(7677, "3")
@pytest.mark.rfc(5802, "3", "5", "7")
def test_the_example_of_the_rfc() -> None:
    mechanism = server()
    said = mechanism.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert isinstance(said, Wanted)
    assert said.login == "user"
    assert told(said) == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    assert mechanism.step(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    ) == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert mechanism.step(b"") == Proof("", "user", 0)


def converse(client: ScramClient, mechanism: Scram, secrets: Secrets = SECRETS) -> Proof:
    """A whole exchange with another implementation."""
    first = told(mechanism.step(client.get_client_first().encode()), secrets)
    client.set_server_first(first.decode())
    said = mechanism.step(client.get_client_final().encode())
    if isinstance(said, Challenge):
        client.set_server_final(said.data.decode())
        said = mechanism.step(b"")
    assert isinstance(said, Proof)
    return said


@pytest.mark.rfc(5802, "3", "5.1")
@pytest.mark.parametrize("login", ["user", "a=b,c@example.test", "müller@example.test"])
def test_another_implementation_logs_in(login: str) -> None:
    client = ScramClient(["SCRAM-SHA-256"], login, "pencil")
    assert converse(client, server()) == Proof("", login, 0)


@pytest.mark.rfc(5802, "5.1")
def test_a_wrong_password() -> None:
    client = ScramClient(["SCRAM-SHA-256"], "user", "pencils")
    assert converse(client, server()) == Proof("", "user", None)


def test_an_unknown_user_gets_as_far() -> None:
    client = ScramClient(["SCRAM-SHA-256"], "nobody", "pencil")
    assert converse(client, server(), Secrets(SALT, 4096)) == Proof("", "nobody", None)


def test_any_password_of_an_account_will_do() -> None:
    keys = tuple(make_keys(p, SALT, 4096) for p in (b"first", b"second", b"third"))
    secrets = Secrets(SALT, 4096, keys=keys)
    for which, password in enumerate(("first", "second", "third")):
        client = ScramClient(["SCRAM-SHA-256"], "user", password)
        assert converse(client, server(), secrets) == Proof("", "user", which)


@pytest.mark.rfc(5802, "6")
@pytest.mark.rfc(5929, "3", "4")
@pytest.mark.parametrize("kind", ["tls-unique", "tls-server-end-point"])
def test_a_bound_channel(kind: str) -> None:
    bindings = {"tls-unique": b"u" * 12, "tls-server-end-point": b"e" * 32}
    client = ScramClient(
        ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], "user", "pencil", (kind, bindings[kind])
    )
    assert client.mechanism_name == "SCRAM-SHA-256-PLUS"
    assert converse(client, server(bindings, is_plus=True)) == Proof("", "user", 0)


@pytest.mark.rfc(5802, "6")
def test_another_channel_is_noticed() -> None:
    client = ScramClient(
        ["SCRAM-SHA-256-PLUS"], "user", "pencil", ("tls-unique", b"of another server")
    )
    mechanism = server({"tls-unique": b"ours"}, is_plus=True)
    assert converse(client, mechanism) == Proof("", "user", None)


@pytest.mark.rfc(5802, "6")
@pytest.mark.parametrize(
    ("flag", "is_plus", "bindings"),
    [
        (b"p=tls-exporter", True, {"tls-unique": b"x"}),  # a type that we do not have
        (b"p=tls-unique", False, {"tls-unique": b"x"}),
        (b"p=tls-unique", True, {}),
        (b"n", True, {"tls-unique": b"x"}),
        (b"y", True, {"tls-unique": b"x"}),
        (b"y", False, {"tls-unique": b"x"}),  # the client was told that we have none: by whom?
        (b"q", False, {}),
        (b"", False, {}),
    ],
)
def test_flags_that_do_not_fit(flag: bytes, is_plus: bool, bindings: dict[str, bytes]) -> None:
    with pytest.raises(PeerError):
        server(bindings, is_plus=is_plus).step(flag + b",,n=user,r=abc")


@pytest.mark.rfc(5802, "6")
def test_a_client_that_could_bind_where_we_cannot() -> None:
    assert isinstance(server().step(b"y,,n=user,r=abc"), Wanted)


@pytest.mark.rfc(5802, "5.1")
@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n",
        b"n,,",
        b"n,,n=user",
        b"n,,r=abc,n=user",
        b"n,,n=,r=abc",
        b"n,,n=us=er,r=abc",
        b"n,,n=user,r=",
        b"n,,n=user,r=a c",
        b"n,,m=ext,n=user,r=abc",
        b"n,,n=user,r=abc,m=ext",
        b"n,,n=user,r=abc,x",
        b"n,user,n=user,r=abc",
        b"n,,n=us\xffer,r=abc",
        b"n,,n=us\0er,r=abc",
        b"n,,n=user,r=" + b"x" * 5_000,
    ],
)
def test_what_is_no_first_message(first: bytes) -> None:
    with pytest.raises(PeerError):
        server().step(first)


@pytest.mark.rfc(5802, "5.1")
def test_whom_to_act_as_and_extensions() -> None:
    mechanism = server(nonce="xyz")
    said = mechanism.step(b"n,a=b=2Cc,n=us=3Der,r=abc,t=unknown")
    assert isinstance(said, Wanted)
    assert said.login == "us=er"
    told(said)
    c = base64.b64encode(b"n,a=b=2Cc,")
    wrong = base64.b64encode(bytes(32))
    assert mechanism.step(b"c=" + c + b",r=abcxyz,t=what,p=" + wrong) == Proof("b,c", "us=er", None)


@pytest.mark.rfc(5802, "5.1")
@pytest.mark.parametrize(
    "final",
    [
        b"",
        b"c=biws",
        b"c=biws,r=abcxyz",
        b"r=abcxyz,c=biws,p=AAAA",
        b"c=b*ws,r=abcxyz,p=AAAA",
        b"c=biws,r=abcxyz,p=A",
        b"c=biws,r=abcxyz,m=x,p=AAAA",
    ],
)
def test_what_is_no_final_message(final: bytes) -> None:
    mechanism = server(nonce="xyz")
    told(mechanism.step(b"n,,n=user,r=abc"))
    with pytest.raises(PeerError):
        mechanism.step(final)


@pytest.mark.rfc(5802, "5.1")
@pytest.mark.parametrize(
    "change", [(b"c=biws", b"c=eSws"), (b"r=abc", b"r=abd"), (b",p=", b",x=1,p=")]
)
def test_what_was_changed_on_the_way(change: tuple[bytes, bytes]) -> None:
    client = ScramClient(["SCRAM-SHA-256"], "user", "pencil", c_nonce="abc")
    mechanism = server(nonce="xyz")
    first = told(mechanism.step(client.get_client_first().encode()))
    client.set_server_first(first.decode())
    final = client.get_client_final().encode()
    assert change[0] in final
    assert mechanism.step(final.replace(*change)) == Proof("", "user", None)


def test_nothing_is_said_after_the_last_word() -> None:
    client = ScramClient(["SCRAM-SHA-256"], "user", "pencil")
    mechanism = server()
    client.set_server_first(told(mechanism.step(client.get_client_first().encode())).decode())
    assert isinstance(mechanism.step(client.get_client_final().encode()), Challenge)
    with pytest.raises(PeerError):
        mechanism.step(b"more")


def test_a_server_that_does_not_know_the_password_is_noticed() -> None:
    client = ScramClient(["SCRAM-SHA-256"], "user", "pencil")
    mechanism = server()
    half = Secrets(SALT, 4096, keys=(Keys(PENCIL.stored, bytes(32)),))
    client.set_server_first(told(mechanism.step(client.get_client_first().encode()), half).decode())
    said = mechanism.step(client.get_client_final().encode())
    assert isinstance(said, Challenge)
    with pytest.raises(ScramException):
        client.set_server_final(said.data.decode())


@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"n,,n=user,r=abc", b"c=biws,r=abcxyz,p=AAAA"])
    )
)
def test_garbage_raises_peer_error_or_proves_nothing(responses: list[bytes]) -> None:
    mechanism = server(nonce="xyz")
    try:
        for response in responses:
            said = mechanism.step(response)
            if isinstance(said, Wanted):
                said = said.answer(SECRETS)
            if isinstance(said, Proof):
                assert said.which is None
                return
    except PeerError:
        pass


def test_secrets_do_not_show_in_a_repr() -> None:
    shown = repr(Secrets(SALT, 4096, keys=(PENCIL,), passwords=(b"hunter2",)))
    assert "hunter2" not in shown
    assert repr(PENCIL.stored) not in shown
