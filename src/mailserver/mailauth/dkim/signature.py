"""One signature field: what it says, checked before anything is computed.

Spec: RFC 6376 §3.5, §6.1.1; RFC 8301 §3.1; RFC 8463 §4.1; RFC 8616 §5; RFC 8617 §4.1.2.  Status: complete.

Tags without any use for a verifier (z=) are not looked into.  The field of ARC with the same syntax has no v=, and i=
counts there.
"""

import re
from functools import lru_cache
from typing import NamedTuple, get_args

from mailserver.base.errors import PeerError
from mailserver.base.limits import DkimLimits
from mailserver.mailauth.dkim.body import Wanted
from mailserver.mailauth.dkim.header import Field, Form, in_turns, relaxed
from mailserver.mailauth.dkim.outcome import Rejected
from mailserver.mailauth.dkim.tags import (
    BadTags,
    base64,
    colon_list,
    emptied,
    parse_tags,
    quoted_printable,
    without_space,
)
from mailserver.mailauth.names import a_labels

ALGORITHMS = {b"rsa-sha256": "rsa-sha256", b"ed25519-sha256": "ed25519-sha256"}
_FORMS = {form.encode(): form for form in get_args(Form)}
_FIELD_NAMES = re.compile(rb"[!-:<-~]*")  # with the colons between them
_WORD = re.compile(rb"[A-Za-z0-9+/=-]*")
_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")
_NUMBER = re.compile(rb"[0-9]{1,12}")
_LENGTH = re.compile(rb"[0-9]{1,76}")
REMEMBERED = 1_000  #: manners of signing that are kept ready, and names
TAG_B = 200  #: characters of b= that tell signatures apart
REMEMBERED_SIZE = 4_096  #: octets of a field that they are from

#: fields of which a reader sees one, though a message that is no message may have several (RFC 5322 §3.6, RFC 2045 §5)
SINGLES = (
    b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"content-type",
)  # fmt: skip

_REQUIRED = ("a", "b", "bh", "d", "h", "s")


class Claim(NamedTuple):
    """Who says to have signed: what every kind of signature field has, as far as it can be read.

    record_name: where the key is published (RFC 6376 §3.6.2.1).
    """

    domain: str
    selector: str
    algorithm: str
    record_name: str


class Manner(NamedTuple):
    """What a signer says alike in one signature after the other.

    names:    the header fields that are covered (h=), lower case, in its order.
    turns:    which fields these are, as `header.in_turns` has it.
    singles:  of them those that a reader sees one of, with how many are covered.
    form, body_form: c=.
    identity: i=, of which the domain is that of d= or below it; "" in ARC, where i= is something else.
    """

    names: tuple[bytes, ...]
    turns: tuple[tuple[bytes, int], ...]
    singles: tuple[tuple[bytes, int], ...]
    form: Form
    body_form: Form
    identity: str


class Signature(NamedTuple):
    """A field that says all it has to.

    field:     the one that it was read from.
    wanted:    the hash of the body that it was made with (c=, l=); body_hash is what it was (bh=).
    signed_at, expires_at: Unix times (t=, x=).
    itself:    the field in its canonical form with b= empty, the end of what is signed (RFC 6376 §3.7).
    """

    field: Field
    claim: Claim
    manner: Manner
    wanted: Wanted
    body_hash: bytes
    value: bytes
    signed_at: int | None
    expires_at: int | None
    itself: bytes


def read_tags(field: Field, limits: DkimLimits) -> dict[str, bytes]:
    """The tags of a signature field.  Raises Rejected."""
    if len(field.raw) > limits.signature_size:
        raise Rejected("policy", "the signature field is too large")
    try:
        return parse_tags(field.body)
    except BadTags as error:
        raise Rejected("neutral", str(error)) from None


def read_claim(tags: dict[str, bytes]) -> Claim:
    """Who the signature is by, as far as that can be read; "" where it cannot."""
    d, s, a = tags.get("d", b""), tags.get("s", b""), tags.get("a", b"")
    read = _known_claim if len(d) + len(s) + len(a) <= REMEMBERED_SIZE else _claim
    return read(d, s, a)


def read_tag_b(tags: dict[str, bytes]) -> str:
    """The beginning of b=, TAG_B characters; "" where it has what it must not have."""
    return _word(tags.get("b", b""))[:TAG_B]


def _claim(d: bytes, s: bytes, a: bytes) -> Claim:
    domain, selector = _name(d), _name(s)
    return Claim(domain, selector, _word(a).lower(), f"{selector}._domainkey.{domain}")


_known_claim = lru_cache(maxsize=REMEMBERED)(_claim)


def read_signature(
    field: Field, tags: dict[str, bytes], claim: Claim, limits: DkimLimits, *, is_arc: bool = False
) -> Signature:
    """The signature in a DKIM-Signature, or in an ARC-Message-Signature.  Raises Rejected with the reason."""
    try:
        return _read(field, tags, claim, limits, is_arc)
    except PeerError as error:
        raise Rejected("neutral", str(error)) from None


def _read(
    field: Field, values: dict[str, bytes], claim: Claim, limits: DkimLimits, is_arc: bool
) -> Signature:
    if not is_arc:
        check_version(values)
    check_required(values, _REQUIRED)
    read_manner = _known_manner if len(field.raw) <= REMEMBERED_SIZE else _manner
    manner = read_manner(
        claim,
        values["a"],
        values["h"],
        values.get("c", b"simple"),
        values.get("q", b"dns/txt"),
        None if is_arc else values.get("i"),
        limits.signed_fields,
        is_arc,
    )
    signed_at, expires_at = read_time(values, "t"), read_time(values, "x")
    if signed_at is not None and expires_at is not None and expires_at <= signed_at:
        raise BadTags("the signature expires before it was made")
    return Signature(
        field,
        claim,
        manner,
        Wanted(manner.body_form, _length(values.get("l"))),
        base64(values["bh"]),
        base64(values["b"]),
        signed_at,
        expires_at,
        without_b(field, manner.form),
    )


def _manner(
    claim: Claim,
    a: bytes,
    h: bytes,
    c: bytes,
    q: bytes,
    i: bytes | None,
    signed_fields: int,
    is_arc: bool,
) -> Manner:
    """What these tags say.  Raises Rejected, PeerError."""
    check_algorithm(a)
    check_claim(claim)
    header_form, body_form = _forms(c)
    names = tuple(colon_list(h.lower()))
    if len(names) > signed_fields:
        raise Rejected("policy", f"the signature names more than {signed_fields} fields")
    if not _FIELD_NAMES.fullmatch(b":".join(names)):  # an empty one is no field's, and is let pass
        raise BadTags("h= has something that is no field's name")
    if b"from" not in names:
        raise Rejected("permerror", "the signature does not cover From")
    if b"dns/txt" not in colon_list(q.lower()):
        raise Rejected("neutral", "the signature's key is not in the DNS")
    singles = tuple((name, names.count(name)) for name in SINGLES if name in names)
    if not is_arc:
        identity = f"@{claim.domain}" if i is None else _identity(i, claim.domain)
        return Manner(names, in_turns(names), singles, header_form, body_form, identity)
    return Manner(names, in_turns(names), singles, header_form, body_form, "")


_known_manner = lru_cache(maxsize=REMEMBERED)(_manner)


def without_b(field: Field, form: Form) -> bytes:
    """*field* in *form* as if b= were empty, without a line end (RFC 6376 §3.5)."""
    body = emptied(field.body, b"b")
    if form == "simple":
        return field.raw[: len(field.raw) - len(field.body)] + body
    return relaxed(field.name, body)


def check_version(values: dict[str, bytes]) -> None:
    """v= is there and is 1.  Raises Rejected."""
    if values.get("v") != b"1":
        check_required(values, ("v",))
        raise Rejected("permerror", "the signature is of another version")


def check_required(values: dict[str, bytes], names: tuple[str, ...]) -> None:
    """These tags are there and not empty.  Raises Rejected."""
    if not all(map(values.get, names)):
        missing = next(name for name in names if not values.get(name))
        raise Rejected("permerror", f"the signature has no {missing}=")


def check_algorithm(a: bytes) -> None:
    """a= is one that we verify.  Raises Rejected."""
    algorithm = a.lower()
    if algorithm == b"rsa-sha1":
        raise Rejected("policy", "rsa-sha1 proves nothing any more")
    if algorithm not in ALGORITHMS:
        raise Rejected("neutral", "the signature's algorithm is unknown here")


def check_claim(claim: Claim) -> None:
    """d= and s= are domain names that can have a record.  Raises Rejected, BadTags."""
    if "." not in claim.domain:
        raise BadTags("d= is no domain's name")
    if not claim.selector or len(claim.record_name) > 253:
        raise BadTags("s= is no selector")


def read_time(values: dict[str, bytes], name: str) -> int | None:
    """A Unix time, None without the tag.  Raises BadTags."""
    if name not in values:
        return None
    if not _NUMBER.fullmatch(values[name]):
        raise BadTags(f"{name}= is no time")
    return int(values[name])


def _word(value: bytes) -> str:
    """A value of letters, digits and what base64 has besides; "" if it is anything else."""
    value = without_space(value)
    return value.decode("ascii") if _WORD.fullmatch(value) else ""


def _name(value: bytes) -> str:
    """The domain's name that *value* is, or ""."""
    try:
        return a_labels(value)
    except PeerError:
        return ""


def _forms(value: bytes) -> tuple[Form, Form]:
    """c=: of the header and of the body; simple where nothing is said."""
    header, _, body = value.lower().partition(b"/")
    forms = _FORMS.get(header), _FORMS.get(body if b"/" in value else b"simple")
    if forms[0] is None or forms[1] is None:
        raise Rejected("neutral", "the signature's canonicalization is unknown here")
    return forms[0], forms[1]


def _identity(value: bytes, domain: str) -> str:
    """i= in A-labels; its domain is that of d= or below it (RFC 6376 §3.5)."""
    address = quoted_printable(value)
    local, at, host = address.rpartition(b"@")
    if not at or _CONTROLS.search(address):
        raise BadTags("i= is no address")
    try:
        name = a_labels(host)
    except PeerError:
        raise BadTags("i= has no domain's name") from None
    if name != domain and not name.endswith(f".{domain}"):
        raise Rejected("permerror", "i= is not below d=")
    return f"{local.decode('utf-8', 'replace')}@{name}"


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not _LENGTH.fullmatch(value):
        raise BadTags("l= is no number of octets")
    return int(value)
