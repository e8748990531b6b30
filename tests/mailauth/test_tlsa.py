"""Which TLSA records count, and what a chain of certificates proves to them."""

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from certificates import DER, NOW, Paper, authority, make, self_signed
from mailserver.mailauth.resolver import Tlsa
from mailserver.mailauth.tlsa import (
    NotProved,
    fits,
    is_named,
    key_of,
    names_of,
    prove,
    record_for,
    show,
    usable,
)

HOST = "mail.example"
ROOT = authority("Root")
MIDDLE = ROOT.authority("Middle")
SERVER = MIDDLE.server(HOST)


def spki(paper: Paper) -> bytes:
    public = paper.key.public_key()
    return public.public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def refused(paper: Paper, *records: Tlsa, names: tuple[str, ...] = (HOST,)) -> NotProved:
    with pytest.raises(NotProved) as raised:
        prove(paper.chain, usable(records), names, NOW)
    return raised.value


# -- the server's own certificate


@pytest.mark.rfc(6698, "2.1")
@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_the_server_s_own_certificate(selector: int, matching: int) -> None:
    record = record_for(SERVER.der, 3, selector, matching)
    octets = SERVER.der if selector == 0 else spki(SERVER)
    hashes = {0: octets, 1: hashlib.sha256(octets).digest(), 2: hashlib.sha512(octets).digest()}
    assert record.data == hashes[matching]
    assert prove(SERVER.chain, usable([record]), (), NOW) == record
    other = record_for(MIDDLE.server(HOST).der, 3, selector, matching)
    assert refused(SERVER, other).kind == "validation-failure"


@pytest.mark.rfc(7672, "3.1.1")
@pytest.mark.rfc(7671, "5.1")
def test_name_and_dates_do_not_count_with_dane_ee() -> None:
    old = self_signed("somewhere.else", days=-5)
    record = record_for(old.der)
    assert prove(old.chain, usable([record]), (HOST,), NOW) == record


def test_a_thousand_records_cost_no_more_than_a_few() -> None:
    """What is looked at is bounded, and what is first in the answer counts."""
    many = [Tlsa(3, 1, 1, n.to_bytes(32, "big")) for n in range(1_000)]
    assert usable(many) == tuple(many[:32])
    keys = [Tlsa(2, 1, 0, spki(authority())) for _ in range(6)]
    good = Tlsa(2, 1, 0, spki(ROOT))
    chain = SERVER.chain[:2]
    assert prove(chain, usable([*keys[:3], good]), (HOST,), NOW) == good
    with pytest.raises(NotProved):
        prove(chain, usable([*keys, good]), (HOST,), NOW)


def test_an_authority_s_certificate_does_not_match_dane_ee() -> None:
    assert refused(SERVER, record_for(MIDDLE.der, 3)).kind == "validation-failure"


def test_nothing_shown() -> None:
    with pytest.raises(NotProved, match="no certificate"):
        prove([], usable([record_for(SERVER.der)]), (HOST,), NOW)


# -- an authority


@pytest.mark.rfc(7672, "3.1.2")
@pytest.mark.parametrize("above", [MIDDLE, ROOT], ids=["intermediate", "root"])
@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_an_authority_vouches(above: Paper, selector: int, matching: int) -> None:
    record = record_for(above.der, 2, selector, matching)
    assert prove(SERVER.chain, usable([record]), (HOST,), NOW) == record


@pytest.mark.rfc(7671, "5.2.2", "5.2.3")
@pytest.mark.parametrize("selector", [0, 1], ids=["certificate", "key"])
def test_an_authority_that_only_the_dns_knows(selector: int) -> None:
    """The server does not send the root; all of it is in the record."""
    record = record_for(ROOT.der, 2, selector, 0)
    assert prove(SERVER.chain[:2], usable([record]), (HOST,), NOW) == record
    direct = ROOT.server(HOST)
    assert prove(direct.chain[:1], usable([record]), (HOST,), NOW) == record
    stranger = authority("Root").server(HOST)
    with pytest.raises(NotProved):
        prove(stranger.chain[:1], usable([record]), (HOST,), NOW)


@pytest.mark.rfc(7671, "5.2.3")
def test_a_bare_rsa_key() -> None:
    root = authority("R", key=rsa.generate_private_key(65_537, 2_048))
    server = root.server(HOST)
    record = record_for(root.der, 2, 1, 0)
    assert prove(server.chain[:1], usable([record]), (HOST,), NOW) == record
    late = root.server(HOST, days=-1)
    with pytest.raises(NotProved) as raised:
        prove(late.chain[:1], usable([record]), (HOST,), NOW)
    assert raised.value.kind == "certificate-expired"


def test_a_digest_needs_its_certificate_in_the_chain() -> None:
    record = record_for(ROOT.der, 2, 1, 1)
    with pytest.raises(NotProved, match="no certificate of the chain"):
        prove(SERVER.chain[:2], usable([record]), (HOST,), NOW)


@pytest.mark.rfc(7672, "3.2.2")
def test_an_authority_vouches_for_names_only() -> None:
    record = record_for(ROOT.der, 2)
    found = refused(SERVER, record, names=("other.example",))
    assert found.kind == "certificate-host-mismatch"
    assert "mail.example" in str(found)
    assert prove(SERVER.chain, [record], ("other.example", HOST), NOW) == record


@pytest.mark.parametrize(
    ("paper", "kind"),
    [
        (MIDDLE.server(HOST, days=-1), "certificate-expired"),
        (ROOT.authority("Late", days=-1).server(HOST), "certificate-expired"),
        (ROOT.authority("None", is_ca=False).server(HOST), "certificate-not-trusted"),
        (ROOT.server("x").server(HOST), "certificate-not-trusted"),
        (
            make("Bare", ROOT, [], 10).server(HOST),
            "certificate-not-trusted",
        ),
        (
            ROOT.server(
                HOST, extra=(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]),)
            ),
            "certificate-not-trusted",
        ),
    ],
    ids=["server-late", "middle-late", "not-ca", "server-signs", "no-constraints", "for-clients"],
)
def test_a_path_that_does_not_hold(paper: Paper, kind: str) -> None:
    assert refused(paper, record_for(ROOT.der, 2)).kind == kind


@pytest.mark.rfc(5280, "6.1")
def test_an_authority_for_other_names_only() -> None:
    permitted = x509.NameConstraints([x509.DNSName("other.example")], None)
    middle = make("Narrow", ROOT, [x509.BasicConstraints(ca=True, path_length=None), permitted], 10)
    assert refused(middle.server(HOST), record_for(ROOT.der, 2)).kind == "certificate-not-trusted"


def test_the_chain_of_somebody_else() -> None:
    """The authority's certificate is public: sending it along proves nothing."""
    forged = Paper(self_signed(HOST).certificate, SERVER.key, (MIDDLE, ROOT))
    assert refused(forged, record_for(ROOT.der, 2)).kind == "certificate-not-trusted"


def test_any_of_several_records() -> None:
    wrong, right = record_for(authority().der, 2), record_for(MIDDLE.der, 2)
    assert prove(SERVER.chain, usable([wrong, right]), (HOST,), NOW) == right
    own = record_for(SERVER.der)
    assert prove(SERVER.chain, usable([wrong, own]), ("x",), NOW) == own


def test_certificates_that_cannot_be_read() -> None:
    good = record_for(SERVER.der)
    for chain in ([b""], [b"\x30\x80"], [b"\x30\x84\xff\xff\xff\xff"], [b"x" * 10_000]):
        for record in (good, record_for(ROOT.der, 2)):
            with pytest.raises(NotProved):
                prove(chain, [record], (HOST,), NOW)
    assert prove([SERVER.der, b"junk"], [good], (), NOW) == good
    through = [SERVER.der, b"junk", *SERVER.chain[1:]]
    record = record_for(ROOT.der, 2)
    assert prove(through, [record], (HOST,), NOW) == record


# -- which records count


@pytest.mark.rfc(7672, "3.1.3")
@pytest.mark.parametrize(
    "record",
    [
        Tlsa(0, 1, 1, bytes(32)),
        Tlsa(1, 1, 1, bytes(32)),
        Tlsa(4, 1, 1, bytes(32)),
        Tlsa(255, 1, 1, bytes(32)),
        Tlsa(3, 2, 1, bytes(32)),
        Tlsa(3, 1, 3, bytes(32)),
        Tlsa(3, 1, 1, bytes(31)),
        Tlsa(3, 1, 2, bytes(32)),
        Tlsa(3, 1, 1, b""),
        Tlsa(3, 0, 0, b"no certificate"),
        Tlsa(2, 1, 0, b"no key"),
        Tlsa(3, 1, 0, b""),
    ],
    ids=str,
)
def test_records_that_nobody_can_use(record: Tlsa) -> None:
    assert usable([record]) == ()


@pytest.mark.rfc(7671, "9")
def test_only_the_strongest_digest_counts() -> None:
    weak, strong = record_for(SERVER.der, 3, 1, 1), record_for(MIDDLE.der, 3, 1, 2)
    assert usable([weak, strong]) == (strong,)
    assert usable([weak, record_for(MIDDLE.der, 3, 0, 2)])[0] == weak  # another selector
    whole = record_for(SERVER.der, 3, 1, 0)
    assert usable([weak, whole, weak]) == (weak, whole)
    bad = strong._replace(data=bytes(10))
    assert usable([weak, bad]) == (weak,)
    assert show(strong) == "DANE-EE 3 1 2"


# -- names


@pytest.mark.rfc(7672, "3.2.3")
@pytest.mark.parametrize(
    ("pattern", "name", "is_it"),
    [
        ("mail.example", "mail.example", True),
        ("*.example.org", "mail.example.org", True),
        ("*.example.org", "a.b.example.org", False),
        ("*.example.org", "example.org", False),
        ("*.org", "example.org", False),
        ("m*.example.org", "mail.example.org", False),
        ("mail.*.org", "mail.example.org", False),
        ("*", "example", False),
        ("*.", "example.", False),
        ("", "", False),
        ("*.example.org", ".example.org", False),
    ],
)
def test_patterns(pattern: str, name: str, is_it: bool) -> None:
    assert fits(pattern, name) is is_it


@pytest.mark.rfc(6125, "6.4.4")
def test_the_common_name_counts_where_there_is_no_other() -> None:
    assert is_named(ROOT.server(common=HOST).certificate, [HOST])
    assert not is_named(ROOT.server("other.example", common=HOST).certificate, [HOST])
    assert names_of(ROOT.server("A.Example", "*.B.example").certificate) == [
        "a.example",
        "*.b.example",
    ]


# -- octets


@given(st.binary(max_size=400))
def test_garbage(der: bytes) -> None:
    assert key_of(der) is None or key_of(der) in der
    with pytest.raises(NotProved):
        prove([der], [record_for(SERVER.der), record_for(ROOT.der, 2)], (HOST,), NOW)


def test_a_certificate_of_a_version_that_there_is_not() -> None:
    version = b"\xa0\x03\x02\x01\x02"
    assert version in SERVER.der
    with pytest.raises(NotProved, match="cannot be read"):
        prove(
            [SERVER.der.replace(version, version[:-1] + b"\x03", 1)],
            [record_for(ROOT.der, 2)],
            (HOST,),
            NOW,
        )


@given(st.data())
def test_a_certificate_cut_or_changed(data: st.DataObject) -> None:
    der = bytearray(SERVER.der)
    signature = x509.load_der_x509_certificate(SERVER.der).signature
    spare = SERVER.der.rindex(signature) - 1  # how many bits at the signature's end are not used
    at = data.draw(st.integers(0, len(der) - 1).filter(lambda place: place != spare))
    der[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(der)))
    for changed in (bytes(der), bytes(der[:cut])):
        with pytest.raises(NotProved):
            prove(
                [changed, *SERVER.chain[1:]],
                [record_for(ROOT.der, 2), record_for(SERVER.der, 3, 0)],
                (HOST,),
                NOW,
            )


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65_537, 2_048)]
)
def test_keys_as_they_stand_in_the_certificate(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> None:
    paper = authority(key=key)
    assert key_of(paper.der) == spki(paper)


def test_a_key_of_another_kind() -> None:
    """What vouches for the server itself needs no path."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
        .sign(key, None)
    ).public_bytes(DER)
    assert prove([certificate], [record_for(certificate)], (), NOW) == record_for(certificate)
