"""Keys that mail of a domain is signed with: made, brought from elsewhere, sealed, opened, and their records.

Spec: RFC 6376 §3.1, §3.6.1; RFC 8301 §3.2; RFC 8463 §3, §4.  Status: complete.

Every domain has an RSA key, which all receivers can judge, and an Ed25519 key, which is better and not known to all.
Selectors are the day a key was made and a letter for its kind; they say nothing that the record does not.
"""

import base64
import time
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from mailserver.base.errors import Cannot, Corrupt
from mailserver.directory.seal import Seal
from mailserver.mailauth.dkim.keys import PrivateKey, from_pem, published, to_pem
from mailserver.mailauth.dkim.keys import generate as generate_private
from mailserver.mailauth.dkim.outcome import Problem
from mailserver.mailauth.dkim.record import PublicRecord, read_record
from mailserver.store.dkim_keys import ED25519, RSA, DkimKey, NewDkimKey

ALGORITHMS = (RSA, ED25519)
RSA_BITS = (2_048, 4_096)  #: of keys that are made here
MOST_SELECTORS = 100  #: of one kind and day
LONGEST_SELECTOR = 200  #: octets; more would leave no room for the domain
MOST_NAME = 253  #: octets of a name in the DNS
PEM_SIZE = 65_536  #: octets of a file with a key


class Pair(NamedTuple):
    """A key that is not sealed yet."""

    algorithm: str
    bits: int
    public: bytes  # for p=: SubjectPublicKeyInfo of an RSA key, the 32 octets of an Ed25519 key
    private: bytes  # PKCS #8


def generate(algorithm: str, rsa_bits: int = RSA_BITS[0]) -> Pair:
    """A new key.  An RSA key takes a tenth of a second and more: not for the event loop."""
    if algorithm == ED25519:
        return _pair(generate_private("ed25519"))
    return _pair(generate_private("rsa-4096" if rsa_bits == RSA_BITS[1] else "rsa-2048"))


def read_pem(data: bytes) -> Pair:
    """The private key in a file, PKCS #1 or PKCS #8.  Raises Cannot for what no receiver could judge."""
    return _pair(from_pem(data))


def sealed(pair: Pair, domain: str, selector: str, seal: Seal) -> NewDkimKey:
    """*pair* as it is stored; it opens as the key of this selector and domain only.

    Raises Cannot if there can be no record of that name.
    """
    if len(f"{selector}._domainkey.{domain}") > MOST_NAME:
        raise Cannot(f"{domain} is too long a name for a key with the selector {selector}")
    return NewDkimKey(
        selector,
        pair.algorithm,
        pair.bits,
        pair.public,
        seal.close(pair.private, _about(domain, selector)),
    )


def opened(key: DkimKey, seal: Seal) -> PrivateKey:
    """What signs.  Raises Corrupt without a private part, or when it was sealed with another key."""
    if key.sealed is None:
        raise Corrupt(f"{key.name} has no private part any more")
    # Whether it is a sound key was seen before it was sealed, and the seal says that it is that key: looking again
    # would take 35 ms, each time that anything in the directory has changed.
    found = serialization.load_der_private_key(
        seal.open(key.sealed, _about(key.domain, key.selector)),
        password=None,
        unsafe_skip_rsa_key_validation=True,
    )
    if not isinstance(found, PrivateKey):
        raise Corrupt(f"{key.name} is no key that signs mail")
    return found


def pem(key: DkimKey, seal: Seal) -> str:
    """The private key in PEM form (PKCS #8), to be taken to another server.  Raises Corrupt."""
    return to_pem(opened(key, seal)).decode()


def record(key: DkimKey) -> str:
    """The text of its record (RFC 6376 §3.6.1)."""
    return f"v=DKIM1; k={key.algorithm}; p={base64.b64encode(key.public).decode()}"


def why_unlike(records: Iterable[bytes], key: DkimKey) -> str:
    """Why the TXT *records* of its name are not what *key* needs; "" if they are (RFC 6376 §3.6.2.2: one record)."""
    found = [read_record(text) for text in records]
    usable = [one for one in found if isinstance(one, PublicRecord)]
    if not usable:
        problem = next((one for one in found if isinstance(one, Problem)), None)
        return problem.reason if problem is not None else "there is no record"
    if published(usable[0].key) != key.public:
        return "there is another key"
    if len(found) > 1:
        return "there are several records: receivers may take any of them"
    return ""


def new_selector(algorithm: str, now: float, taken: Collection[str]) -> str:
    """ "20261122r", "20261122e", or with a number behind it if that is *taken*.  Raises Cannot."""
    day = f"{time.strftime('%Y%m%d', time.gmtime(now))}{algorithm[0]}"
    names = (day if n == 1 else f"{day}{n}" for n in range(1, MOST_SELECTORS))
    for name in names:
        if name not in taken:
            return name
    raise Cannot(f"{MOST_SELECTORS} keys in one day are enough")


def check_selector(text: str) -> str:
    """The selector in lower case: labels as host names have, and underscores.  Raises Cannot."""
    labels = text.lower().split(".")
    if len(text) > LONGEST_SELECTOR or not all(map(_is_label, labels)):
        raise Cannot(f"{text[:80]!r} is no selector: letters, digits, hyphens, dots")
    return text.lower()


def fresh(
    domain: str,
    algorithms: Sequence[str],
    seal: Seal,
    *,
    now: float,
    rsa_bits: int,
    taken: Collection[str] = (),
) -> list[NewDkimKey]:
    """A new key of each of *algorithms* for *domain*; not for the event loop."""
    return [
        sealed(generate(algorithm, rsa_bits), domain, new_selector(algorithm, now, taken), seal)
        for algorithm in algorithms
    ]


def _pair(key: PrivateKey) -> Pair:
    private = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = published(key.public_key())
    if isinstance(key, RSAPrivateKey):
        return Pair(RSA, key.key_size, public, private)
    return Pair(ED25519, 256, public, private)


def _is_label(label: str) -> bool:
    return (
        0 < len(label) <= 63
        and label.isascii()
        and label.replace("-", "").replace("_", "").isalnum()
        and label[0] not in "-"
        and label[-1] not in "-"
    )


def _about(domain: str, selector: str) -> str:
    return f"DKIM key {selector}._domainkey.{domain}"
