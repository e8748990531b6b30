"""What we say of a message's signatures, and what other programs need to say something."""

import asyncio
import time
from pathlib import Path

from mailauth.dkim.signing import KEYS, ZONE, split
from mailserver.mailauth.dkim.keys import record_text
from mailserver.mailauth.dkim.verify import verify

PERL = Path(__file__).parent / "mail_dkim.pl"
RECORDS = {key.record_name: record_text(key.private).encode() for key in KEYS}


def ours(message: bytes) -> list[str]:
    """What we say of each signature, signed at any time."""
    header, body = split(message)
    results = asyncio.run(verify(header, [body], ZONE, now=int(time.time())))
    return [f"{r.result}: {r.reason}" for r in results]


def record(name: bytes, timeout: int = 5) -> bytes | None:
    return RECORDS.get(name.decode().rstrip("."))
