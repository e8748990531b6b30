"""Private keys: made, kept as PEM, and the DNS record that a key's other half is published in.

Spec: RFC 6376 §3.3, §3.6.1, §3.6.2.1; RFC 8301 §3; RFC 8463 §3, §4.2.  Status: complete.
"""

import base64
import re
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from mailserver.base.errors import Cannot

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey
Algorithm = Literal["rsa-sha256", "ed25519-sha256"]
KeyType = Literal["rsa-2048", "rsa-4096", "ed25519"]

LEAST_BITS, MOST_BITS = 1_024, 4_096  #: of RSA keys that all receivers take (RFC 8301 §3.2)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs for a domain.

    domain, selector: A-labels; where the public half is published is `record_name`.
    """

    domain: str
    selector: str
    private: PrivateKey

    def __post_init__(self) -> None:
        name = self.record_name
        if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
            raise Cannot(f"{name} is no name for a DKIM key")

    @property
    def algorithm(self) -> Algorithm:
        """As a= says it."""
        return "rsa-sha256" if isinstance(self.private, rsa.RSAPrivateKey) else "ed25519-sha256"

    @property
    def record_name(self) -> str:
        """The name of the DNS record (RFC 6376 §3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


def generate(kind: KeyType) -> PrivateKey:
    """A new key, from the operating system's dice.  RSA takes 0.1 to some seconds: call this in a thread."""
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65_537, 4_096 if kind == "rsa-4096" else 2_048)


def to_pem(private: PrivateKey) -> bytes:
    """PKCS #8 in PEM, not encrypted: whoever keeps it seals it."""
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def from_pem(pem: bytes) -> PrivateKey:
    """The key in *pem*, PKCS #8 or PKCS #1.  Raises Cannot for what no receiver could judge."""
    try:
        private = load_pem_private_key(pem, password=None)
    except TypeError:
        raise Cannot("the key is protected by a password; take that off first") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Cannot(f"no private key in PEM form: {error}") from error
    if not isinstance(private, PrivateKey):
        raise Cannot("mail is signed with RSA and Ed25519 keys only")
    if isinstance(private, rsa.RSAPrivateKey) and not LEAST_BITS <= private.key_size <= MOST_BITS:
        raise Cannot(
            f"an RSA key has {LEAST_BITS} to {MOST_BITS} bits, this one has {private.key_size}"
        )
    return private


def published(public: PublicKey) -> bytes:
    """What p= holds: SubjectPublicKeyInfo of an RSA key, the 32 octets of an Ed25519 key (RFC 8463 §4.2)."""
    if isinstance(public, ed25519.Ed25519PublicKey):
        return public.public_bytes_raw()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def record_text(private: PrivateKey) -> str:
    """The text of the DNS record with the public half; in a zone it is cut into strings of up to 255 octets."""
    kind = "rsa" if isinstance(private, rsa.RSAPrivateKey) else "ed25519"
    data = base64.b64encode(published(private.public_key())).decode("ascii")
    return f"v=DKIM1; k={kind}; p={data}"
