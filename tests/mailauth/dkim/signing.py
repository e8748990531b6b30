"""Keys, their zone, and messages signed as a test wants them."""

import base64
import hashlib

from mailauth.zone import Zone
from mailserver.mailauth.dkim import keys, sign
from mailserver.mailauth.dkim.body import Bodies, Wanted
from mailserver.mailauth.dkim.header import Header, in_turns, relaxed

RSA = keys.SigningKey("example.org", "rsa", keys.generate("rsa-2048"))
ED25519 = keys.SigningKey("example.org", "ed", keys.generate("ed25519"))
KEYS = (RSA, ED25519)

MESSAGE = b"""\
From: Alice <alice@example.org>
To: bob@example.com
Subject: Lunch\t \tat
  noon
Date: Sun, 22 Nov 2026 12:00:00 +0000
Message-ID: <1@example.org>

Hello  Bob,

see you.\t
""".replace(b"\n", b"\r\n")


def record(key: keys.SigningKey, text: str | None = None) -> str:
    """A zone's line with the public half of *key*."""
    return f'{key.record_name} TXT "{text or keys.record_text(key.private)}"'


ZONE = Zone("\n".join(record(key) for key in KEYS))


def split(message: bytes) -> tuple[bytes, bytes]:
    """The header with its last line end, and the body."""
    header, _, body = message.partition(b"\r\n\r\n")
    return header + b"\r\n", body


def signed(message: bytes = MESSAGE, key_list=(RSA,), now: int = 1_000, **rest) -> bytes:
    """*message* with what we would put in front of it."""
    header, body = split(message)
    return sign.sign(header, [body], key_list, now=now, **rest) + message


def with_signature(
    tags: str,
    message: bytes = MESSAGE,
    key: keys.SigningKey = ED25519,
    *,
    form=("relaxed", "relaxed"),
    length: int | None = None,
    names=("from", "subject"),
    name: bytes = b"DKIM-Signature",
) -> bytes:
    """*message* under a signature that is right, with *tags* in front of bh= and b=, for what signers should not do."""
    header, body = split(message)
    bodies, wanted = Bodies(), Wanted(form[1], length)
    bodies.want(wanted)
    bodies.feed(body)
    body_hash = base64.b64encode(bodies.digest(wanted).digest)
    start = b" %b bh=%b; b=" % (tags.encode(), body_hash)
    text = Header(header).signed_text(in_turns([n.encode() for n in names]), form[0])
    itself = relaxed(name, start) if form[0] == "relaxed" else name + b":" + start
    value = sign.raw_signature(key.private, hashlib.sha256(text + itself).digest())
    return name + b":" + start + base64.b64encode(value) + b"\r\n" + message
