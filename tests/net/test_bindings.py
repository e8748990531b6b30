"""What a log-in can be bound to, by the kind of certificate."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mailserver.net.tls import _end_point, _first


def certificate(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    algorithm: hashes.HashAlgorithm | None,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.test")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, algorithm)
    )


@pytest.mark.rfc(5929, "4.1")
@pytest.mark.parametrize(
    ("algorithm", "name"),
    [(hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384"), (hashes.SHA512(), "sha512")],
)
def test_the_end_point_by_the_hash_of_the_signature(algorithm, name):
    der = certificate(ec.generate_private_key(ec.SECP256R1()), algorithm).public_bytes(Encoding.DER)
    assert _end_point(der) == hashlib.new(name, der).digest()


@pytest.mark.rfc(5929, "4.1")
def test_a_signature_without_a_hash_has_no_end_point():
    der = certificate(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.DER)
    assert _end_point(der) == b""
    assert _end_point(b"") == _end_point(b"nonsense") == b""


def test_the_servers_own_certificate_is_the_first(tmp_path):
    made = [certificate(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()) for _ in range(2)]
    path = tmp_path / "chain.pem"
    text = "".join(f"# a comment\n{c.public_bytes(Encoding.PEM).decode()}" for c in made)
    path.write_text(text)
    assert _first(path) == made[0].public_bytes(Encoding.DER)
    path.write_text("nothing of the kind")
    assert _first(path) == b""
