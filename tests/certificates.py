"""Certificates of any kind, made for a test: authorities, authorities below them, servers, and what is wrong with each.

root = authority("Root")
server = root.server("mail.example")
server.files(folder)            # chain and key, for a listener
server.chain                    # DER, as a server sends it
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from mailserver.net.tls import Files

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
NOW = datetime.fromtimestamp(time.time(), UTC)
EdDsa = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | EdDsa


@dataclass(frozen=True)
class Paper:
    """A certificate with its key, and who is above it."""

    certificate: x509.Certificate
    key: Key
    above: tuple["Paper", ...] = field(default=())

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    @property
    def chain(self) -> list[bytes]:
        """Itself first, then who is above it, up to the root."""
        return [self.der, *(paper.der for paper in self.above)]

    def files(self, folder: Path, name: str = "server", *, depth: int = 10) -> Files:
        """The chain with its first *depth* certificates, and the key."""
        folder.mkdir(parents=True, exist_ok=True)
        files = Files(folder / f"{name}.pem", folder / f"{name}.key")
        papers = (self, *self.above)[:depth]
        files.certificate.write_bytes(b"".join(paper.pem for paper in papers))
        files.key.write_bytes(
            self.key.private_bytes(
                PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def server(
        self,
        *names: str,
        common: str = "",
        days: float = 10.0,
        extra: tuple[x509.ExtensionType, ...] = (),
    ) -> "Paper":
        """For a server with these names; *days* below 0: it is over."""
        extensions: list[x509.ExtensionType] = [x509.BasicConstraints(ca=False, path_length=None)]
        if names:
            extensions.append(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]))
        return make(common or "server", self, [*extensions, *extra], days)

    def authority(
        self,
        common: str = "Intermediate",
        *,
        days: float = 10.0,
        is_ca: bool = True,
        key: Key | None = None,
        extra: tuple[x509.ExtensionType, ...] = (),
        path_length: int | None = None,
    ) -> "Paper":
        """An authority below this one."""
        constraints = x509.BasicConstraints(ca=is_ca, path_length=path_length)
        return make(common, self, [constraints, *extra], days, key)


def authority(
    common: str = "Root",
    *,
    days: float = 10.0,
    key: Key | None = None,
    extra: tuple[x509.ExtensionType, ...] = (),
) -> Paper:
    """An authority above all."""
    return make(common, None, [x509.BasicConstraints(ca=True, path_length=None), *extra], days, key)


def self_signed(*names: str, days: float = 10.0) -> Paper:
    """A server's certificate that nobody vouches for."""
    names_ = x509.SubjectAlternativeName([x509.DNSName(n) for n in names])
    return make("server", None, [names_] if names else [], days)


def make(
    common: str,
    issuer: Paper | None,
    extensions: list[x509.ExtensionType],
    days: float,
    key: Key | None = None,
) -> Paper:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=days))
    )
    for extension in extensions:
        builder = builder.add_extension(
            extension, critical=isinstance(extension, x509.BasicConstraints | x509.NameConstraints)
        )
    signer = issuer.key if issuer else key
    certificate = builder.sign(signer, None if isinstance(signer, EdDsa) else hashes.SHA256())
    return Paper(certificate, key, (issuer, *issuer.above) if issuer else ())
