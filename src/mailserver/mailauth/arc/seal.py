"""Our set of ARC fields on a message that we pass on.

Spec: RFC 8617 §4.1, §5.1; RFC 8601 §2.2.  Status: complete.
"""

import base64
import hashlib
import re
from collections.abc import Iterable

from mailserver.base.errors import Cannot
from mailserver.base.limits import DkimLimits
from mailserver.mailauth.arc.sets import MOST, NAMES, read_sets
from mailserver.mailauth.arc.verify import ArcResult
from mailserver.mailauth.dkim.header import Header, in_turns, relaxed
from mailserver.mailauth.dkim.keys import SigningKey
from mailserver.mailauth.dkim.outcome import Rejected
from mailserver.mailauth.dkim.sign import Fields, fold_names, hash_body, signed_field

_NOT_SIGNED = frozenset((*NAMES, b"authentication-results"))
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n[ \t]+[^ \t\r\n])")


def seal(
    header_block: bytes,
    body: Iterable[bytes],
    key: SigningKey,
    *,
    authserv_id: str,
    results_text: str,
    chain: ArcResult,
    now: int,
    fields: Fields | None = None,
    limits: DkimLimits | None = None,
) -> bytes:
    """`seal_hashed` for a message whose body is at hand."""
    return seal_hashed(
        header_block,
        hash_body(body),
        key,
        authserv_id=authserv_id,
        results_text=results_text,
        chain=chain,
        now=now,
        fields=fields,
        limits=limits,
    )


def seal_hashed(
    header_block: bytes,
    body_hash: bytes,
    key: SigningKey,
    *,
    authserv_id: str,
    results_text: str,
    chain: ArcResult,
    now: int,
    fields: Fields | None = None,
    limits: DkimLimits | None = None,
) -> bytes:
    """Three fields to be put in front of the message as it leaves; b"" where nobody may add any.

    *chain* is the verdict on the message as it came, *results_text* what else we have found ("spf=pass ...; dkim=..."
    as in Authentication-Results, behind *authserv_id*; it may be folded).  A chain that was broken on its way to us is
    sealed as such, once (RFC 8617 §5.1.2).  *body_hash*: SHA-256 of the body in the relaxed form.  Raises Cannot: the
    header or the texts cannot be used.
    """
    if chain.is_closed or chain.instance >= MOST:
        return b""
    limits = limits or DkimLimits()
    header = Header(header_block, max_size=len(header_block))
    if header.fault:
        raise Cannot(f"the message cannot be sealed: {header.fault}")
    if not header.named(b"from"):
        raise Cannot("the message cannot be sealed: it has no From")
    instance = chain.instance + 1
    text = f"{authserv_id};\r\n {results_text.strip()}"
    if not authserv_id or not results_text.strip() or _NO_TEXT.search(text):
        raise Cannot("what was found about the message is no text for a header field")
    found = f" i={instance}; {text}".encode()
    signature = _signature(header, body_hash, key, instance, now, fields or Fields())
    covered = hashlib.sha256()
    if chain.result == "pass":
        _add_sets(covered, header, limits)
    covered.update(relaxed(b"ARC-Authentication-Results", found) + b"\r\n")
    name, _, value = signature.partition(b":")
    covered.update(relaxed(name, value[:-2]) + b"\r\n")
    start = (
        f" i={instance}; a={key.algorithm}; t={now}; cv={chain.result};\r\n"
        f" d={key.domain}; s={key.selector};\r\n b="
    ).encode("ascii")
    sealed = signed_field(b"ARC-Seal", start, covered, key.private)
    return b"%b%bARC-Authentication-Results:%b\r\n" % (sealed, signature, found)


def _signature(
    header: Header, digest: bytes, key: SigningKey, instance: int, now: int, fields: Fields
) -> bytes:
    """The ARC-Message-Signature; DKIM's signatures that are there are signed with the rest (RFC 8617 §4.1.2)."""
    names = [name for name in fields.names(header) if name.lower().encode() not in _NOT_SIGNED]
    names += ["DKIM-Signature"] * len(header.named(b"dkim-signature"))
    covered = hashlib.sha256(
        header.signed_text(in_turns([n.lower().encode() for n in names]), "relaxed")
    )
    body_hash = base64.b64encode(digest).decode("ascii")
    start = (
        f" i={instance}; a={key.algorithm}; c=relaxed/relaxed;\r\n"
        f" d={key.domain}; s={key.selector}; t={now};\r\n"
        f"{fold_names(names)};\r\n bh={body_hash};\r\n b="
    ).encode("ascii")
    return signed_field(b"ARC-Message-Signature", start, covered, key.private)


def _add_sets(covered: "hashlib._Hash", header: Header, limits: DkimLimits) -> None:
    """Gives *covered* the sets of a chain that holds (RFC 8617 §5.1.1).  Raises Cannot: they are gone meanwhile."""
    try:
        sets = read_sets(header, limits)
    except Rejected as rejected:
        raise Cannot(f"the message cannot be sealed: {rejected}") from None
    for one in sets:
        for field in (one.results, one.signature, one.seal):
            covered.update(field.canonical("relaxed") + b"\r\n")
