"""Signatures made, for any number of keys in one reading of the message.

Spec: RFC 6376 §3.5, §3.7, §5; RFC 8301 §3.1; RFC 8463 §3, §6.  Status: complete.

Deviates: RFC 8616 §5: d= is in A-labels whatever the message is in, as not everybody who verifies reads others.

Always relaxed/relaxed, always all of the body: there is nothing to gain from the rest (RFC 6376 §8.2).  Fields are
*oversigned*, named once more than they are there, so that nobody can add another one (RFC 6376 §5.4).
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256

from mailserver.base.errors import Cannot
from mailserver.mailauth.dkim.body import Bodies, Wanted
from mailserver.mailauth.dkim.header import Header, in_turns, relaxed
from mailserver.mailauth.dkim.keys import PrivateKey, SigningKey

_BODY = Wanted("relaxed")
_PADDING = padding.PKCS1v15()
_PREHASHED = utils.Prehashed(SHA256())
_WIDTH = 76


@dataclass(frozen=True, slots=True)
class Fields:
    """Which fields of a message are signed; names in any case.

    always:  named once more than they are there, also when they are not there at all.
    present: named once more than they are there, if they are there; lists may add them to what we send.
    as_is:   named as often as they are there; somebody who sends the message on adds others above them.
    """

    always: tuple[str, ...] = (
        "From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To",
        "References", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
    )  # fmt: skip
    present: tuple[str, ...] = (
        "Sender", "List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post",
        "List-Subscribe", "List-Post", "List-Owner", "List-Archive", "Auto-Submitted",
        "Content-ID", "Content-Description", "Content-Disposition", "Content-Language",
        "Feedback-ID", "Autocrypt", "TLS-Required", "TLS-Report-Domain", "TLS-Report-Submitter",
    )  # fmt: skip
    as_is: tuple[str, ...] = ("Resent-Date", "Resent-From", "Resent-To", "Resent-Cc")

    def names(self, header: Header) -> list[str]:
        """What h= says for *header*.  From is in it whatever the lists say (RFC 6376 §5.4)."""
        always = {name.lower() for name in self.always}
        names = list(self.always) if "from" in always else ["From", *self.always]
        names += [n for n in self.always for _ in header.named(n.lower().encode("ascii"))]
        if "from" not in always:
            names += ["From"] * len(header.named(b"from"))
        for name in self.present:
            if count := len(header.named(name.lower().encode("ascii"))):
                names += [name] * (count + 1)
        for name in self.as_is:
            names += [name] * len(header.named(name.lower().encode("ascii")))
        return names


def sign(
    header_block: bytes,
    body: Iterable[bytes],
    keys: Sequence[SigningKey],
    *,
    now: int,
    fields: Fields | None = None,
    lifetime_s: int | None = None,
) -> bytes:
    """A DKIM-Signature field for each of *keys*, in their order, to be put in front of the header; b"" without keys.

    *now* is a Unix time; *lifetime_s* after it the signature expires (x=), or never.  The message is signed as it
    stands, so it has to be what goes over the wire, less the dots of SMTP.  Raises Cannot: it has no From, or its
    header cannot be cut into fields, so that no signature of it would hold.
    """
    if not keys:
        return b""
    return sign_hashed(
        header_block, hash_body(body), keys, now=now, fields=fields, lifetime_s=lifetime_s
    )


def sign_hashed(
    header_block: bytes,
    body_hash: bytes,
    keys: Sequence[SigningKey],
    *,
    now: int,
    fields: Fields | None = None,
    lifetime_s: int | None = None,
) -> bytes:
    """The same, of a message whose body has this SHA-256 in the relaxed form: large ones are hashed on their way."""
    header = Header(header_block, max_size=len(header_block))
    if header.fault:
        raise Cannot(f"the message cannot be signed: {header.fault}")
    if not header.named(b"from"):
        raise Cannot("the message cannot be signed: it has no From")
    names = (fields or Fields()).names(header)
    covered = hashlib.sha256(
        header.signed_text(in_turns([n.lower().encode() for n in names]), "relaxed")
    )
    digest = base64.b64encode(body_hash).decode("ascii")
    expiry = f" x={now + lifetime_s};" if lifetime_s is not None else ""
    made = []
    for key in keys:
        start = (
            f" v=1; a={key.algorithm}; c=relaxed/relaxed;\r\n"
            f" d={key.domain}; s={key.selector};\r\n"
            f" t={now};{expiry}\r\n"
            f"{fold_names(names)};\r\n bh={digest};\r\n b="
        ).encode("ascii")
        made.append(signed_field(b"DKIM-Signature", start, covered, key.private))
    return b"".join(made)


def hash_body(body: Iterable[bytes]) -> bytes:
    """The SHA-256 of *body* in the relaxed form."""
    bodies = Bodies()
    bodies.want(_BODY)
    for piece in body:
        bodies.feed(piece)
    return bodies.digest(_BODY).digest


def fold_names(names: Sequence[str]) -> str:
    """The tag h= in lines of moderate length, each beginning with a blank."""
    lines, line = [], " h="
    for n, name in enumerate(names):
        piece = name if n == len(names) - 1 else f"{name}:"
        if len(line) + len(piece) > _WIDTH:
            lines.append(line)
            line = " "
        line += piece
    return "\r\n".join([*lines, line])


def signed_field(name: bytes, start: bytes, covered: "hashlib._Hash", private: PrivateKey) -> bytes:
    """The whole field *name* with its CRLF: *start*, which ends in an empty b=, and the signature behind it.

    *covered* has what is signed of the rest of the message (RFC 6376 §3.7); it stays as it is.
    """
    digest = covered.copy()
    digest.update(relaxed(name, start))
    value = base64.b64encode(raw_signature(private, digest.digest()))
    lines = [value[at : at + _WIDTH - 4] for at in range(0, len(value), _WIDTH - 4)]
    return b"%b:%b%b\r\n" % (name, start, b"\r\n  ".join(lines))


def raw_signature(private: PrivateKey, digest: bytes) -> bytes:
    """The signature of a SHA-256 *digest*."""
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(digest, _PADDING, _PREHASHED)
    return private.sign(digest)
