"""Public keys: the DNS record of a selector, read and remembered.

Spec: RFC 6376 §3.6.1, §3.6.2, §6.1.2; RFC 8301 §3.2; RFC 8460 §3; RFC 8463 §4.2.  Status: complete.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mailserver.base.limits import DkimLimits
from mailserver.mailauth.dkim.keys import PublicKey
from mailserver.mailauth.dkim.outcome import Problem
from mailserver.mailauth.dkim.tags import BadTags, base64, colon_list, parse_tags
from mailserver.mailauth.resolver import LookupFailed, NoData, NoSuchDomain, Resolver

REVOKED = "the key is revoked"
_PADDING = padding.PKCS1v15()
_PREHASHED = utils.Prehashed(SHA256())
_REMEMBERED = 2_048  #: records whose keys are kept ready
_EXPONENT_BITS = 64  #: real keys have 17; with thousands, verifying takes sixty times as long
_RECORDS = 8  #: records of one name that are looked at


@dataclass(frozen=True, slots=True)
class PublicRecord:
    """What a domain says about a selector: a key of one of two kinds.

    bits:       the size of an RSA key; 256 for Ed25519.
    hashes:     the only ones it may be used with (h=), or None for all.
    is_testing: t=y; whoever signs with it is only trying out (RFC 6376 §3.6.1).
    is_exact:   t=s; i= must have the very domain of d=.
    is_for_mail: s= has mail in it; else it is only for TLS reports (RFC 8460 §3).
    """

    bits: int
    rsa_key: rsa.RSAPublicKey | None = None
    ed25519_key: ed25519.Ed25519PublicKey | None = None
    hashes: frozenset[bytes] | None = None
    is_testing: bool = False
    is_exact: bool = False
    is_for_mail: bool = True

    @property
    def key(self) -> PublicKey:
        """Whichever it is."""
        key = self.rsa_key or self.ed25519_key
        assert key is not None
        return key

    def is_signed(self, value: bytes, digest: bytes) -> bool:
        """Whether *value* is the signature of a SHA-256 *digest* by the other half of this key."""
        try:
            if self.rsa_key is not None:
                self.rsa_key.verify(value, digest, _PADDING, _PREHASHED)
            elif self.ed25519_key is not None:  # it signs the hash (RFC 8463 §3)
                self.ed25519_key.verify(value, digest)
            else:
                return False
        except InvalidSignature:
            return False
        return True


Keys = PublicRecord | Problem


async def look_up(resolver: Resolver, name: str, limits: DkimLimits) -> Keys:
    """The key that is published as *name*, or why there is none; never raises.

    RFC 6376 §6.1.2 leaves the choice among several records open: the first one that can be used is taken.
    """
    try:
        answer = await resolver.txt(name)
    except (NoSuchDomain, NoData):
        return Problem("permerror", f"there is no key at {name}")
    except LookupFailed as error:
        return Problem("temperror", f"the key at {name} cannot be asked for now: {error}")
    return choose(answer.values, limits)


def choose(records: Iterable[bytes], limits: DkimLimits) -> Keys:
    """The first usable key among the TXT *records* of a selector, or what is wrong with the first of them."""
    first: Problem | None = None
    for text, _ in zip(records, range(_RECORDS), strict=False):
        if len(text) > limits.record_size:
            found: Keys = Problem("permerror", "the key record is too large")
        else:
            found = read_record(text)
        if isinstance(found, PublicRecord):
            return found
        first = first or found
    return first or Problem("permerror", "there is no key")


@lru_cache(maxsize=_REMEMBERED)
def read_record(text: bytes) -> Keys:
    """The record that *text* is, or why it is none; the same text is read once."""
    try:
        return _record(parse_tags(text))
    except BadTags as error:
        return Problem("permerror", f"the key record cannot be read: {error}")


def _record(tags: dict[str, bytes]) -> Keys:
    if tags.get("v", b"DKIM1") != b"DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        return Problem("permerror", "the record is none of DKIM1")
    if "p" not in tags:
        return Problem("permerror", "the key record has no key")
    services = set(colon_list(tags.get("s", b"*")))
    if not services & {b"*", b"email", b"tlsrpt"}:
        return Problem("permerror", "the key is not for mail")
    if not tags["p"]:
        return Problem("permerror", REVOKED)
    flags = colon_list(tags.get("t", b""))
    kind = tags.get("k", b"rsa")
    if kind == b"rsa":
        found = _rsa(base64(tags["p"]))
    elif kind == b"ed25519":
        found = _ed25519(base64(tags["p"]))
    else:
        return Problem("permerror", "the key is of a kind that nobody here knows")
    if isinstance(found, Problem):
        return found
    return replace(
        found,
        hashes=frozenset(colon_list(tags["h"])) if "h" in tags else None,
        is_testing=b"y" in flags,
        is_exact=b"s" in flags,
        is_for_mail=not services.isdisjoint((b"*", b"email")),
    )


def _rsa(data: bytes) -> Keys:
    try:
        key = load_der_public_key(data)  # with or without the name of its algorithm around it
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPublicKey):
        return Problem("permerror", "the key in the record is no RSA key")
    if key.public_numbers().e.bit_length() > _EXPONENT_BITS:
        return Problem("policy", "the exponent of the RSA key is too large")
    return PublicRecord(key.key_size, rsa_key=key)


def _ed25519(data: bytes) -> Keys:
    if len(data) != 32:
        return Problem("permerror", "an Ed25519 key has 32 octets, this one has not")
    return PublicRecord(256, ed25519_key=ed25519.Ed25519PublicKey.from_public_bytes(data))
