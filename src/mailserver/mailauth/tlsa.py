"""What a server's certificates prove, held against TLSA records.

Spec: RFC 6698 §2.1; RFC 7671 §5.1, §5.2, §9; RFC 7672 §3.1, §3.2; RFC 5280 §6.1.
Deviates: RFC 7671 §9: which of the two digests there are is the stronger one cannot be configured.
Status: complete for SMTP; of certificates between an anchor and the server, those that cryptography's path validation
takes (RSA from 2048 bits, NIST curves, no SHA-1), and Ed25519 and Ed448 (`eddsa_paths`).

Pure: the chain as the server sent it comes in, DER, its own certificate first; a proof goes out, or the reason against.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509 import verification

from mailserver.mailauth import eddsa_paths
from mailserver.mailauth.resolver import Tlsa

DANE_TA, DANE_EE = (
    2,
    3,
)  #: usages: an authority of the domain's choice; the server's own certificate
CERTIFICATE, KEY = 0, 1  #: selectors: all of it; its public key
FULL, SHA_256, SHA_512 = 0, 1, 2  #: matching types
DEPTH = 10  #: certificates of a chain that are looked at
RECORDS = 32  #: of a host that count
BARE_KEYS = 4  #: authorities' keys without a certificate that are tried, which costs a signature for each of the chain

#: what the parser of certificates raises for octets that are none
UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)

_DIGEST_SIZES = {SHA_256: 32, SHA_512: 64}
_USAGES = {DANE_TA: "DANE-TA", DANE_EE: "DANE-EE"}


class NotProved(Exception):
    """The certificates prove nothing; the text is for people.

    kind: the result type of RFC 8460 §4.3.2.2.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class _Certificate(NamedTuple):
    """One certificate of the chain; parsed is None for what cannot be read."""

    der: bytes
    parsed: x509.Certificate | None

    def octets(self, selector: int) -> bytes | None:
        """What a record with this selector means."""
        return self.der if selector == CERTIFICATE else key_of(self.der)


def key_of(certificate: bytes) -> bytes | None:
    """The SubjectPublicKeyInfo in *certificate* (DER, RFC 5280 §4.1), octet for octet; None if it is none.

    Taken out and not written anew: a key may be of a kind or in a form that no library here would write.
    """
    try:
        at, _ = _inside(certificate, 0)  # Certificate
        at, end = _inside(certificate, at)  # TBSCertificate
        if certificate[at] == _VERSION:
            at = _inside(certificate, at)[1]
        for _ in range(5):  # serial number, algorithm, issuer, validity, subject
            at = _inside(certificate, at)[1]
        after = _inside(certificate, at)[1]
    except IndexError:
        return None
    return certificate[at:after] if after <= end else None


_VERSION = 0xA0


def _inside(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the value at *at* begins and ends.  Raises IndexError if it does not end in *der*."""
    size = der[at + 1]
    start = at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 0 < count <= 4:
            raise IndexError
        size = int.from_bytes(der[start : start + count], "big")
        start += count
    if start + size > len(der):
        raise IndexError
    return start, start + size


def show(record: Tlsa) -> str:
    """The record for people: "DANE-EE 3 1 1"."""
    name = _USAGES.get(record.usage, "usage")
    return f"{name} {record.usage} {record.selector} {record.matching}"


def usable(records: Iterable[Tlsa]) -> tuple[Tlsa, ...]:
    """Those that an SMTP client can use (RFC 7672 §3.1), of digests only the strongest there is (RFC 7671 §9).

    Usages 0 and 1 are not: nobody agrees with everybody's mail servers on public authorities (RFC 7672 §3.1.3).
    """
    known = [record for record in dict.fromkeys(records) if _is_known(record)]
    strongest: dict[tuple[int, int], int] = {}
    for record in known:
        kind = record.usage, record.selector
        strongest[kind] = max(strongest.get(kind, FULL), record.matching)
    found = [
        record
        for record in known
        if record.matching in (FULL, strongest[record.usage, record.selector])
    ]
    return tuple(found[:RECORDS])


def _is_known(record: Tlsa) -> bool:
    if record.usage not in _USAGES or record.selector not in (CERTIFICATE, KEY):
        return False
    if record.matching in _DIGEST_SIZES:
        return len(record.data) == _DIGEST_SIZES[record.matching]
    if record.matching != FULL:
        return False
    try:
        if record.selector == CERTIFICATE:
            x509.load_der_x509_certificate(record.data)
        else:
            serialization.load_der_public_key(record.data)
    except UNREADABLE:
        return False
    return True


def record_for(
    certificate: bytes, usage: int = DANE_EE, selector: int = KEY, matching: int = SHA_256
) -> Tlsa:
    """What is to be published so that *certificate* (DER) proves itself.  Raises ValueError for no certificate."""
    octets = certificate if selector == CERTIFICATE else key_of(certificate)
    if octets is None:
        raise ValueError("no certificate in DER form")
    return Tlsa(usage, selector, matching, _digest(octets, matching))


def prove(
    chain: Sequence[bytes], records: Sequence[Tlsa], names: Sequence[str], now: datetime
) -> Tlsa:
    """The record that vouches for the server.  Raises NotProved.

    records: usable ones.
    names:   of which the certificate must have one where an authority vouches for it (RFC 7672 §3.2.2); A-labels.
    """
    if not chain:
        raise NotProved("validation-failure", "the server showed no certificate")
    certificates = [_Certificate(der, _parsed(der)) for der in chain[:DEPTH]]
    leaf = certificates[0]
    for record in records:  # name and dates do not count (RFC 7672 §3.1.1)
        if record.usage == DANE_EE and _matches(leaf, record):
            return record
    authorities = [record for record in records if record.usage == DANE_TA]
    if not authorities:
        raise NotProved("validation-failure", "the certificate matches none of the TLSA records")
    if leaf.parsed is None:
        raise NotProved("validation-failure", "the certificate cannot be read")
    return _by_authority(leaf.parsed, certificates[1:], authorities, names, now)


def _parsed(der: bytes) -> x509.Certificate | None:
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
    except UNREADABLE:
        return None
    return certificate


def _matches(certificate: _Certificate, record: Tlsa) -> bool:
    octets = certificate.octets(record.selector)
    return octets is not None and _digest(octets, record.matching) == record.data


def _digest(octets: bytes, matching: int) -> bytes:
    if matching == FULL:
        return octets
    return hashlib.new("sha256" if matching == SHA_256 else "sha512", octets).digest()


# -- authorities (RFC 7672 §3.1.2)


def _by_authority(
    leaf: x509.Certificate,
    above: Sequence[_Certificate],
    records: Sequence[Tlsa],
    names: Sequence[str],
    now: datetime,
) -> Tlsa:
    between = [one.parsed for one in above if one.parsed is not None]
    trouble: NotProved | None = None
    for record, anchor in _anchors(leaf, above, between, records):
        try:
            if anchor != leaf:
                _validate(leaf, between, anchor, now)
            elif not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
                raise NotProved("certificate-expired", "the certificate is not valid today")
        except NotProved as error:
            trouble = error
            continue
        if not is_named(leaf, names):
            raise NotProved(
                "certificate-host-mismatch",
                f"the certificate is for {_listed(names_of(leaf))}, and not for {_listed(names)}",
            )
        return record
    if trouble is not None:
        raise trouble
    raise NotProved("validation-failure", "no certificate of the chain matches a TLSA record")


def _anchors(
    leaf: x509.Certificate,
    above: Sequence[_Certificate],
    between: Sequence[x509.Certificate],
    records: Sequence[Tlsa],
) -> Iterator[tuple[Tlsa, x509.Certificate]]:
    """The certificates that records vouch for: of the chain, or from the DNS itself (RFC 7671 §5.2.2, §5.2.3).

    Of a key in the DNS that no certificate came for, what it has signed; that may be *leaf*.
    """
    keys = 0
    for record in records:
        matching = [one.parsed for one in above if one.parsed is not None and _matches(one, record)]
        for certificate in matching:
            yield record, certificate
        if matching or record.matching != FULL:
            continue
        if record.selector == CERTIFICATE:
            yield record, x509.load_der_x509_certificate(record.data)
            continue
        keys += 1
        if keys > BARE_KEYS:
            continue
        for certificate in (*between, leaf):
            if _is_signed(certificate, record.data):
                yield record, certificate


def _is_signed(certificate: x509.Certificate, key: bytes) -> bool:
    """Whether *key* (DER) has signed *certificate*."""
    try:
        public = serialization.load_der_public_key(key)
        algorithm, how = (
            certificate.signature_hash_algorithm,
            certificate.signature_algorithm_parameters,
        )
        signed, signature = certificate.tbs_certificate_bytes, certificate.signature
        if isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            public.verify(signature, signed)
            return True
        if algorithm is None or algorithm.name in ("md5", "sha1"):
            return False
        if isinstance(public, rsa.RSAPublicKey) and isinstance(how, padding.PKCS1v15 | padding.PSS):
            public.verify(signature, signed, how, algorithm)
        elif isinstance(public, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
            public.verify(signature, signed, how)
        else:
            return False
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def _validate(
    leaf: x509.Certificate,
    between: Sequence[x509.Certificate],
    anchor: x509.Certificate,
    now: datetime,
) -> None:
    """A path from *leaf* to *anchor*, valid *now* (RFC 5280 §6.1).  Raises NotProved."""
    policy = verification.PolicyBuilder().store(verification.Store([anchor])).time(now)
    verifier = (
        policy.max_chain_depth(DEPTH)
        .extension_policies(ca_policy=_AUTHORITY, ee_policy=_SERVER)
        .build_client_verifier()  # which asks for no name: that is done by the rules of RFC 7672
    )
    try:
        verifier.verify(leaf, list(between))
    except verification.VerificationError as error:
        if eddsa_paths.concerns((anchor, *between)) and eddsa_paths.holds(
            leaf, between, anchor, now
        ):
            return
        if "not valid at validation time" in str(error):
            raise NotProved(
                "certificate-expired", "a certificate of the chain is not valid today"
            ) from None
        raise NotProved(
            "certificate-not-trusted", f"the chain is not valid: {_short(error)}"
        ) from None


def _signs(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("the key may not sign certificates")


def _serves(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None
) -> None:
    allowed = (
        x509.oid.ExtendedKeyUsageOID.SERVER_AUTH,
        x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    )
    if usage is not None and not any(one in allowed for one in usage):
        raise ValueError("the certificate is not for servers")


#: private authorities are as their owners made them: only what RFC 5280 §6.1 asks of a path counts
_AUTHORITY = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _signs)
)
_SERVER = verification.ExtensionPolicy.permit_all().may_be_present(
    x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _serves
)


# -- names (RFC 7672 §3.2.3; RFC 6125 §6.4)


def names_of(certificate: x509.Certificate) -> list[str]:
    """The host names a certificate is for, in lower case; its common name where it lists none."""
    try:
        listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = listed.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        found = []
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return []
    if not found:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        found = [one.value for one in common[-1:] if isinstance(one.value, str)]
    return [name.lower().rstrip(".") for name in found]


def is_named(certificate: x509.Certificate, names: Iterable[str]) -> bool:
    """Whether *certificate* is for one of *names*."""
    wanted = [name.lower().rstrip(".") for name in names]
    return any(fits(pattern, name) for pattern in names_of(certificate) for name in wanted)


def fits(pattern: str, name: str) -> bool:
    """Whether *name* is *pattern*, or has one label where *pattern* has "*" as its first one; both in lower case."""
    if pattern.startswith("*."):
        label, dot, rest = name.partition(".")
        return bool(label and dot) and rest == pattern[2:] and "." in rest
    return bool(name) and pattern == name


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) or "nobody"


def _short(error: Exception) -> str:
    text = str(error).removeprefix("validation failed: ").partition(" (encountered")[0]
    return text[:200]
