"""A path of certificates with Ed25519 or Ed448 in it, which the library's own validation does not know.

Spec: RFC 5280 §6.1; RFC 8410 §3.
Status: what such paths need in practice: signatures, names, dates, and what authorities may.

Narrow on purpose: a path with anything in it that is not understood here proves nothing (name constraints, policies,
extensions that are critical and unknown), and what the library thinks too weak is too weak here as well.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

DEPTH = 10  #: certificates of a path
SIGNATURES = 20  #: that are verified for one path

_EDDSA = (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_HASHES = ("sha256", "sha384", "sha512")
_KNOWN = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectAlternativeName)
_SERVERS = (
    x509.oid.ExtendedKeyUsageOID.SERVER_AUTH,
    x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
)
_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


def concerns(certificates: Sequence[x509.Certificate]) -> bool:
    """Whether one of these authorities has a key of these kinds."""
    return any(isinstance(one.public_key(), _EDDSA) for one in certificates)


def holds(
    leaf: x509.Certificate,
    between: Sequence[x509.Certificate],
    anchor: x509.Certificate,
    now: datetime,
) -> bool:
    """Whether a path leads from *leaf* to *anchor*, each certificate good *now*."""
    try:
        return _may_serve(leaf, now) and _leads(leaf, list(between), anchor, now, 0, [SIGNATURES])
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return False  # something in it cannot be read


def _leads(
    below: x509.Certificate,
    left: list[x509.Certificate],
    anchor: x509.Certificate,
    now: datetime,
    under: int,
    room: list[int],
) -> bool:
    """Whether *below* was issued by *anchor*, or by one of *left* that leads there.

    under: authorities between *below*, counted with it, and the leaf.     room: signatures that may still be verified.
    """
    if under >= DEPTH:
        return False
    if _may_issue(anchor, now, under) and _is_issued(below, anchor, room):
        return True
    for one in left:
        if one.issuer == one.subject or not _may_issue(one, now, under):
            continue
        if _is_issued(below, one, room):
            rest = [other for other in left if other is not one]
            if _leads(one, rest, anchor, now, under + 1, room):
                return True
    return False


def _is_issued(below: x509.Certificate, issuer: x509.Certificate, room: list[int]) -> bool:
    if below.issuer != issuer.subject or room[0] <= 0:
        return False
    algorithm = below.signature_hash_algorithm
    if algorithm is not None and algorithm.name not in _HASHES:
        return False
    room[0] -= 1
    try:
        below.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _may_serve(leaf: x509.Certificate, now: datetime) -> bool:
    usage = _extension(leaf, x509.ExtendedKeyUsage)
    is_for_servers = usage is None or any(one in _SERVERS for one in usage)
    return is_for_servers and _is_strong(leaf) and _is_plain(leaf, now)


def _may_issue(one: x509.Certificate, now: datetime, under: int) -> bool:
    constraints = _extension(one, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return False
    if constraints.path_length is not None and constraints.path_length < under:
        return False
    usage = _extension(one, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return False
    return _is_strong(one) and _is_plain(one, now)


def _is_plain(one: x509.Certificate, now: datetime) -> bool:
    """Valid now, and nothing in it restricts more than is looked at here."""
    if not one.not_valid_before_utc <= now <= one.not_valid_after_utc:
        return False
    return not any(
        isinstance(extension.value, x509.NameConstraints)
        or (extension.critical and not isinstance(extension.value, _KNOWN))
        for extension in one.extensions
    )


def _is_strong(one: x509.Certificate) -> bool:
    key = one.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= 2_048
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name in _CURVES
    return isinstance(key, _EDDSA)


def _extension(one: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return one.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
