"""Authorities with Ed25519 or Ed448 keys: what their certificates prove for DANE, and what they do not."""

import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from certificates import NOW, Paper, authority, make
from mailserver.mailauth import eddsa_paths
from mailserver.mailauth.tlsa import NotProved, prove, record_for, usable

HOST = "mail.example"
ROOT = authority("Root", key=ed25519.Ed25519PrivateKey.generate())
CA = x509.BasicConstraints(ca=True, path_length=None)
SERVER = ROOT.server(HOST)


def holds(paper: Paper, root: Paper = ROOT, names: tuple[str, ...] = (HOST,)) -> bool:
    record = record_for(root.der, 2)
    try:
        return prove(paper.chain, usable([record]), names, NOW) == record
    except NotProved:
        return False


@pytest.mark.rfc(7672, "3.1.2")
@pytest.mark.rfc(8410, "3")
@pytest.mark.parametrize(
    "key", [ed25519.Ed25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate()]
)
@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1])
def test_an_authority_vouches(key: ed25519.Ed25519PrivateKey, selector: int, matching: int) -> None:
    root = authority("R", key=key)
    record = record_for(root.der, 2, selector, matching)
    for paper in (root.server(HOST), root.authority("Middle").server(HOST)):
        assert prove(paper.chain, usable([record]), (HOST,), NOW) == record
    if matching == 0:  # the authority's certificate, or its key alone, is in the DNS only
        assert prove(root.server(HOST).chain[:1], usable([record]), (HOST,), NOW) == record


def test_kinds_of_keys_in_turn() -> None:
    """RSA over Ed25519 over a curve, as somebody may have grown it."""
    root = authority("R", key=rsa.generate_private_key(65_537, 2_048))
    second = root.authority("Second", key=ed25519.Ed25519PrivateKey.generate())
    third = second.authority("Third", key=ec.generate_private_key(ec.SECP384R1()))
    server = third.server(HOST)
    for above in (root, second, third):
        assert holds(server, above)


FOR_CLIENTS = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])
FOR_SERVERS = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH])
OTHER_NAMES = x509.NameConstraints([x509.DNSName("other.example")], None)
NO_SIGNING = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
WEAK = [
    x509.BasicConstraints(ca=False, path_length=None),
    x509.SubjectAlternativeName([x509.DNSName(HOST)]),
]


@pytest.mark.rfc(5280, "6.1")
@pytest.mark.parametrize(
    "paper",
    [
        pytest.param(ROOT.server(HOST, days=-1), id="late"),
        pytest.param(ROOT.authority("M", days=-1).server(HOST), id="authority late"),
        pytest.param(ROOT.authority("M", is_ca=False).server(HOST), id="no authority"),
        pytest.param(make("M", ROOT, [], 10).server(HOST), id="does not say what it is"),
        pytest.param(ROOT.server("x").server(HOST), id="a server signs"),
        pytest.param(ROOT.authority("M", extra=(NO_SIGNING,)).server(HOST), id="may not sign"),
        pytest.param(ROOT.server(HOST, extra=(FOR_CLIENTS,)), id="for clients"),
        pytest.param(ROOT.authority("M", extra=(OTHER_NAMES,)).server(HOST), id="other names"),
        pytest.param(
            ROOT.authority("M", path_length=0).authority("N").server(HOST), id="too long a path"
        ),
        pytest.param(
            ROOT.authority("M", key=rsa.generate_private_key(65_537, 1_024)).server(HOST),
            id="a weak key",
        ),
        pytest.param(
            ROOT.authority("M", key=ec.generate_private_key(ec.SECP256K1())).server(HOST),
            id="an odd curve",
        ),
        pytest.param(
            make("server", ROOT, WEAK, 10, key=rsa.generate_private_key(65_537, 1_024)),
            id="a weak key of the server",
        ),
        pytest.param(ROOT.server("other.example"), id="for another host"),
        pytest.param(
            authority("Root", key=ed25519.Ed25519PrivateKey.generate()).server(HOST),
            id="another authority of the same name",
        ),
        pytest.param(
            Paper(authority("x").server(HOST).certificate, SERVER.key, (ROOT,)), id="forged"
        ),
    ],
)
def test_what_proves_nothing(paper: Paper) -> None:
    assert not holds(paper)
    assert not holds(Paper(paper.certificate, paper.key, (*paper.above, ROOT)))


def test_what_is_within_bounds() -> None:
    assert holds(ROOT.authority("M", path_length=0).server(HOST))
    assert holds(ROOT.authority("M", path_length=1).authority("N").server(HOST))
    assert holds(ROOT.server(HOST, extra=(FOR_SERVERS,)))


def test_the_library_s_word_stands_without_such_keys() -> None:
    """Nothing that it refuses passes by way of a certificate that only lies beside the path."""
    plain = authority("Plain")
    narrow = plain.authority("Narrow", extra=(OTHER_NAMES,))
    server = narrow.server(HOST)
    assert not holds(Paper(server.certificate, server.key, (*server.above, ROOT)), plain)


def test_many_certificates_cost_little() -> None:
    """Authorities of one name and many keys: each may have issued each."""
    many = [
        make("Same", ROOT, [CA], 10, ed25519.Ed25519PrivateKey.generate()).certificate
        for _ in range(9)
    ]
    leaf = make("Same", None, [CA], 10).server(HOST).certificate
    began = time.process_time()
    for _ in range(20):
        assert not eddsa_paths.holds(leaf, many, ROOT.certificate, NOW)
    assert time.process_time() - began < 2
