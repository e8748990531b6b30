"""Messages to compare judges with, and the keys that other programs read.

The last line of a body has an end, as SMTP brings it.  Without one dkimpy and Mail::DKIM differ from the RFC: the one
keeps blanks at the very end, the other adds no CRLF (RFC 6376 §3.4.3, §3.4.4).
"""

import itertools

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import strategies as st

from mailauth.dkim.signing import KEYS, RSA
from mailserver.mailauth.dkim.keys import record_text

NAMES = [key.record_name for key in KEYS]
PEM = RSA.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

_PLAIN = b"From: Alice <alice@example.org>\r\nTo: bob@example.com\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n"
SUBJECTS = (
    b"Subject: Lunch\r\n",
    b"Subject:Lunch\r\n",
    b"SUBJECT:  Lunch \t at\r\n\tnoon \r\n",
    b"subject: a very\r\n  long\r\n \tsubject: with a colon\r\n",
    b"Subject:\r\n",
    b"Subject:\r\n folded at once\r\n",
    "Subject: Bücher\r\n".encode(),
    b"",
)
BODIES = (
    b"",
    b"\r\n",
    b"Hello\r\n",
    b"Hello \t World  \r\n\r\n\r\n",
    b"\r\n\r\nHello\r\n",
    b"  indented\t\r\n \r\n\t\r\n",
    b"one\r\n \r\ntwo \r\n",
    "Grüße\r\n".encode(),
    b"Hello\r\n" * 3_000,
    b".\r\n..\r\n",
    b"x" * 990 + b"\r\n",
)


def corpus() -> list[bytes]:
    """Whole messages, each combination of a subject and a body."""
    return [_PLAIN + s + b"\r\n" + b for s, b in itertools.product(SUBJECTS, BODIES)]


def dns() -> str:
    """Lines "NAME TEXT"."""
    return "".join(f"{key.record_name} {record_text(key.private)}\n" for key in KEYS)


_WORDS = st.sampled_from(
    [b" ", b"\t", b"  ", b"a", b"B", b":", b"=", b";", b".", "ü".encode(), b"\r\n "]
)
_LINES = st.sampled_from([b"\r\n", b" ", b"\t", b"a", b".", b"-", "ü".encode(), b"\r\n\r\n"])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Any message with one From; nothing in it that programs would repair."""
    header = b""
    for name in draw(st.permutations([b"From", b"Subject", b"X-Any", b"To"])):
        value = b"".join(draw(st.lists(_WORDS, max_size=8)))
        value = value.replace(b"\r\n  ", b"\r\n ").replace(b"\r\n \r\n", b"\r\n")
        header += name + b": a@example.org" + value + b".\r\n"
    body = b"".join(draw(st.lists(_LINES, max_size=20)))
    return header + b"\r\n" + (body + b"\r\n" if body else b"")
